"""Judge the course of one metric over a run's evaluations: a pure function of the values."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import median
from typing import Literal, NamedTuple

Better = Literal["higher", "lower"]
Course = Literal["too-short", "improving", "converged", "worsening", "oscillating"]

JUDGED_AFTER = 3
"""Evaluations without improvement after which a metric counts as converged, where no patience is given."""

WORSE = 0.2
"""A fall from the best by this share of it is worsening, once three evaluations have shown it. Two evaluations of one
model by a thousand samples differ by a few per cent."""

LATE = 3
"""Evaluations whose median stands for the value of late."""

SWING_OVER = 6
"""Evaluations that are looked at for oscillation."""

SWING_TURNS = 3
"""Changes of direction among them, of 4 possible. Noise turns about as often, so the swing's size decides too."""

SWING = 0.5
"""Highest less lowest, over the median: noise around a plateau stays below, cycling runs do not."""


class Point(NamedTuple):
    """One evaluation: the run's step, the stage's number, the metric's value."""

    step: int
    stage: int
    value: float


class CourseJudgement(NamedTuple):
    """What a metric's course shows.

    Attributes:
        best: The best evaluation.
        stale: Evaluations of the present stage since the last improvement beyond the tolerance.
        since: The step from which on it holds: of the best, of the swing's start.
        recent: The value of late: the median of the last three of this stage.
        low: The lowest value of those that the judgement rests on.
        high: The highest one.
    """

    course: Course
    best: Point
    stale: int
    since: int
    recent: float
    low: float
    high: float


def judge(points: Sequence[Point], better: Better, *, patience: int, tolerance: float) -> CourseJudgement:
    """Judge a course of one evaluation or more.

    Args:
        points: Every evaluation of the run, in order; values are finite.
        better: Which way the metric improves.
        patience: Evaluations without improvement after which it has converged.
        tolerance: What counts as improvement, as a share of the best value.
    """
    sign = 1.0 if better == "higher" else -1.0
    best = max(points, key=lambda point: sign * point.value)
    here = [point for point in points if point.stage == points[-1].stage]
    # A new stage may start from a worse place than the last one reached: its patience is counted from its own start.
    stale = len([point for point in here if point.step > _last_improvement(here, sign, tolerance).step])
    late = [point.value for point in here[-LATE:] if point.step > best.step]
    recent = median(late or [points[-1].value])
    swing = here[-SWING_OVER:]
    course: Course = "improving"
    since, span = best.step, here
    if len(points) < 2:
        course = "too-short"
    elif stale and _swings([point.value for point in swing]):
        course, since, span = "oscillating", swing[0].step, swing
    elif len(late) == LATE and sign * (best.value - recent) > WORSE * abs(best.value):
        course = "worsening"
    elif stale >= patience:
        course = "converged"
    values = [point.value for point in span]
    return CourseJudgement(course, best, stale, since, recent, min(values), max(values))


def _last_improvement(points: Sequence[Point], sign: float, tolerance: float) -> Point:
    """Return the last evaluation that beat those before it by more than the tolerance.

    Steps too small to count add up: each is compared with the last one that did count.
    """
    reference = points[0]
    for point in points[1:]:
        if sign * (point.value - reference.value) > tolerance * abs(reference.value):
            reference = point
    return reference


def _swings(values: Sequence[float]) -> bool:
    if len(values) < SWING_OVER:
        return False
    moves = [after - before for before, after in pairwise(values)]
    turns = sum(one * other < 0 for one, other in pairwise(moves))
    return turns >= SWING_TURNS and max(values) - min(values) > SWING * abs(median(values))
