from __future__ import annotations

import json
import math
from typing import Any

import pytest
import torch
from torch import Tensor

from sparring.callbacks.collapse import Collapse
from sparring.callbacks.spread import measure, reference_count
from sparring.interfaces.data import Batch
from tests.core.fake_run import FakeRun

torch.set_num_threads(1)

Rows = dict[str, float]


def ring(count: int, seed: int, *, modes: tuple[int, ...] = tuple(range(8)), labels: bool = False) -> Batch:
    """Eight Gaussians of deviation 0.05 on a circle of radius 2, or some of them."""
    rng = torch.Generator().manual_seed(seed)
    chosen = torch.tensor(modes)[torch.arange(count) % len(modes)]
    angle = 2 * math.pi * chosen / 8
    centres = 2 * torch.stack([angle.cos(), angle.sin()], 1)
    sample = centres + 0.05 * torch.randn(count, 2, generator=rng)
    return Batch(sample, {"label": chosen} if labels else {})


def critic(loss: float, real: float, fake: float, rate: float = 1e-3) -> Rows:
    return {
        "discriminator/adversarial": loss,
        "discriminator/real_logit": real,
        "discriminator/fake_logit": fake,
        "learning_rate/generator": rate,
    }


HEALTHY = critic(1.3, 0.1, -0.1)


def play(
    callback: Collapse, run: FakeRun, draws: list[Batch], *, row: Rows = HEALTHY, first: int = 0, every: int = 100
) -> FakeRun:
    for index, draw in enumerate(draws, start=first):
        for log in range(10):
            callback.sparring_step_end(every * index - 99 + log, row)
        callback.sparring_sample(run.at(every * index), every * index, draw)
    return run


def final(callback: Collapse, run: FakeRun) -> dict[str, Any]:
    callback.sparring_run_end(run)
    return run.notes[-1]


def new(labels: bool = False) -> FakeRun:
    return FakeRun(real=ring(256, 99, labels=labels))


def healthy(count: int, size: int = 64) -> list[Batch]:
    return [ring(size, seed) for seed in range(count)]


@pytest.mark.parametrize("size", [16, 64])
def test_a_healthy_run_is_left_alone(size: int) -> None:
    callback = Collapse()
    run = play(callback, new(), healthy(10, size))
    assert not run.notes
    note = final(callback, run)
    assert note["level"] == "good"
    assert "no collapse" in note["finding"]


@pytest.mark.parametrize("size", [16, 64])
@pytest.mark.parametrize("modes", [(3,), (0, 1)])
def test_few_modes_are_noted_once_with_their_first_step(size: int, modes: tuple[int, ...]) -> None:
    draws = healthy(4, size) + [ring(size, seed, modes=modes) for seed in range(5)]
    callback = Collapse()
    run = play(callback, new(), draws)
    assert [note["level"] for note in run.notes] == ["bad"]
    assert run.notes[0]["since"] == 400
    assert "have collapsed" in run.notes[0]["finding"]
    assert "optimizers.generator.lr" in run.notes[0]["remedy"]
    note = final(callback, run)
    assert note["level"] == "bad"
    assert "since step 400" in note["finding"]


def test_far_modes_are_missed_by_distance_and_caught_by_reach() -> None:
    # Two opposite modes: their mean distance is 0.8 of the ring's.
    spread = measure(ring(64, 0, modes=(0, 4)), ring(256, 99))
    assert spread.whole > 0.7
    assert spread.reach is not None
    assert spread.reach < 0.5
    one = measure(ring(64, 0, modes=(2,)), ring(256, 99))
    assert one.reach is not None
    assert one.reach < 0.4


def test_recovery_is_noted_and_remembered() -> None:
    draws = healthy(3) + [ring(64, seed, modes=(3,)) for seed in range(3)] + healthy(4)
    callback = Collapse()
    run = play(callback, new(), draws)
    assert [note["level"] for note in run.notes] == ["bad", "good"]
    assert "vary again" in run.findings[1]
    note = final(callback, run)
    assert note["level"] == "good"
    assert "from step 300" in note["finding"]


def test_one_poor_draw_is_chance() -> None:
    draws = [*healthy(3), ring(64, 5, modes=(3,)), *healthy(3)]
    assert not play(Collapse(), new(), draws).notes


def test_an_untrained_generator_has_time_to_begin() -> None:
    start = [Batch(0.01 * ring(64, seed).sample) for seed in range(2)]
    run = FakeRun(real=ring(256, 99), stage_steps=(3000,))
    assert not play(Collapse(), run, start + healthy(5)).notes


def test_a_generator_that_never_varied_is_told_so() -> None:
    draws = [Batch(torch.zeros(64, 2) + 0.1 * seed) for seed in range(6)]
    run = play(Collapse(), new(), draws)
    assert "have not begun to vary" in run.findings[0]
    assert "uses its latent" in run.notes[0]["remedy"]


def test_collapse_within_classes_is_seen_where_the_whole_is_not() -> None:
    def one_each(seed: int) -> Batch:
        drawn = ring(64, seed, labels=True)
        angle = 2 * math.pi * drawn.condition["label"] / 8
        return Batch(2 * torch.stack([angle.cos(), angle.sin()], 1) + 0.005 * drawn.sample, drawn.condition)

    spread = measure(one_each(0), ring(256, 99, labels=True))
    assert spread.whole > 0.9
    assert spread.within is not None
    assert spread.within < 0.35
    run = play(Collapse(), new(labels=True), [one_each(seed) for seed in range(4)])
    assert any("within a class" in finding for finding in run.findings)


def test_near_duplicates_are_counted_beyond_those_of_the_data() -> None:
    rng = torch.Generator().manual_seed(0)
    real = torch.randn(256, 8, generator=rng)
    fake = torch.randn(64, 8, generator=rng)
    fake[:40] = fake[:20].repeat(2, 1)
    assert measure(Batch(fake), Batch(real)).duplicates == pytest.approx(40 / 64)
    repeated = real[:128].repeat(2, 1)[torch.randperm(256, generator=rng)]
    assert measure(Batch(real[:64]), Batch(repeated)).duplicates == 0


def test_tokens_are_compared_by_position() -> None:
    rng = torch.Generator().manual_seed(0)
    real = Batch(torch.randint(50, (256, 12), generator=rng))
    fresh = [Batch(torch.randint(50, (64, 12), generator=rng)) for _ in range(4)]
    assert not play(Collapse(), FakeRun(real=real), fresh).notes
    repeated = [Batch(torch.randint(50, (3, 12), generator=rng).repeat(22, 1)) for _ in range(4)]
    run = play(Collapse(), FakeRun(real=real), fresh + repeated)
    assert "repeat another one" in run.findings[0]
    assert "temperature" in run.notes[0]["remedy"]


def test_scattered_samples_and_a_blind_critic() -> None:
    draws = [Batch((5 + seed) * ring(64, seed).sample) for seed in range(5)]
    run = play(Collapse(), new(), draws, row=critic(7.3, 0.3, 6.7))
    assert any("times as far apart" in finding for finding in run.findings)
    assert any("rates generated samples above real ones" in finding for finding in run.findings)


def test_a_critic_at_chance_is_no_trouble_while_samples_are_good() -> None:
    assert not play(Collapse(), new(), healthy(6), row=critic(1.386, 0.0, 0.0)).notes


@pytest.mark.parametrize("row", [critic(0.002, 9.0, -9.0), critic(0.4, 40.0, -3.0)])
def test_a_saturated_critic_is_told_with_its_figures(row: Rows) -> None:
    run = play(Collapse(), new(), healthy(6), row=row)
    assert [note["level"] for note in run.notes] == ["warning"]
    assert "tells every sample apart" in run.findings[0]


def test_a_wasserstein_critic_with_a_large_gap_is_not_saturated() -> None:
    assert not play(Collapse(), new(), healthy(6), row=critic(-40.0, 30.0, -10.0)).notes


def test_a_generator_that_stands_still_is_told_only_while_it_is_trained() -> None:
    same = [ring(64, 0)] * 6
    run = play(Collapse(), new(), same)
    assert "does not move" in run.findings[0]
    assert not play(Collapse(), new(), same, row=critic(1.3, 0.1, -0.1, rate=0.0)).notes
    run = play(Collapse(generator="maker"), new(), same)
    assert not run.notes


def test_patience_stops_the_run() -> None:
    draws = healthy(3) + [ring(64, seed, modes=(3,)) for seed in range(3)]
    run = play(Collapse(patience=3), new(), draws)
    assert "3 draws in a row" in run.stop_reason
    assert not play(Collapse(), new(), draws).stop_reason


def test_without_draws_it_says_that_it_cannot_judge() -> None:
    note = final(Collapse(), new())
    assert note["level"] == "warning"
    assert "samples:" in note["remedy"]


@pytest.mark.parametrize("cut", [0, 2, 5, 6, 9])
def test_a_resumed_run_gives_the_same_verdicts(cut: int) -> None:
    draws = healthy(4) + [ring(64, seed, modes=(3,)) for seed in range(4)] + [ring(64, 7)] * 4
    row = critic(0.002, 9.0, -9.0)
    whole = Collapse()
    run = play(whole, new(), draws, row=row)
    whole.sparring_run_end(run)

    before = Collapse()
    resumed = play(before, new(), draws[:cut], row=row)
    after = Collapse()
    after.load_state_dict(json.loads(json.dumps(before.state_dict())))
    play(after, resumed, draws[cut:], row=row, first=cut)
    after.sparring_run_end(resumed)
    assert resumed.notes == run.notes
    assert len(run.notes) >= 4


def test_drawing_again_at_the_same_step_changes_nothing() -> None:
    callback = Collapse()
    run = play(callback, new(), healthy(4))
    state = callback.state_dict()
    callback.sparring_sample(run, run.step, ring(64, 3, modes=(1,)))
    assert callback.state_dict() == state


@pytest.mark.parametrize(
    ("real", "fake"),
    [
        (torch.zeros(2, 3), torch.zeros(2, 3)),
        (torch.zeros(8, 3), torch.randn(4, 3)),
        (torch.randn(3, 1, 4, 4), torch.randn(64, 1, 4, 4)),
        (torch.randn(16), torch.randn(16)),
        (torch.randn(16, 2), torch.full((16, 2), torch.nan)),
    ],
)
def test_small_and_degenerate_batches_are_measured(real: Tensor, fake: Tensor) -> None:
    measure(Batch(fake), Batch(real))


def test_the_reference_fits_large_samples_and_small_data() -> None:
    assert reference_count(torch.zeros(16, 2), None) == 256
    assert reference_count(torch.zeros(16, 2), 100) == 100
    assert reference_count(torch.zeros(16, 1).expand(16, 1_000_000), None) == 32


def test_wrong_options_are_refused() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        Collapse(threshold=1.5)
