"""The contracts of what takes part in a whole run: callbacks and trainers."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pluggy
import pytest
import torch

from sparring.interfaces.trainer import Result, Trainer
from sparring.plugins.hookspecs import EventSpecs, hookimpl
from sparring.recipes.check import resolve
from sparring.testing.contract import ComponentContract, same, through_a_file
from sparring.training import checkpoint, record
from sparring.training.build import Builder
from sparring.training.parallel import Parallel
from sparring.training.run import Run

STEPS = 4
RECIPE: Mapping[str, Any] = {
    "schema": 1,
    "name": "contract",
    "device": "cpu",
    "data": {"use": "points", "count": 64},
    "networks": {
        "generator": {"use": "mlp", "latent_dim": 4, "width": 8, "depth": 1},
        "discriminator": {"use": "mlp", "width": 8, "depth": 1},
    },
    "stages": [
        {
            "name": "contend",
            "objective": {"use": "adversarial", "loss": "non-saturating"},
            "steps": STEPS,
            "batch": 8,
            "optimizers": {"generator": {"use": "adam"}, "discriminator": {"use": "adam"}},
        }
    ],
    "evaluate": {"every": 2, "count": 16, "metrics": [{"use": "modes"}]},
    "checkpoint": {"every": 2},
    "samples": {"every": 2, "count": 4},
    "log": {"every": 1},
    "callbacks": [{"use": "convergence", "enabled": False}, {"use": "collapse", "enabled": False}],
}
"""Four steps on points of the plane, with everything that happens in a run."""


class _InARun(ComponentContract):
    """Runs of a small recipe; override ``recipe`` for a component that needs another."""

    recipe: Mapping[str, Any] = RECIPE

    def run(self, folder: Path, listeners: Sequence[object] = (), **changes: Any) -> Run:
        """Return a run in a new folder, ready to be trained."""
        recipe = resolve({**copy.deepcopy(dict(self.recipe)), **changes}, self.registry)
        data = self.registry.build("data", recipe.data, "data")
        parallel = Parallel.start(recipe.device)
        if not (folder / record.RECIPE).exists():
            spaces = {
                "sample": record.describe_space(self.registry, data.space),
                "conditions": {
                    name: record.describe_space(self.registry, one) for name, one in data.conditions.items()
                },
            }
            record.create(folder, recipe, self.registry, spaces, torch.get_num_threads(), parallel.world)
        builder = Builder(recipe, self.registry, space=data.space, conditions=data.conditions, data=data)
        return Run(recipe, folder, builder, data, parallel, networks={}, listeners=listeners)


class CallbackContract(_InARun):
    """What a callback promises."""

    kind = "callback"

    def test_has_known_hooks_only(self) -> None:
        """Every hook is one of Sparring's, with arguments that it has."""
        manager = pluggy.PluginManager("sparring")
        manager.add_hookspecs(EventSpecs)
        callback = self.build()
        remedy = "compare it with sparring.plugins.hookspecs.EventSpecs"
        self.attempt(lambda: manager.register(callback), "it has an argument that its hook has not", remedy)
        self.attempt(manager.check_pending, "it has a hook that does not exist", remedy)
        self.expect(
            manager.get_hookcallers(callback),
            "it has no hooks, so that nothing ever calls it",
            "decorate its methods with sparring.hookimpl",
        )

    def test_state_survives_a_run(self, tmp_path: Path) -> None:
        """It goes through a run, and its state afterwards fits into a checkpoint and a new instance."""
        spec = {"use": self.name, **self.options}
        kept = [entry for entry in self.recipe.get("callbacks", ()) if entry["use"] != self.name]
        run = self.run(tmp_path / "run", callbacks=[spec, *kept])
        trainer: Trainer = self.registry.build("trainer", run.recipe.trainer, "trainer")
        result = trainer.fit(run)
        self.expect(result.step > 0, "the run ended before its first step", "request a stop only where it is due")
        (_, callback), *_ = run.callbacks
        if not hasattr(callback, "state_dict"):
            pytest.skip("this callback keeps no state")
        remedy = "return numbers, strings, tensors, and lists and dicts of them, and take them back in load_state_dict"
        state = self.attempt(lambda: through_a_file(callback.state_dict()), "its state cannot be saved", remedy)
        other = self.build()
        self.expect(hasattr(other, "load_state_dict"), "it has state_dict, and no load_state_dict", remedy)
        self.attempt(lambda: other.load_state_dict(state), "its state cannot be loaded", remedy)
        self.expect(same(other.state_dict(), state), "its state is lost in a checkpoint", remedy)


class TrainerContract(_InARun):
    """What a trainer promises."""

    kind = "trainer"
    interface: ClassVar[type | None] = Trainer

    def run(self, folder: Path, listeners: Sequence[object] = (), **changes: Any) -> Run:
        return super().run(folder, listeners, trainer={"use": self.name, **self.options}, **changes)

    def fit(self, run: Run) -> Result:
        """Train a run."""
        result: Result = self.build().fit(run)
        return result

    def final(self, folder: Path) -> dict[str, Any]:
        """Return the final weights of every network."""
        files = sorted((folder / checkpoint.FINAL).glob("*.safetensors"))
        self.expect(files, "it leaves no final weights", "train within run.session()")
        return {file.name: checkpoint.read_weights(file) for file in files}

    def test_trains_to_the_end(self, tmp_path: Path) -> None:
        """Every network learns, final weights are written, and callbacks are told."""
        counter = _Counter()
        run = self.run(tmp_path / "run", [counter])
        before = {role: copy.deepcopy(network.state_dict()) for role, network in run.networks.items()}
        result = self.fit(run)
        self.expect(
            (result.status, result.step, result.reason) == ("finished", run.total_steps, ""),
            f"of {run.total_steps} steps, the result says {result}",
            "return run.result() at the end of the last stage",
        )
        for role, network in run.networks.items():
            self.expect(not same(before[role], network.state_dict()), f"'{role}' has not learnt", "step its optimiser")
        self.final(run.folder)
        self.expect(
            counter.heard == ["run_start", "stage_start", *["step_end"] * STEPS, "stage_end", "run_end"],
            f"callbacks were told of {counter.heard}",
            "use run.session(), enter_stage(), after_step() and leave_stage(), which tell them",
        )

    def test_same_run_gives_same_weights(self, tmp_path: Path) -> None:
        """Trained twice, the weights are the same to the last bit."""
        for name in ("first", "second"):
            self.fit(self.run(tmp_path / name))
        self.expect(
            same(self.final(tmp_path / "first"), self.final(tmp_path / "second")),
            "trained twice, the same recipe gives different weights",
            "draw batches and noise from contexts_at(run, stage, place), and seed layers for each update",
        )

    def test_resumes_where_it_was(self, tmp_path: Path) -> None:
        """Resumed from a checkpoint, a run ends with the weights of one that never stopped."""
        self.fit(self.run(tmp_path / "whole"))
        shutil.copytree(tmp_path / "whole", tmp_path / "resumed")
        shutil.rmtree(tmp_path / "resumed" / checkpoint.FINAL)
        middle = checkpoint.listed(tmp_path / "resumed")[1]
        run = self.run(tmp_path / "resumed")
        run.resume_at(checkpoint.read_manifest(middle), middle)
        self.fit(run)
        self.expect(
            same(self.final(tmp_path / "whole"), self.final(tmp_path / "resumed")),
            f"resumed at step {int(middle.name)} of {STEPS}, a run ends with other weights",
            "begin at run.stage_index and run.stage_step, and keep no state beside the run's",
        )

    def test_stops_when_asked(self, tmp_path: Path) -> None:
        """A callback's wish to stop is heard at the end of a step."""
        run = self.run(tmp_path / "run", [_Stopper()])
        result = self.fit(run)
        self.expect(
            0 < result.step < run.total_steps and result.reason == _Stopper.REASON,
            f"asked to stop after a step, it took {result.step} of {run.total_steps} and gives the reason "
            f"'{result.reason}'",
            "end the loop where run.stopping is true",
        )


class _Counter:
    """Write down what a listener hears."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    @hookimpl
    def sparring_run_start(self) -> None:
        self.heard.append("run_start")

    @hookimpl
    def sparring_stage_start(self) -> None:
        self.heard.append("stage_start")

    @hookimpl
    def sparring_step_end(self) -> None:
        self.heard.append("step_end")

    @hookimpl
    def sparring_stage_end(self) -> None:
        self.heard.append("stage_end")

    @hookimpl
    def sparring_run_end(self) -> None:
        self.heard.append("run_end")


class _Stopper:
    """Ask for a stop after the first step."""

    REASON = "the contract asked for it"

    @hookimpl
    def sparring_step_end(self, run: Run) -> None:
        run.request_stop(self.REASON)
