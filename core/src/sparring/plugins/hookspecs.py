"""Every hook of Sparring, in two families: registration (once a process) and events (once a run).

Registration hooks are called on every enabled plugin. Event hooks are called on the callbacks that a recipe names,
and on nothing else: an installed plugin that a recipe does not name never changes that run.

A hook's implementation may take any subset of the arguments shown here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    import typer
    from torch import Tensor

    from sparring.interfaces.data import Batch
    from sparring.interfaces.objective import Update
    from sparring.plugins.component import Component
    from sparring.training.run import Run
    from sparring.training.stage import Stage

hookspec = pluggy.HookspecMarker("sparring")
hookimpl = pluggy.HookimplMarker("sparring")


class RegistrationSpecs:
    """Hooks by which a plugin says what it brings."""

    @hookspec
    def sparring_components(self) -> Iterable[Component]:  # type: ignore[empty-body]
        """Return the plugin's components. Fires once, when a recipe or a listing first needs the plugin.

        ``Plugin`` implements this hook for you; implement it by hand to compute the list::

            from sparring import Component, hookimpl

            @hookimpl
            def sparring_components():
                return [Component("loss", "margin/wide", "margin.losses:Wide", "A hinge loss with a wider margin")]

        Each name starts with the plugin's own, the name of its entry point. A target may be an object, or the
        string ``"module:attribute"``, which is imported when the component is first used.
        """

    @hookspec
    def sparring_commands(self, app: typer.Typer) -> None:
        """Add commands to the command line. Fires once, when the ``sparring`` program meets a word that it lacks.

        A whole plugin::

            from sparring import hookimpl

            @hookimpl
            def sparring_commands(app):
                @app.command()
                def hello() -> None:
                    "Greet."
                    print("hello")
        """


class EventSpecs:
    """Hooks that callbacks implement. They return nothing, and may call ``run.request_stop(reason)``."""

    @hookspec
    def sparring_run_start(self, run: Run) -> None:
        """Fires once before the first step, of a fresh run and of a resumed one (``run.step`` tells which).

        A whole plugin::

            from sparring import Plugin, hookimpl

            plugin = Plugin("greet")

            @plugin.callback("hello")
            class Hello:
                "Say when a run starts."

                @hookimpl
                def sparring_run_start(self, run):
                    print("training", run.recipe.name)
        """

    @hookspec
    def sparring_stage_start(self, run: Run, stage: Stage) -> None:
        """Fires when a stage is entered, before its first step; after a resume, before the first step that is left.

        A whole plugin::

            from sparring import Plugin, hookimpl

            plugin = Plugin("chapters")

            @plugin.callback("announce")
            class Announce:
                "Name each stage."

                @hookimpl
                def sparring_stage_start(self, stage):
                    print("stage", stage.name, "for", stage.steps, "steps")
        """

    @hookspec
    def sparring_update_end(self, run: Run, update: Update, terms: Mapping[str, Tensor]) -> None:
        """Fires after each optimiser step, with the update's terms as scalars that are still on the device.

        Reading a value waits for the device; do so rarely. A whole plugin::

            from sparring import Plugin, hookimpl

            plugin = Plugin("count")

            @plugin.callback("updates")
            class Updates:
                "Count the optimiser steps of each update."

                def __init__(self) -> None:
                    self.taken = {}

                @hookimpl
                def sparring_update_end(self, update):
                    self.taken[update.name] = self.taken.get(update.name, 0) + 1
        """

    @hookspec
    def sparring_step_end(self, run: Run, step: int, metrics: Mapping[str, float]) -> None:
        """Fires at every logging step, with the means since the last one, already read from the device.

        A whole plugin::

            from sparring import Plugin, hookimpl

            plugin = Plugin("ceiling")

            @plugin.callback("loss")
            class Ceiling:
                "Stop a run whose critic has given up."

                def __init__(self, limit: float = 10.0) -> None:
                    self.limit = limit

                @hookimpl
                def sparring_step_end(self, run, step, metrics):
                    if metrics.get("discriminator/adversarial", 0.0) > self.limit:
                        run.request_stop(f"the critic's loss passed {self.limit} at step {step}")
        """

    @hookspec
    def sparring_evaluate(self, run: Run, step: int, metrics: Mapping[str, float]) -> None:
        """Fires after each evaluation, with the values of the recipe's metrics.

        A whole plugin::

            from sparring import Plugin, hookimpl

            plugin = Plugin("goal")

            @plugin.callback("reached")
            class Reached:
                "Stop when a metric is good enough."

                def __init__(self, metric: str, below: float) -> None:
                    self.metric, self.below = metric, below

                @hookimpl
                def sparring_evaluate(self, run, metrics):
                    if metrics[self.metric] < self.below:
                        run.request_stop(f"{self.metric} is below {self.below}")
        """

    @hookspec
    def sparring_sample(self, run: Run, step: int, samples: Batch) -> None:
        """Fires when samples are drawn, always from the same latents and conditions, as the recipe's ``samples`` says.

        A whole plugin::

            from pathlib import Path

            from sparring import Plugin, hookimpl

            plugin = Plugin("film")

            @plugin.callback("frames")
            class Frames:
                "Keep the first sample of every drawing as a file."

                def __init__(self, folder: Path) -> None:
                    self.folder = folder

                @hookimpl
                def sparring_sample(self, run, step, samples):
                    run.space.save(samples.sample[:1], self.folder / f"{step:08d}")
        """

    @hookspec
    def sparring_checkpoint(self, run: Run, path: Path) -> None:
        """Fires after a checkpoint has its final name; it is complete and may be copied.

        A whole plugin::

            import shutil
            from pathlib import Path

            from sparring import Plugin, hookimpl

            plugin = Plugin("backup")

            @plugin.callback("copy")
            class Copy:
                "Copy each checkpoint elsewhere."

                def __init__(self, folder: Path) -> None:
                    self.folder = folder

                @hookimpl
                def sparring_checkpoint(self, path):
                    shutil.copytree(path, self.folder / path.name)
        """

    @hookspec
    def sparring_stage_end(self, run: Run, stage: Stage) -> None:
        """Fires after the last step of a stage.

        A whole plugin::

            from sparring import Plugin, hookimpl

            plugin = Plugin("bell")

            @plugin.callback("ring")
            class Ring:
                "Ring the terminal's bell after each stage."

                @hookimpl
                def sparring_stage_end(self, stage):
                    print(chr(7), stage.name, "is over")
        """

    @hookspec
    def sparring_run_end(self, run: Run, error: BaseException | None) -> None:
        """Fires once when training ends: finished, stopped (``run.stop_reason``), or failed (``error``).

        A whole plugin::

            from sparring import Plugin, hookimpl

            plugin = Plugin("farewell")

            @plugin.callback("goodbye")
            class Goodbye:
                "Say how a run ended."

                @hookimpl
                def sparring_run_end(self, run, error):
                    print("failed" if error else run.stop_reason or "finished")
        """
