"""MetricGAN (Fu et al., 2019): the critic learns a score that has no gradient, with a buffer of past samples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import sparring
from sparring import Batch, Condition, Critique, Discriminator, Generator, Plugin
from sparring.data.memory import MemoryData
from sparring.spaces.point import PointSpace
from tests.core.proofs.parts import (
    AtEnd,
    Weights,
    adam,
    assert_same_run,
    layers,
    logged,
    recipe,
    roles,
    saved_state,
    train_through_a_kill,
)

plugin = Plugin("scored")

CAPACITY, BATCH, STEPS = 256, 32, 300
KEPT = ("sample", "reference", "condition.noisy", "score")


@plugin.data("noisy")
class Noisy(MemoryData):
    """A clean point, and the same point moved by a constant and by noise: what an enhancer has to mend."""

    def __init__(self, count: int = 512) -> None:
        rng = torch.Generator().manual_seed(0)
        clean = torch.randn(count, 2, generator=rng)
        noisy = clean + torch.tensor([1.0, -1.0]) + 0.1 * torch.randn(count, 2, generator=rng)
        super().__init__(PointSpace(), clean, {"noisy": (PointSpace(), noisy)})


@plugin.reward("grade")
class Grade:
    """Falls with the distance from the clean point, in ten grades: no gradient comes through."""

    def __call__(self, samples: Batch, reference: Batch | None) -> Tensor:
        assert reference is not None
        distance = (samples.sample - reference.sample).norm(dim=1)
        return (1 / (1 + distance) * 10).round() / 10


@plugin.generator("enhancer")
class Enhancer(Generator):
    """Driven by the noisy point alone."""

    def __init__(self) -> None:
        super().__init__()
        self.body = layers(2, 8, 2)

    def forward(self, latent: Tensor | None, condition: Condition) -> Tensor:
        made: Tensor = condition["noisy"] + self.body(condition["noisy"])
        return made


@plugin.discriminator("grader")
class Grader(Discriminator):
    """Predicts the grade of a sample beside the clean point; it has no opinion of real or generated."""

    def __init__(self) -> None:
        super().__init__()
        self.body = layers(4, 24, 24, 1)

    def forward(self, sample: Tensor, condition: Condition, lengths: Tensor | None = None) -> Critique:
        grade = self.body(torch.cat([sample - condition["reference"], sample], dim=1)).squeeze(1)
        return Critique((), outputs={"score": grade})


PLUGINS = [Path(__file__)]


def values(**options: Any) -> dict[str, Any]:
    return recipe(
        "metric-critic",
        data={"use": "scored/noisy"},
        networks={"generator": {"use": "scored/enhancer"}, "critic": {"use": "scored/grader"}},
        stages=[
            {
                "objective": {"use": "metric-critic", "reward": "scored/grade", "discriminator": "critic"},
                "steps": STEPS,
                "batch": BATCH,
                "optimizers": {
                    "generator": adam(0.005, betas=(0.5, 0.99)),
                    "critic": adam(0.005, betas=(0.5, 0.99)),
                },
                **options,
            }
        ],
        save_every=5,
    )


def test_the_score_rises_through_a_critic_that_learnt_it(tmp_path: Path) -> None:
    weights, end = Weights(), AtEnd()
    chosen = values()
    chosen["checkpoint"]["every"] = STEPS
    result = sparring.train(chosen, out=tmp_path / "run", plugins=PLUGINS, listeners=[weights, end])
    assert roles(weights.changed["discriminator"]) == roles(weights.touched["discriminator"]) == {"critic"}
    assert roles(weights.changed["generator"]) == roles(weights.touched["generator"]) == {"generator"}

    grade = logged(result.folder, "discriminator/score")
    assert grade[0] < 0.6
    assert grade[-1] > 0.8

    past = saved_state(result.folder)["objective"]["past"]
    assert {name: len(value) for name, value in past.items()} == dict.fromkeys(KEPT, CAPACITY)
    # The critic grades on the black box's scale near what the generator makes now, and worse is worse far from there.
    real, predicted = end.run.real_samples(256), []
    for shift in (0.0, 0.3, 1.0):
        moved = Batch(real.sample + torch.tensor([shift, -shift]), real.condition)
        with torch.no_grad():
            found = end.run.networks["critic"](moved.sample, {"reference": real.sample}).outputs["score"].mean()
        predicted.append((float(found), float(Grade()(moved, real).mean())))
    assert all(abs(ours - true) < 0.2 for ours, true in predicted[:2])
    assert predicted[0] > predicted[1] > predicted[2]


def test_the_buffer_survives_a_kill(tmp_path: Path) -> None:
    chosen = values(steps=20)
    unbroken = sparring.train(chosen, out=tmp_path / "unbroken", plugins=PLUGINS).folder
    train_through_a_kill(chosen, tmp_path / "killed", at=7, plugins=PLUGINS)
    assert_same_run(tmp_path / "killed", unbroken)
    # It grows by a batch in each step until it is full.
    fill = {step: len(saved_state(unbroken, step)["objective"]["past"].get("score", ())) for step in (0, 5, 10)}
    assert fill == {0: 0, 5: 5 * BATCH, 10: CAPACITY}
