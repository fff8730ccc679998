"""Adaptive augmentation (Karras et al., 2020a): a strength that follows the critic, as part of every checkpoint."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import sparring
from sparring import Augmentation, Batch, Condition, Context, Discriminator, Plugin
from sparring.terms.gradient_penalties import R1
from sparring.training.run import Run
from tests.core.proofs.parts import (
    AtStart,
    Passes,
    Weights,
    adam,
    assert_same_run,
    logged,
    recipe,
    roles,
    saved_state,
    train_through_a_kill,
)

plugin = Plugin("adaptive")

BATCH, HORIZON = 32, 2000


@plugin.augmentation("turn")
class Turn(Augmentation):
    """Turn a point about the origin with a probability that rises while the critic knows reals too well.

    Args:
        target: The mean sign of real logits to hold; above it the strength rises.
        horizon: Samples in which the strength may go from 0 to 1.
    """

    strength: Tensor

    def __init__(self, target: float = 0.6, horizon: int = HORIZON) -> None:
        super().__init__()
        self.target, self.horizon = target, horizon
        self.register_buffer("strength", torch.zeros(()))

    def forward(self, sample: Tensor, condition: Condition, *, rng: torch.Generator) -> Tensor:
        chance, angle = torch.rand(2, len(sample), generator=rng, device=sample.device)
        angle = torch.where(chance < self.strength, 2 * torch.pi * angle, 0)
        sine, cosine = angle.sin(), angle.cos()
        turn = torch.stack([cosine, -sine, sine, cosine], dim=1).reshape(-1, 2, 2)
        return (turn @ sample[:, :, None]).squeeze(2)

    def observe(self, real_logits: Tensor) -> Tensor:
        return real_logits.sign().mean()

    def adapt(self, statistic: Tensor, samples: int) -> None:
        self.strength.add_((statistic - self.target).sign() * samples / self.horizon).clamp_(0, 1)


PLUGINS = [Path(__file__)]


def values(*, steps: int = 60, accumulate: int = 1, **options: Any) -> dict[str, Any]:
    turn = {"use": "adaptive/turn", **options}
    return recipe(
        "adaptive",
        # One mode of a ring, at (2, 0): off the origin, so that a turn is seen, and far from an untrained generator.
        data={"use": "points", "modes": 1, "count": 64},
        networks={
            "generator": {"use": "mlp", "latent_dim": 2, "width": 8, "depth": 1},
            "discriminator": {"use": "mlp", "width": 12, "depth": 1},
        },
        stages=[
            {
                "objective": {"use": "adversarial", "loss": "non-saturating", "augmentation": turn},
                "terms": [{"use": "r1", "gamma": 0.05}],
                "steps": steps,
                "batch": BATCH,
                "accumulate": accumulate,
                "optimizers": {"generator": adam(0.001), "discriminator": adam(0.01)},
            }
        ],
        save_every=10,
    )


def strengths(folder: Path, *steps: int) -> list[float]:
    return [float(saved_state(folder, step)["objective"]["augmentation"]["strength"]) for step in steps]


def test_the_strength_rises_with_a_confident_critic_and_is_saved(tmp_path: Path) -> None:
    passes, weights = Passes(), Weights()
    run = sparring.train(values(), out=tmp_path / "run", plugins=PLUGINS, listeners=[passes, weights])
    course = strengths(run.folder, 0, 10, 20, 30)
    assert course[0] == 0
    assert course[-1] > 0.2
    # A step of batch / horizon at most, and a whole number of them: once for the batch, not once for each critique.
    for before, after in pairwise(course):
        change = (after - before) * HORIZON / BATCH
        assert abs(change) <= 10.001
        assert change == pytest.approx(round(change), abs=1e-3)
    # What adapts it is the opinion that the update had already.
    assert passes.of("discriminator") == [{"generator": 1, "discriminator": 2}] * 60
    assert roles(weights.touched["discriminator"]) == {"discriminator"}


def test_a_target_out_of_reach_leaves_it_at_nothing(tmp_path: Path) -> None:
    run = sparring.train(values(steps=20, target=1.1), out=tmp_path / "run", plugins=PLUGINS)
    assert strengths(run.folder, 20) == [0.0]


def test_it_survives_a_kill(tmp_path: Path) -> None:
    unbroken = sparring.train(values(), out=tmp_path / "unbroken", plugins=PLUGINS).folder
    train_through_a_kill(values(), tmp_path / "killed", at=27, plugins=PLUGINS)
    assert_same_run(tmp_path / "killed", unbroken)
    assert 0 < strengths(unbroken, 20)[0] != strengths(unbroken, 60)[0]


def test_a_penalty_is_differentiated_twice_through_it(tmp_path: Path) -> None:
    """As an update of its own, R1 has no gradient for the critic's weights but what comes through the turn."""
    slopes = {}
    for gamma in (1.0, 0.01):
        weights = Weights()
        always = values(steps=40, target=-2.0, horizon=1)
        always["stages"][0]["terms"] = [{"use": "r1", "gamma": gamma, "every": 2}]
        run = sparring.train(always, out=tmp_path / str(gamma), plugins=PLUGINS, listeners=[weights])
        assert strengths(run.folder, 40) == [1.0]
        assert "discriminator.hidden.0.0.weight" in weights.changed["discriminator/r1"]
        assert roles(weights.touched["discriminator/r1"]) == {"discriminator"}
        slopes[gamma] = logged(run.folder, "discriminator/r1/r1")[-1] / gamma
    assert 0 < slopes[1.0] < slopes[0.01] / 1.5


def test_a_penalty_looks_at_the_sample_before_it() -> None:
    class Doubled(Augmentation):
        def forward(self, sample: Tensor, condition: Condition, *, rng: torch.Generator) -> Tensor:
            return 2 * sample

    class Linear(Discriminator):
        def forward(self, sample: Tensor, condition: Condition, lengths: Tensor | None = None) -> Tensor:
            return sample @ torch.tensor([3.0, 4.0])

    context = Context({"discriminator": Linear()}, Batch(torch.ones(2, 2)))
    context.augmentations["discriminator"] = Doubled()
    term = R1(gamma=2.0)
    term.prepare(context)
    assert float(term(context)) == 100.0  # ‖2 · (3, 4)‖²


def test_accumulated_parts_turn_differently_and_adapt_it_once(tmp_path: Path) -> None:
    seen: list[Tensor] = []

    def watch(run: Run) -> None:
        run.networks["discriminator"].register_forward_hook(lambda _, given, __: seen.append(given[0].detach()))

    chosen = values(steps=2, accumulate=2, target=-2.0, horizon=BATCH)
    chosen["data"]["spread"] = 0.0
    chosen["stages"][0]["terms"] = []
    run = sparring.train(chosen, out=tmp_path / "run", plugins=PLUGINS, listeners=[AtStart(watch)])
    assert strengths(run.folder, 0, 2) == [0.0, 1.0]
    # Each step: real and fake of both parts of the critic's update, then fakes of both parts of the generator's.
    first, second = seen[6], seen[8]
    # All reals are (2, 0) and lie on the circle once turned; only in how they are turned can two parts differ.
    torch.testing.assert_close(torch.stack([first, second]).norm(dim=2), torch.full((2, BATCH // 2), 2.0))
    assert not first.isclose(second).any()
