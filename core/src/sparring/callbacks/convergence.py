"""Judge whether a run still improves, has converged, worsens, oscillates, or has a critic that wins."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from sparring.callbacks.course import JUDGED_AFTER, SWING_OVER, CourseJudgement, Point, judge
from sparring.callbacks.critics import CriticRecord, Cycle, Reading
from sparring.plugins.hookspecs import hookimpl

if TYPE_CHECKING:
    from sparring.training.run import Run
    from sparring.training.stage import Stage

SOURCE = "convergence"
Level = Literal["good", "warning", "bad"]


class Verdict(NamedTuple):
    """What is to be said of a run."""

    state: str
    level: Level
    finding: str
    remedy: str = ""
    since: int | None = None


class Convergence:
    """Judge a run by a metric's course and the critics' losses; stop it when it no longer improves, if asked to.

    It notes each change of its judgement once, and gives a verdict at the end. The rules and their thresholds are
    explained in ``docs/explanation/convergence-and-collapse.md``.

    Args:
        metric: The metric value to follow, as evaluations name it; by default the first one.
        better: Which way it improves; by default what the metric says of itself.
        patience: Stop after this many evaluations without improvement, in the last stage only, as a stop would
            skip later ones; 0 never stops.
        tolerance: What counts as improvement, as a share of the best value.
    """

    def __init__(
        self,
        metric: str | None = None,
        better: Literal["higher", "lower"] | None = None,
        patience: int = 0,
        tolerance: float = 0.01,
    ) -> None:
        if patience < 0 or tolerance < 0:
            raise ValueError("patience and tolerance are not negative")
        self.metric, self.better, self.patience, self.tolerance = metric, better, patience, tolerance
        self._points: list[Point] = []
        self._critics = CriticRecord()
        self._noted = ""
        self._problem = ""

    @hookimpl
    def sparring_stage_start(self, stage: Stage) -> None:
        """Start the critics' records anew: losses of two objectives do not compare."""
        # On a resume within the stage the hook fires too, and the record is that of this stage.
        if self._critics.rows and all(rows[-1][0] <= stage.start for rows in self._critics.rows.values()):
            self._critics.clear()

    @hookimpl
    def sparring_step_end(self, run: Run, step: int, metrics: Mapping[str, float]) -> None:
        """Follow the critics' losses and logits."""
        self._critics.observe(step, metrics)
        self._note_change(run)

    @hookimpl
    def sparring_evaluate(self, run: Run, step: int, metrics: Mapping[str, float]) -> None:
        """Follow the metric, and stop the run when patience runs out."""
        if not metrics or not self._choose(run, metrics):
            return
        assert self.metric is not None
        value = metrics[self.metric]
        if math.isfinite(value):  # a value that is not finite is no improvement, and no scale either
            self._points.append(Point(step, run.stage_index, value))
        self._note_change(run)
        course = self._course()
        last = run.stage_index == len(run.recipe.stages) - 1
        if course and self.patience and last and course.stale >= self.patience:
            best = course.best
            run.request_stop(
                f"{self.metric} has not improved by more than {self.tolerance:.2g} of its value in "
                f"{course.stale} evaluations; its best was {best.value:.4g} at step {best.step}"
            )

    @hookimpl
    def sparring_run_end(self, run: Run, error: BaseException | None) -> None:
        """Give the verdict on the whole run."""
        verdict = self._verdict() or self._unjudged()
        if error is not None:
            failed = f"the run ended at step {run.step} by {type(error).__name__}; until then, {verdict.finding}"
            verdict = verdict._replace(level="bad", finding=failed)
        run.note(SOURCE, verdict.finding, remedy=verdict.remedy, since=verdict.since, level=verdict.level)

    def state_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "metric": self.metric,
            "better": self.better,
            "points": [list(point) for point in self._points],
            "critics": self._critics.state_dict(),
            "noted": self._noted,
            "problem": self._problem,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take back what ``state_dict`` returned."""
        self.metric, self.better = state["metric"], state["better"]
        self._points = [Point(int(step), int(stage), value) for step, stage, value in state["points"]]
        self._critics.load_state_dict(state["critics"])
        self._noted, self._problem = state["noted"], state["problem"]

    # ---- which metric ----

    def _choose(self, run: Run, metrics: Mapping[str, float]) -> bool:
        """Settle on a metric and its direction; say once why that fails."""
        self.metric = self.metric or next(iter(metrics))
        self.better = self.better or _direction(run.metric_better.get(self.metric))
        problem = remedy = ""
        if self.metric not in metrics:
            problem, remedy = f"no evaluation gives '{self.metric}'", f"follow one of: {', '.join(metrics)}"
        elif self.better is None:
            problem, remedy = (
                f"nothing says whether '{self.metric}' should rise or fall",
                "set `better:` beside `metric:`",
            )
        if problem and problem != self._problem:
            run.note(SOURCE, f"convergence cannot be judged: {problem}", remedy=remedy, level="warning")
        self._problem = problem
        return not problem

    # ---- the judgement ----

    def _course(self) -> CourseJudgement | None:
        if not self._points or self.better is None:
            return None
        return judge(self._points, self.better, patience=self.patience or JUDGED_AFTER, tolerance=self.tolerance)

    def _verdict(self) -> Verdict | None:
        """Return the most serious thing to say, or None where there is too little to judge by."""
        course = self._course()
        improving = course is not None and course.course == "improving" and not course.stale
        for critic, reading in self._critics.readings().items():
            if reading.winning:
                return _winning(critic, reading, improving)
        if course is None or course.course not in ("oscillating", "worsening"):
            for critic, cycle in self._critics.cycles().items():
                return _circling(critic, cycle)
        if course is None or course.course == "too-short":
            return None
        assert self.metric is not None
        return _of_course(self.metric, course, self._points[0], self.tolerance)

    def _unjudged(self) -> Verdict:
        if self._problem:
            return Verdict("unjudged", "warning", f"convergence cannot be judged: {self._problem}")
        if self._points:
            only = self._points[0]
            finding = f"one evaluation, {self.metric} {only.value:.4g} at step {only.step}, does not show a course"
            return Verdict("unjudged", "warning", finding, "evaluate more often (`evaluate.every`)")
        finding = "no metric was evaluated, and a GAN's losses do not say how good its samples are"
        return Verdict("unjudged", "warning", finding, "add `evaluate: {every: …, metrics: [{use: …}]}` to the recipe")

    def _note_change(self, run: Run) -> None:
        """Tell of a judgement when it changes; that a run improves needs telling only after a complaint."""
        verdict = self._verdict()
        if verdict is None or verdict.state == self._noted:
            return
        needless = verdict.state == "improving" and self._noted in ("", "converged")
        # After the last step the verdict on the whole run follows at once.
        if not needless and run.step < run.total_steps:
            run.note(SOURCE, verdict.finding, remedy=verdict.remedy, since=verdict.since, level=verdict.level)
        self._noted = verdict.state


def _direction(told: str | None) -> Literal["higher", "lower"] | None:
    return "higher" if told == "higher" else "lower" if told == "lower" else None


def _winning(critic: str, reading: Reading, improving: bool) -> Verdict:
    finding = (
        f"the critic '{critic}' is winning: its loss is {reading.loss:.2g}, and the gap between the logits of real and "
        f"generated samples has grown from {reading.earlier_gap:.3g} to {reading.gap:.3g}"
    )
    remedy = (
        f"lower optimizers.{critic}.lr or discriminator_steps, strengthen its penalty ({{use: r1}}), or, with few "
        "data, augment what it sees"
    )
    # While the metric improves the generator still learns: worth watching, not yet a failure.
    return Verdict("winning", "warning" if improving else "bad", finding, remedy, reading.since)


def _circling(critic: str, cycle: Cycle) -> Verdict:
    finding = (
        f"the loss of the critic '{critic}' goes in circles between {cycle.low:.3g} and {cycle.high:.3g}, about once "
        f"in {cycle.period} steps: the two networks chase one another"
    )
    remedy = "add or strengthen {use: r1}, lower both learning rates, or lower the optimisers' first beta to 0.0"
    return Verdict("circling", "warning", finding, remedy, cycle.since)


def _of_course(metric: str, course: CourseJudgement, first: Point, tolerance: float) -> Verdict:
    best, recent = course.best, course.recent
    if course.course == "oscillating":
        finding = (
            f"{metric} swings between {course.low:.4g} and {course.high:.4g} over the last {SWING_OVER} evaluations"
        )
        remedy = (
            "lower both learning rates, add {use: r1}, or average the generator (`ema`); if the swing is noise, raise "
            "evaluate.count"
        )
        return Verdict("oscillating", "warning", finding, remedy, course.since)
    if course.course == "worsening":
        share = f", {abs(recent - best.value) / abs(best.value):.0%} worse" if best.value else ""
        finding = f"{metric} has worsened since step {best.step}: from {best.value:.4g} to {recent:.4g}{share}"
        remedy = (
            f"keep the best weights (`checkpoint.keep: {{best: {metric}}}`), stop there with `patience`, or lower the "
            "learning rates towards the end (`schedules`)"
        )
        return Verdict("worsening", "warning", finding, remedy, best.step)
    if course.course == "converged":
        finding = (
            f"{metric} has converged: {best.value:.4g} at step {best.step} is its best, and the last {course.stale} "
            f"evaluations did not improve it by more than {tolerance:.1%}"
        )
        return Verdict("converged", "good", finding, since=best.step)
    if course.stale:
        finding = (
            f"{metric} has not improved by more than {tolerance:.1%} of late (evaluations: {course.stale}), too few to "
            f"say that it has converged; its best is {best.value:.4g} at step {best.step}"
        )
        return Verdict("improving", "good", finding)
    finding = (
        f"{metric} is still improving: {best.value:.4g} at step {best.step} is its best; it began at {first.value:.4g}"
    )
    return Verdict("improving", "good", finding, "more steps may improve it further")
