"""Show a run's progress on the terminal. The command line uses it; recipes do not name it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from sparring.plugins.hookspecs import hookimpl

if TYPE_CHECKING:
    from sparring.training.run import Run
    from sparring.training.stage import Stage

LINE_EVERY = 5.0
"""Seconds between two lines where the output is not a terminal."""

REFRESHES = 4
"""Refreshes of the live display in a second."""

SHOWN = 6
"""Losses that are shown at once; the journal holds all of them."""

STYLES = {"good": "green", "warning": "yellow", "bad": "bold red", "note": "cyan"}
ASIDE = ("real_logit", "fake_logit")
"""Logged values that are no losses."""


class Progress:
    """Show stage, step, losses, speed, time left and the latest evaluation.

    On a terminal a few live lines at its foot; elsewhere a plain line every few seconds and at each evaluation.

    Args:
        console: Where to write; by default stderr.
    """

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True, highlight=False)
        self.interactive = self.console.is_terminal and not self.console.is_dumb_terminal
        self._live: Live | None = None
        self._stage = ""
        self._step = self._total = 0
        self._stage_began, self._stage_first = time.monotonic(), 0
        self._losses = self._evaluation = self._saved = ""
        self._speed = 0.0
        self._values: dict[str, float] = {}
        self._written = float("-inf")

    # ---- events ----

    @hookimpl
    def sparring_run_start(self, run: Run) -> None:
        """Say what is trained, and begin the display."""
        self._step, self._total = run.step, run.total_steps
        doing = f"going on with {run.recipe.name} at step {run.step:,}" if run.step else f"training {run.recipe.name}"
        stages = len(run.recipe.stages)
        length = f"{run.total_steps:,} steps" + (f" in {stages} stages" if stages > 1 else "")
        self._print(Text(f"{doing}: {length} on {run.device}, in {run.folder}"))
        if self.interactive:
            self._live = Live(
                console=self.console, get_renderable=self._picture, refresh_per_second=REFRESHES, transient=False
            )
            self._live.start()

    @hookimpl
    def sparring_stage_start(self, run: Run, stage: Stage) -> None:
        """Name the stage, and start its clock."""
        self._stage, self._losses = stage.name, ""
        self._stage_began, self._stage_first = time.monotonic(), run.step
        # The first line comes at the first logging step, however soon that is.
        self._written = float("-inf")
        if len(run.recipe.stages) > 1:
            self._print(
                Text(f"stage {stage.index + 1} of {len(run.recipe.stages)}: {stage.name}, {stage.steps:,} steps")
            )

    @hookimpl
    def sparring_update_end(self, run: Run) -> None:
        """Move the bar between logging steps; nothing is read from the device."""
        self._step = run.step

    @hookimpl
    def sparring_step_end(self, run: Run, step: int, metrics: Mapping[str, float]) -> None:
        """Show the losses."""
        self._step = step
        self._speed = metrics.get("steps_per_second", 0.0)
        losses = {name: value for name, value in metrics.items() if _is_loss(name)}
        self._losses = _figures(dict(list(losses.items())[:SHOWN]))
        over = step == run.total_steps
        if not self.interactive and (over or time.monotonic() - self._written >= LINE_EVERY):
            speed = f"{self._speed:.3g} steps/s"
            self._line(", ".join(part for part in (self._losses, speed, "" if over else self._left()) if part))
            self._written = time.monotonic()

    @hookimpl
    def sparring_evaluate(self, step: int, metrics: Mapping[str, float]) -> None:
        """Show an evaluation, beside the one before."""
        self._step = step
        changes = []
        for name, value in metrics.items():
            before = self._values.get(name)
            changes.append(f"{name} {value:.4g}" + ("" if before is None else f" (before: {before:.4g})"))
        self._values = dict(metrics)
        self._evaluation = f"at step {step:,}: {_figures(metrics)}"
        if not self.interactive:
            self._line(f"evaluation: {', '.join(changes)}")

    @hookimpl
    def sparring_checkpoint(self, path: Path) -> None:
        """Remember the last checkpoint; the live display shows it."""
        self._saved = path.name.lstrip("0") or "0"

    @hookimpl
    def sparring_stage_end(self, run: Run) -> None:
        """Take the stage's last step."""
        self._step = run.step

    @hookimpl
    def sparring_run_end(self) -> None:
        """Leave the last state on the terminal; how the run ended is said by the command."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def show_note(self, level: str, source: str, finding: str, remedy: str) -> None:
        """Show a verdict of a callback, or a sentence of the run itself.

        Args:
            level: ``good``, ``warning``, ``bad``, or ``note``.
            source: Who says it.
            finding: What was seen.
            remedy: What to do about it, or an empty string.
        """
        text = Text()
        text.append(f"{source} ({level}): " if level != "note" else f"{source}: ", STYLES.get(level, ""))
        text.append(finding)
        if remedy:
            text.append(f"\n  what to try: {remedy}" if level != "good" else f"\n  {remedy}", "dim")
        self._print(text)

    # ---- within ----

    def _print(self, text: Text) -> None:
        # A Text, so that brackets in names are no markup; long lines are wrapped by a terminal only.
        self.console.print(text, soft_wrap=True)

    def _line(self, text: str) -> None:
        width = len(f"{self._total:,}")
        stage = f"{self._stage}  " if self._stage else ""
        self._print(Text(f"step {self._step:>{width},}/{self._total:,}  {stage}{text}"))

    def _left(self) -> str:
        """Return the time that is left, by this stage's pace so far, evaluations included."""
        done = self._step - self._stage_first
        if done <= 0:
            return ""
        seconds = (time.monotonic() - self._stage_began) / done * (self._total - self._step)
        return f"{timedelta(seconds=round(seconds))} left"

    def _picture(self) -> Group:
        total = max(1, self._total)
        bar = Table.grid(padding=(0, 1))
        bar.add_row(
            Spinner("dots") if self._step < self._total else Text("✓"),
            Text(self._stage or "starting", "bold"),
            ProgressBar(total=total, completed=self._step, width=24),
            Text(f"{self._step:,}/{self._total:,}"),
            Text(f"{self._speed:.3g} steps/s" if self._speed else "", "dim"),
            Text(self._left() if self._step < self._total else "", "dim"),
        )
        rows = Table.grid(padding=(0, 1))
        for label, value in (("losses", self._losses), ("evaluation", self._evaluation), ("saved at", self._saved)):
            if value:
                rows.add_row(Text(label, "dim"), Text(value))
        return Group(bar, rows) if rows.row_count else Group(bar)


def _is_loss(name: str) -> bool:
    return "/" in name and not name.startswith("learning_rate/") and name.rpartition("/")[2] not in ASIDE


def _figures(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in values.items())
