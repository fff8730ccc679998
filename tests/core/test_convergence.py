from __future__ import annotations

import json
import math
import random
from typing import Any

import pytest

from sparring.callbacks.convergence import Convergence
from sparring.callbacks.course import Point, judge
from tests.core.fake_run import FakeRun

IMPROVING = [40, 22, 12, 7, 4.5, 3.1, 2.4]
FLAT = [40, 12, 4, 3.01, 3.0, 3.02, 3.0, 3.01]
WORSE = [40, 12, 4, 3.0, 4.1, 4.6, 5.2]
SWINGING = [40, 3, 12, 4, 15, 3.5, 13, 4]


def evaluated(callback: Convergence, run: FakeRun, values: list[float], *, every: int = 100) -> FakeRun:
    for index, value in enumerate(values):
        callback.sparring_evaluate(run.at(every * index), every * index, {"frechet": value, "other": 1.0})
    return run


def logged(
    callback: Convergence, run: FakeRun, rows: list[dict[str, float]], *, start: int = 0, every: int = 10
) -> FakeRun:
    for index, row in enumerate(rows, start=start):
        callback.sparring_step_end(run.at(every * index), every * index, row)
    return run


def critic(loss: float, real: float, fake: float) -> dict[str, float]:
    return {"discriminator/adversarial": loss, "discriminator/real_logit": real, "discriminator/fake_logit": fake}


def final(callback: Convergence, run: FakeRun, error: BaseException | None = None) -> dict[str, Any]:
    callback.sparring_run_end(run, error)
    return run.notes[-1]


@pytest.mark.parametrize(
    ("values", "course"),
    [
        (IMPROVING, "improving"),
        (FLAT, "converged"),
        (WORSE, "worsening"),
        (SWINGING, "oscillating"),
        ([3.0], "too-short"),
    ],
)
@pytest.mark.parametrize("better", ["lower", "higher"])
def test_a_course_is_judged_alike_in_both_directions(values: list[float], course: str, better: str) -> None:
    sign = 1 if better == "lower" else -1
    points = [Point(100 * index, 0, sign * value) for index, value in enumerate(values)]
    assert judge(points, better, patience=3, tolerance=0.01).course == course


def test_worsening_names_the_best_step() -> None:
    callback, run = Convergence(), FakeRun()
    note = final(callback, evaluated(callback, run, WORSE))
    assert note["level"] == "warning"
    assert note["since"] == 300
    assert "worsened since step 300: from 3 to 4.6, 53% worse" in note["finding"]
    assert "best: frechet" in note["remedy"]


def test_a_noisy_plateau_is_converged_and_not_worsening() -> None:
    generator = random.Random(0)
    values = [40.0, 10.0, 4.0, *(3.0 + 0.2 * generator.random() for _ in range(20))]
    callback = Convergence()
    run = evaluated(callback, FakeRun(), values)
    assert all(note["level"] == "good" for note in run.notes)
    assert "converged" in final(callback, run)["finding"]


def test_small_improvements_add_up() -> None:
    values = [10 * 0.995**index for index in range(30)]
    points = [Point(index, 0, value) for index, value in enumerate(values)]
    assert judge(points, "lower", patience=4, tolerance=0.01).course == "improving"


def test_patience_stops_the_run_and_says_why() -> None:
    callback, run = Convergence(patience=3), FakeRun()
    evaluated(callback, run, FLAT[:6])
    assert not run.stop_reason
    callback.sparring_evaluate(run.at(600), 600, {"frechet": 3.0})
    assert "frechet has not improved" in run.stop_reason
    assert "3 at step 400" in run.stop_reason


def test_without_patience_it_only_judges() -> None:
    callback = Convergence()
    run = evaluated(callback, FakeRun(), FLAT * 3)
    assert not run.stop_reason


def test_patience_waits_for_the_last_stage_and_counts_from_its_start() -> None:
    run = FakeRun(stage_steps=(500, 1000))
    callback = Convergence(patience=3)
    # The first stage is flat; the second begins with a worse value, and improves without reaching the first's best.
    evaluated(callback, run, [3, 3, 3, 3, 3, 3, 9, 8, 7, 6, 5, 4])
    assert not run.stop_reason
    evaluated(callback, run, [3, 3, 3, 3, 3, 3, 9, 8, 7, 6, 5, 4, 4, 4, 4])
    assert run.stop_reason


def test_each_change_is_noted_once_and_recovery_too() -> None:
    callback, run = Convergence(), FakeRun()
    evaluated(callback, run, [*WORSE, 6.0, 6.0, 2.0, 1.5])
    assert [note["level"] for note in run.notes] == ["warning", "good"]
    assert "worsened" in run.findings[0]
    assert "still improving" in run.findings[1]


def test_a_winning_critic_is_bad_unless_the_metric_improves() -> None:
    rows = [critic(0.5 / (index + 1), 1.0 + 0.3 * index, -1.0 - 0.3 * index) for index in range(60)]
    callback, run = Convergence(), FakeRun()
    note = final(callback, logged(callback, run, rows))
    assert note["level"] == "bad"
    assert "'discriminator' is winning" in note["finding"]
    assert run.findings.count(run.findings[0]) == 1
    callback, run = Convergence(), FakeRun()
    evaluated(callback, run, IMPROVING)
    assert final(callback, logged(callback, run, rows))["level"] == "warning"


@pytest.mark.parametrize(
    "row",
    [
        critic(1.38, 0.02, -0.02),  # at chance
        critic(0.9, 1.0, -0.9),  # ahead
        critic(-12.0, 6.0, -6.0),  # a Wasserstein loss is the gap's negative
        critic(0.02, 0.9, 0.05),  # least squares, won but not growing
    ],
)
def test_a_critic_that_does_not_win_is_left_alone(row: dict[str, float]) -> None:
    callback, run = Convergence(), FakeRun()
    logged(callback, run, [row] * 50)
    assert not run.notes


def test_a_loss_that_circles_is_told_with_its_period() -> None:
    rows = [critic(1.3 + 0.2 * math.sin(2 * math.pi * index / 12), 0.1, -0.1) for index in range(50)]
    callback, run = Convergence(), FakeRun()
    logged(callback, run, rows)
    assert "goes in circles" in run.findings[0]
    assert "once in 120 steps" in run.findings[0]


def test_a_noisy_loss_does_not_circle() -> None:
    generator = random.Random(1)
    rows = [critic(1.3 + 0.1 * generator.gauss(0, 1) - 0.002 * index, 0.1, -0.1) for index in range(300)]
    callback, run = Convergence(), FakeRun()
    logged(callback, run, rows)
    assert not run.notes


def test_a_new_stage_forgets_the_critics_but_a_resume_within_it_does_not() -> None:
    rows = [critic(0.001, 5.0 + index, -5.0 - index) for index in range(20)]
    callback, run = Convergence(), FakeRun()
    logged(callback, run, rows)
    stage = FakeRun()
    stage.start = 150  # type: ignore[attr-defined]
    callback.sparring_stage_start(stage)
    assert callback._critics.rows
    stage.start = 190  # type: ignore[attr-defined]
    callback.sparring_stage_start(stage)
    assert not callback._critics.rows


def test_what_cannot_be_judged_is_said() -> None:
    assert "no metric was evaluated" in final(Convergence(), FakeRun())["finding"]
    callback, run = Convergence(metric="inception"), FakeRun()
    evaluated(callback, run, IMPROVING)
    assert len(run.notes) == 1
    assert run.notes[0]["remedy"] == "follow one of: frechet, other"
    callback, run = Convergence(metric="other"), FakeRun()
    evaluated(callback, run, IMPROVING)
    assert "set `better:`" in run.notes[0]["remedy"]
    callback, run = Convergence(metric="other", better="higher"), FakeRun()
    evaluated(callback, run, IMPROVING)
    assert final(callback, run)["level"] == "good"
    callback, run = Convergence(), FakeRun()
    evaluated(callback, run, [3.0])
    assert final(callback, run)["level"] == "warning"


def test_a_value_that_is_not_finite_is_no_improvement() -> None:
    callback, run = Convergence(patience=2), FakeRun()
    evaluated(callback, run, [10.0, 5.0, math.nan, math.inf])
    assert "improving" in final(callback, run)["finding"]


def test_an_error_ends_in_a_bad_verdict() -> None:
    callback, run = Convergence(), FakeRun()
    note = final(callback, evaluated(callback, run, IMPROVING), RuntimeError("out of memory"))
    assert note["level"] == "bad"
    assert "RuntimeError" in note["finding"]


@pytest.mark.parametrize("values", [IMPROVING, FLAT, WORSE, SWINGING])
@pytest.mark.parametrize("cut", [0, 1, 4])
def test_a_resumed_run_gives_the_same_verdicts(values: list[float], cut: int) -> None:
    rows = [critic(1.3 + 0.2 * math.sin(index / 2), 0.01 * index, -0.01 * index) for index in range(60)]

    def play(callback: Convergence, run: FakeRun, first: int, last: int) -> None:
        for index in range(first, last):
            logged(callback, run, rows[5 * index : 5 * index + 5], start=5 * index, every=20)
            callback.sparring_evaluate(run.at(100 * index), 100 * index, {"frechet": values[index]})

    whole, run = Convergence(patience=3), FakeRun()
    play(whole, run, 0, len(values))
    whole.sparring_run_end(run, None)

    before, resumed = Convergence(patience=3), FakeRun()
    play(before, resumed, 0, cut)
    after = Convergence(patience=3)
    after.load_state_dict(json.loads(json.dumps(before.state_dict())))
    play(after, resumed, cut, len(values))
    after.sparring_run_end(resumed, None)
    assert resumed.notes == run.notes
    assert resumed.stop_reason == run.stop_reason
    assert run.notes


def test_wrong_options_are_refused() -> None:
    with pytest.raises(ValueError, match="not negative"):
        Convergence(patience=-1)


def test_two_poor_evaluations_are_too_few_for_a_judgement() -> None:
    callback = Convergence()
    note = final(callback, evaluated(callback, FakeRun(), [958, 92, 14, 7.3, 5.6, 4.8, 4.28, 4.66, 5.61]))
    assert note["level"] == "good"
    assert "(evaluations: 2), too few to say that it has converged; its best is 4.28 at step 600" in note["finding"]


def test_the_last_judgement_is_given_once() -> None:
    callback, run = Convergence(), FakeRun(stage_steps=(600,))
    evaluated(callback, run, WORSE)
    assert not run.notes
    final(callback, run)
    assert len(run.notes) == 1
