"""Schedules: endpoints, direction, and where the end holds."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparring.training.schedules import Constant, Cosine, Exponential, Linear, Schedule

FALLING: list[Schedule] = [Linear(2.0, 0.5), Cosine(2.0, 0.5), Exponential(2.0, 0.5)]
UNTIL: list[Schedule] = [Linear(2.0, 0.5, until=40), Cosine(2.0, 0.5, until=40), Exponential(2.0, 0.5, until=40)]
assert FALLING
assert UNTIL

values = st.floats(1e-4, 1e4)


def name(schedule: Schedule) -> str:
    return type(schedule).__name__


@pytest.mark.parametrize("schedule", FALLING, ids=name)
def test_endpoints_and_direction(schedule: Schedule) -> None:
    taken = [schedule.value(step, 100) for step in range(101)]
    assert taken[0] == 2.0
    assert taken[-1] == 0.5
    assert all(before > after for before, after in itertools.pairwise(taken))
    assert schedule.value(1000, 100) == 0.5


@pytest.mark.parametrize("schedule", UNTIL, ids=name)
def test_until_replaces_the_stages_length(schedule: Schedule) -> None:
    assert schedule.value(39, 100) > 0.5
    assert [schedule.value(step, 100) for step in (40, 41, 99)] == [0.5] * 3
    assert schedule.value(20, 100) == schedule.value(20, 10_000)


@given(start=values, end=values, steps=st.integers(1, 1000), step=st.integers(0, 2000))
def test_values_stay_between_the_ends(start: float, end: float, steps: int, step: int) -> None:
    low, high = min(start, end), max(start, end)
    for schedule in (Linear(start, end), Cosine(start, end), Exponential(start, end)):
        assert low * (1 - 1e-9) <= schedule.value(step, steps) <= high * (1 + 1e-9)
        assert schedule.value(0, steps) == pytest.approx(start)
        assert schedule.value(steps, steps) == pytest.approx(end)


def test_closed_forms_at_the_middle() -> None:
    assert Linear(1.0, 0.0).value(25, 100) == 0.75
    assert Cosine(1.0, 0.0).value(50, 100) == pytest.approx(0.5)
    assert Cosine(1.0, 0.0).value(25, 100) == pytest.approx(0.5 + 0.5**0.5 / 2)
    assert Exponential(1.0, 0.01).value(50, 100) == pytest.approx(0.1)
    assert Constant(0.3).value(7, 100) == 0.3


def test_exponential_has_a_constant_ratio() -> None:
    for schedule in (Exponential(1.0, 100.0), Exponential(-1.0, -0.1)):
        taken = [schedule.value(step, 50) for step in range(51)]
        ratios = [after / before for before, after in itertools.pairwise(taken)]
        assert ratios == pytest.approx([ratios[0]] * 50)


def test_warmup_climbs_in_a_line_and_wastes_no_step() -> None:
    schedule = Cosine(1.0, 0.1, warmup=4)
    assert [schedule.value(step, 20) for step in range(5)] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert schedule.value(12, 20) == pytest.approx(0.55)
    assert schedule.value(20, 20) == pytest.approx(0.1)


def test_impossible_schedules_are_refused() -> None:
    with pytest.raises(ValueError, match="both be positive"):
        Exponential(1.0, -1.0)
    with pytest.raises(ValueError, match="until"):
        Linear(0.0, 1.0, until=0)
    with pytest.raises(ValueError, match="warmup"):
        Cosine(1.0, 0.0, warmup=10, until=10)
