"""The metric critic: what it regresses, what it leaves out, what its history holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sparring.errors import TrainingError
from sparring.interfaces.context import Context, Rows
from sparring.interfaces.data import Batch
from sparring.interfaces.discriminator import Critique
from sparring.objectives.metric_critic import MetricCritic, error
from sparring.rewards.length import Length
from sparring.spaces.point import PointSpace
from sparring.testing.contract import rng_at, through_a_file
from sparring.testing.stand_ins import StandInTokens, stand_ins
from tests.core.grading import Grader, Nearness, enhancer_and_grader
from tests.core.translation import Judge

torch.set_num_threads(1)


def batch(rows: int = 6) -> Batch:
    rng = rng_at(1)
    return Batch(torch.randn(rows, 2, generator=rng), {"image": torch.randn(rows, 2, generator=rng)})


def taken(objective: MetricCritic, networks: Any, real: Batch, **options: Any) -> tuple[dict[str, Tensor], Context]:
    """Take the critic's update, without an optimiser."""
    context = Context(networks, real, rng=options.pop("rng", rng_at(0)), **options)
    update = objective.updates[0]
    losses = objective.losses(update, context)
    objective.after_update(update, [context])
    return losses, context


def test_each_part_is_the_square_error_of_a_prediction() -> None:
    networks, real = enhancer_and_grader(), batch()
    losses, context = taken(MetricCritic(Nearness(), given="image"), networks, real)
    made = context.generate("generator").sample
    assert set(losses) == {"made", "reference", "given"}
    for name, sample in (("made", made), ("reference", real.sample), ("given", real.condition["image"])):
        predicted = networks["discriminator"](sample, {"reference": real.sample}).outputs["score"]
        wanted = Nearness()(Batch(sample), real)
        assert losses[name].item() == pytest.approx((predicted - wanted).square().mean().item(), rel=1e-5)
    assert context.recorded["score"].item() == pytest.approx(Nearness()(Batch(made), real).mean().item())
    assert context.recorded["unscored"] == 0


def test_the_generator_aims_at_the_best_score() -> None:
    networks, real = enhancer_and_grader(), batch()
    objective = MetricCritic(Nearness(), best=2.5)
    context = Context(networks, real, rng=rng_at(0))
    (value,) = objective.losses(objective.updates[1], context).values()
    predicted = networks["discriminator"](context.generate("generator").sample, {"reference": real.sample})
    assert value.item() == pytest.approx((predicted.outputs["score"] - 2.5).square().mean().item(), rel=1e-5)


def test_a_critic_that_names_no_score_predicts_by_its_logit() -> None:
    class Opinionated(Judge):
        def forward(self, sample: Tensor, condition: Any, lengths: Tensor | None = None) -> Tensor:
            return super().forward(sample, {}, lengths)

    critic, real = Opinionated(PointSpace()), batch()
    losses, _ = taken(MetricCritic(Nearness()), {**enhancer_and_grader(), "discriminator": critic}, real)
    wanted = (critic(real.sample, {}) - Nearness()(Batch(real.sample), real)).square().mean()
    assert losses["reference"].item() == pytest.approx(wanted.item(), rel=1e-5)


def test_rows_without_a_score_are_left_out() -> None:
    found = torch.tensor([1.0, 2.0, 5.0], requires_grad=True)
    value = error(found, torch.tensor([0.0, torch.nan, 3.0]))
    value.backward()
    assert value == (1 + 4) / 2
    assert found.grad is not None
    assert found.grad.tolist() == [1, 0, 2]
    assert error(found, torch.full((3,), torch.nan)) == 0

    class Silent(Nearness):
        def __call__(self, samples: Batch, reference: Batch | None) -> Tensor:
            return torch.where(torch.arange(len(samples)) < 2, torch.nan, super().__call__(samples, reference))

    objective, networks = MetricCritic(Silent()), enhancer_and_grader()
    _, context = taken(objective, networks, batch())
    assert context.recorded["unscored"].item() == pytest.approx(2 / 6)
    assert context.recorded["score"].isfinite()
    losses, _ = taken(objective, networks, batch())
    assert all(value.isfinite() for value in losses.values())
    assert "past" in losses


def test_the_history_is_bounded_and_goes_through_a_checkpoint() -> None:
    objective, networks, real = MetricCritic(Nearness(), history=8), enhancer_and_grader(), batch()
    taken(objective, networks, real)
    newer = Batch(real.sample + 1, real.condition)
    taken(objective, networks, newer)
    assert {name: len(value) for name, value in objective.past.items()} == dict.fromkeys(
        ("score", "sample", "reference", "condition.image"), 8
    )
    assert torch.equal(objective.past["reference"], torch.cat([real.sample[-2:], newer.sample]))
    shorter = MetricCritic(Nearness(), history=3)
    shorter.load_state_dict(through_a_file(objective.state_dict()))
    assert torch.equal(shorter.past["reference"], newer.sample[-3:])
    none = MetricCritic(Nearness(), history=0)
    none.load_state_dict(through_a_file(objective.state_dict()))
    taken(none, networks, real)
    assert none.past == {}


def test_the_critic_sees_past_samples_beside_their_own_references() -> None:
    objective, networks, real = MetricCritic(Nearness(), history=8), enhancer_and_grader(), batch()
    taken(objective, networks, real)
    critic = networks["discriminator"]
    assert isinstance(critic, Grader)
    critic.seen.clear()
    taken(objective, networks, Batch(real.sample + 100, real.condition))
    shown = critic.seen[-1]  # the last of the passes is the past's
    rows = [int((real.sample == row).all(1).nonzero()) for row in shown["reference"]]
    assert torch.equal(shown["image"], real.condition["image"][rows])


def test_the_reward_of_sequences_sees_tokens() -> None:
    tokens = StandInTokens()

    class Watched(Length):
        def __call__(self, samples: Batch, reference: Batch | None) -> Tensor:
            assert reference is not None
            assert samples.sample.shape == reference.sample.shape == (4, tokens.length)
            assert not samples.sample.is_floating_point()
            return super().__call__(samples, reference)

    networks: dict[str, nn.Module] = {**stand_ins(tokens), "discriminator": Grader(tokens.length * tokens.vocabulary)}
    real = Batch(torch.ones(4, tokens.length, dtype=torch.long), {}, torch.full((4,), tokens.length))
    objective = MetricCritic(Watched(4))
    taken(objective, networks, real)
    losses, _ = taken(objective, networks, real)
    assert set(losses) == {"made", "reference", "past"}
    assert not objective.past["lengths"].is_floating_point()


def test_every_process_has_the_same_history() -> None:
    networks, real = enhancer_and_grader(), batch()
    alone = MetricCritic(Nearness())
    taken(alone, networks, real)

    def part(start: int, average: Callable[[Tensor], Tensor]) -> MetricCritic:
        objective = MetricCritic(Nearness())
        taken(objective, networks, real.rows(slice(start, start + 3)), rows=Rows(6, start, start + 3), average=average)
        return objective

    # A stand-in for the all-reduce: what each process brings is recorded first, and the mean handed out after.
    brought: list[list[Tensor]] = [[], []]
    for number, own in enumerate(brought):
        part(3 * number, lambda value, own=own: own.append(value.clone()) or value)
    for number in range(2):
        means = iter([(one + other) / 2 for one, other in zip(*brought, strict=True)])
        found = part(3 * number, lambda value, means=means: next(means))
        for name, value in alone.past.items():
            torch.testing.assert_close(found.past[name], value)


def test_mistakes_are_named() -> None:
    with pytest.raises(ValueError, match="history is -1"):
        MetricCritic(Nearness(), history=-1)
    networks = enhancer_and_grader()
    with pytest.raises(TrainingError, match="'noisy' too, which the data do not give") as caught:
        taken(MetricCritic(Nearness(), given="noisy"), networks, batch())
    assert "image" in caught.value.remedy

    class Silent(Judge):
        def forward(self, sample: Tensor, condition: Any, lengths: Tensor | None = None) -> Critique:
            return Critique(())

    with pytest.raises(TrainingError, match="gives none") as caught:
        taken(MetricCritic(Nearness()), {**networks, "discriminator": Silent(PointSpace())}, batch())
    assert "score" in caught.value.remedy
