"""Watch for mode collapse, for critics that no longer teach, and for generators that no longer move."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sparring.callbacks.critics import CriticRecord
from sparring.callbacks.spread import Spread, measure, movement, reference_count, sketch
from sparring.callbacks.troubles import CAUSES, KINDS, Draw, Episode, Finding, describe, find
from sparring.interfaces.data import Batch, Data
from sparring.plugins.hookspecs import hookimpl

if TYPE_CHECKING:
    from sparring.training.run import Run
    from sparring.training.stage import Stage

SOURCE = "collapse"
WARM_UP = 0.1
"""Share of a stage's steps whose draws are not judged: an untrained generator makes samples that hardly differ."""


class Collapse:
    """Compare generated samples with real ones at every draw (``samples:``), and say when they collapse.

    It tells of each trouble once when it starts, with what to try, once when it is over, and gives a verdict at the
    end. The measures and their thresholds are explained in ``docs/explanation/convergence-and-collapse.md``.

    Args:
        threshold: Generated samples whose mean distance, over the whole or within classes, is below this share of
            the real ones' have collapsed.
        reach: So have those that come nearest to fewer different real samples than this share of what real ones do.
        patience: Stop after this many collapsed draws in a row; 0 never stops.
        generator: The role of the generator that ``samples:`` draws from.
    """

    def __init__(
        self, threshold: float = 0.35, reach: float = 0.4, patience: int = 0, generator: str = "generator"
    ) -> None:
        if not 0 < threshold < 1 or not 0 <= reach < 1:
            raise ValueError("threshold and reach are shares between 0 and 1")
        if patience < 0:
            raise ValueError("patience is not negative")
        self.threshold, self.reach, self.patience, self.generator = threshold, reach, patience, generator
        self._critics = CriticRecord()
        self._episodes = {kind: Episode() for kind in KINDS}
        self._last: Spread | None = None
        self._last_step = self._draws = 0
        self._varied = self._trains = False
        self._sketch: list[float] = []
        self._remedies: dict[str, str] = {}

    @hookimpl
    def sparring_stage_start(self, stage: Stage) -> None:
        """Start the critics' records anew: logits of two objectives do not compare."""
        if all(rows[-1][0] <= stage.start for rows in self._critics.rows.values()):
            self._critics.clear()

    @hookimpl
    def sparring_step_end(self, step: int, metrics: Mapping[str, float]) -> None:
        """Follow the critics' logits, and whether the generator is trained at all."""
        self._critics.observe(step, metrics)
        self._trains = metrics.get(f"learning_rate/{self.generator}", 0.0) > 0

    @hookimpl
    def sparring_sample(self, run: Run, step: int, samples: Batch) -> None:
        """Judge a draw."""
        # A resumed run may draw again at the step of its checkpoint, which has been judged.
        if len(samples) < 2 or (self._draws and step <= self._last_step):
            return
        real = run.real_samples(reference_count(samples.sample, _length(run.data)))
        before, self._sketch = self._sketch, sketch(samples.sample)
        if len(real) < 2 or run.stage_step < WARM_UP * run.recipe.stages[run.stage_index].steps:
            return
        spread = measure(samples, real)
        self._last, self._last_step, self._draws = spread, step, self._draws + 1
        draw = Draw(
            spread=spread,
            moved=movement(before, self._sketch, real.sample) if before and self._trains else None,
            tokens=not samples.sample.is_floating_point(),
            critics=self._critics.readings(),
            varied_before=self._varied,
        )
        found = find(draw, threshold=self.threshold, reach=self.reach, generator=self.generator)
        self._varied = self._varied or "collapsed" not in found
        self._tell(run, step, found)
        streak = self._episodes["collapsed"].seen
        if self.patience and streak >= self.patience:
            run.request_stop(f"the generated samples have collapsed in {streak} draws in a row")

    def _tell(self, run: Run, step: int, found: Mapping[str, Finding]) -> None:
        for kind, episode in self._episodes.items():
            change = episode.observe(kind in found, step)
            if change == "started":
                text, remedy = found[kind]
                run.note(SOURCE, text, remedy=remedy, since=episode.since, level=KINDS[kind].level)
                self._remedies[kind] = remedy
            elif change == "ended":
                text = f"{KINDS[kind].over}, after step {episode.since} and before step {step}"
                run.note(SOURCE, text, since=episode.since, level="good")

    @hookimpl
    def sparring_run_end(self, run: Run) -> None:
        """Give the verdict on the whole run."""
        if self._last is None:
            run.note(
                SOURCE,
                "collapse cannot be judged: no samples were drawn after the first tenth of a stage",
                remedy="draw more often: `samples: {every: …, count: 64}`",
                level="warning",
            )
            return
        figures = f"at step {self._last_step} {describe(self._last)}"
        lasting = {kind: episode for kind, episode in self._episodes.items() if episode.told}
        if lasting:
            troubles = " and ".join(f"{KINDS[kind].present} (since step {one.since})" for kind, one in lasting.items())
            worst = next(iter(lasting))  # the most serious kinds come first
            cause = next(kind for kind in CAUSES if kind in lasting)
            run.note(
                SOURCE,
                f"when the run ended, {troubles}; {figures}",
                remedy=self._remedies.get(cause, ""),
                since=lasting[worst].since,
                level=KINDS[worst].level,
            )
            return
        suspected = [KINDS[kind].present for kind, one in self._episodes.items() if one.seen]
        if suspected:
            run.note(
                SOURCE,
                f"in the last draw {' and '.join(suspected)}, and one draw is too few to be sure; {figures}",
                remedy="look at the samples; train on, or draw more often: `samples: {every: …}`",
                level="warning",
            )
            return
        passed = [f"{KINDS[kind].present} (from step {one.since})" for kind, one in self._episodes.items() if one.times]
        history = f"; for a while, {' and '.join(passed)}" if passed else ""
        run.note(SOURCE, f"no collapse: {figures}{history}", level="good")

    def state_dict(self) -> dict[str, Any]:
        """Return plain values."""
        last = self._last
        return {
            "critics": self._critics.state_dict(),
            "episodes": {kind: dict(vars(episode)) for kind, episode in self._episodes.items()},
            "last": None if last is None else [last.whole, last.within, last.reach, last.duplicates],
            "last_step": self._last_step,
            "draws": self._draws,
            "varied": self._varied,
            "trains": self._trains,
            "sketch": list(self._sketch),
            "remedies": dict(self._remedies),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take back what ``state_dict`` returned."""
        self._critics.load_state_dict(state["critics"])
        self._episodes = {kind: Episode(**values) for kind, values in state["episodes"].items()}
        self._last = None if state["last"] is None else Spread(*state["last"])
        self._last_step, self._draws = state["last_step"], state["draws"]
        self._varied, self._trains = state["varied"], state["trains"]
        self._sketch, self._remedies = list(state["sketch"]), dict(state["remedies"])


def _length(data: object) -> int | None:
    return len(data) if isinstance(data, Data) else None  # data that stream have no length
