"""WGAN (Arjovsky et al., 2017): a critic of bounded slope estimates a distance; its weights are clipped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.optim import Optimizer, RMSprop

import sparring
from sparring import Condition, Constraint, Generator, Plugin
from sparring.training.run import Run
from tests.core.proofs.parts import AtEnd, AtUpdate, Passes, Weights, layers, logged, recipe, roles

plugin = Plugin("clipping")

LIMIT, CRITIC_STEPS, STEPS = 0.2, 5, 120


@plugin.optimizer("rmsprop")
def rmsprop(parameters: Iterable[nn.Parameter], lr: float = 5e-5) -> Optimizer:
    """The paper's optimiser, which core does not have."""
    return RMSprop(list(parameters), lr)


@plugin.constraint("clip")
class Clip(Constraint):
    """Algorithm 1, line 7."""

    def __init__(self, limit: float) -> None:
        self.limit = limit

    def __call__(self, network: nn.Module) -> None:
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.clamp_(-self.limit, self.limit)


@plugin.generator("cloud")
class Cloud(Generator):
    """Starts around the origin."""

    latent_shape = (2,)

    def __init__(self) -> None:
        super().__init__()
        self.body = layers(2, 8, 2)

    def forward(self, latent: Tensor | None, condition: Condition) -> Tensor:
        made: Tensor = self.body(latent)
        return made


def test_weights_stay_clipped_and_the_distance_falls(tmp_path: Path) -> None:
    passes, weights, end = Passes(), Weights(), AtEnd()
    largest: dict[str, float] = {"generator": 0.0, "discriminator": 0.0}

    def look(run: Run, update: str, terms: Mapping[str, Tensor]) -> None:
        found = max(float(parameter.detach().abs().max()) for parameter in run.networks[update].parameters())
        largest[update] = max(largest[update], found)

    result = sparring.train(
        recipe(
            "wgan",
            # One mode of a ring lies at (2, 0).
            data={"use": "points", "modes": 1, "count": 512, "spread": 0.2},
            networks={
                "generator": {"use": "clipping/cloud"},
                "discriminator": {"use": "mlp", "width": 8, "depth": 1},
            },
            stages=[
                {
                    "objective": {"use": "adversarial", "loss": "wasserstein", "discriminator_steps": CRITIC_STEPS},
                    "steps": STEPS,
                    "batch": 64,
                    "optimizers": {
                        "generator": {"use": "clipping/rmsprop", "lr": 0.01},
                        "discriminator": {"use": "clipping/rmsprop", "lr": 0.005},
                    },
                    "constraints": {"discriminator": [{"use": "clipping/clip", "limit": LIMIT}]},
                }
            ],
        ),
        out=tmp_path / "run",
        plugins=[Path(__file__)],
        listeners=[passes, weights, end, AtUpdate(look)],
    )
    assert [name for name, _ in passes.taken] == ([*["discriminator"] * CRITIC_STEPS, "generator"]) * STEPS
    assert roles(weights.changed["discriminator"]) == {"discriminator"}
    limit = float(torch.tensor(LIMIT))  # as float32 has it
    # Some weight lies on the bound, so the clipping did something, and none beyond it after any update.
    assert largest["discriminator"] == limit
    assert largest["generator"] > limit, "the generator is not constrained"

    distance = [-loss for loss in logged(result.folder, "discriminator/adversarial")]
    real, fake = (logged(result.folder, f"discriminator/{side}_logit") for side in ("real", "fake"))
    assert distance == pytest.approx([on_real - on_fake for on_real, on_fake in zip(real, fake, strict=True)], abs=1e-5)
    assert distance[0] > 0.03
    assert all(abs(late) < distance[0] / 5 for late in distance[-5:])
    assert (end.run.generated_samples(256).sample.mean(0) - torch.tensor([2.0, 0.0])).norm() < 0.4
