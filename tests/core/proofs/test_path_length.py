"""StyleGAN2's path-length regularisation (Karras et al., 2020): a lazy term with a memory, fed by ``extras``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import sparring
from sparring import Condition, Context, Generated, Generator, Plugin, Term
from sparring.training.run import Run
from tests.core.proofs.parts import (
    AtEnd,
    AtUpdate,
    Passes,
    Weights,
    adam,
    assert_same_run,
    recipe,
    roles,
    saved_state,
    train_through_a_kill,
)

plugin = Plugin("paths")


@plugin.generator("styled")
class Styled(Generator):
    """A mapping from latent to style, and a synthesis from style to sample."""

    latent_shape = (2,)

    def __init__(self) -> None:
        super().__init__()
        # Smooth, so that the slope depends on the style, and the penalty on it reaches the mapping.
        self.mapping = nn.Sequential(nn.Linear(2, 6), nn.Tanh(), nn.Linear(6, 4))
        self.synthesis = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2))

    def forward(self, latent: Tensor | None, condition: Condition) -> Generated:
        style = self.mapping(latent)
        return Generated(self.synthesis(style), extras={"style": style})


@plugin.term("path-length")
class PathLength(Term):
    """E(‖Jᵀy‖ − a)², where J is the sample's slope in the style and a the running mean of the lengths."""

    def __init__(self, generator: str = "generator", decay: float = 0.01) -> None:
        self.generator, self.decay, self.trains = generator, decay, (generator,)
        self.mean = torch.zeros(())

    def __call__(self, context: Context) -> Tensor:
        made = context.generate(self.generator)
        noise = context.normal(*made.sample.shape[1:])
        (slope,) = torch.autograd.grad((made.sample * noise).sum(), made.extras["style"], create_graph=True)
        lengths = slope.square().sum(1).sqrt()
        mean = context.average(lengths.detach().mean())
        self.mean = self.mean.to(context.device).lerp(mean, self.decay)
        return (lengths - self.mean).square().mean()

    def state_dict(self) -> dict[str, Any]:
        return {"mean": self.mean}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.mean = state["mean"]


LAZY = "generator/path-length"


def values(*, every: int = 4, steps: int = 100, weight: float = 2.0, **options: Any) -> dict[str, Any]:
    term = {"use": "paths/path-length", "every": every, "weight": weight, "decay": 0.1}
    return recipe(
        "path-length",
        data={"use": "points", "modes": 4, "count": 512},
        networks={
            "generator": {"use": "paths/styled"},
            "discriminator": {"use": "mlp", "width": 8, "depth": 1},
        },
        stages=[
            {
                "objective": {"use": "adversarial", "loss": "non-saturating"},
                "terms": [term],
                "steps": steps,
                "batch": 16,
                "optimizers": {"generator": adam(0.01), "discriminator": adam(0.01)},
                **options,
            }
        ],
        save_every=20,
    )


PLUGINS = [Path(__file__)]


def test_it_is_taken_lazily_and_trains_the_generator_alone(tmp_path: Path) -> None:
    passes, weights, rates = Passes(), Weights(), []

    def note(run: Run, update: str, terms: Mapping[str, Tensor]) -> None:
        assert run.stage is not None
        rates.append(run.stage.optimizers["generator"].param_groups[0])

    sparring.train(values(steps=9), out=tmp_path / "run", plugins=PLUGINS, listeners=[passes, weights, AtUpdate(note)])
    step, lazy = ["discriminator", "generator"], ["discriminator", "generator", LAZY]
    assert [name for name, _ in passes.taken] == [*lazy, *step * 3] * 2 + lazy
    assert passes.of(LAZY) == [{"generator": 1}] * 3, "a term without a critic asks for none"
    assert roles(weights.touched[LAZY]) == {"generator"}
    assert "generator.mapping.0.weight" in weights.changed[LAZY]
    # Adam serves two updates, of which one is lazy: c = 1 / (1 + 1/4).
    assert rates[0]["lr"] == pytest.approx(0.01 * 0.8)
    assert rates[0]["betas"] == pytest.approx((0.0, 0.9**0.8))


def test_a_lazy_loss_is_scaled_by_what_it_skips(tmp_path: Path) -> None:
    """In step 0 both runs see the same weights and noise, so that their gradients differ by the scale alone."""
    gradients: dict[int, Tensor] = {}
    for every in (2, 4):

        def note(run: Run, update: str, terms: Mapping[str, Tensor], every: int = every) -> None:
            if update == LAZY:
                found = [parameter.grad for parameter in run.networks["generator"].parameters()]
                gradients[every] = torch.cat([one.flatten() for one in found if one is not None])

        plain = {"use": "sgd", "lr": 0.01}  # which needs no correction for laziness, and so moves alike in both runs
        chosen = values(every=every, steps=1, optimizers={"generator": plain, "discriminator": plain})
        sparring.train(chosen, out=tmp_path / str(every), plugins=PLUGINS, listeners=[AtUpdate(note)])
    assert gradients[2].abs().sum() > 0
    torch.testing.assert_close(gradients[4], 2 * gradients[2], rtol=0, atol=0)


def test_the_running_mean_survives_a_kill(tmp_path: Path) -> None:
    unbroken = sparring.train(values(), out=tmp_path / "unbroken", plugins=PLUGINS).folder
    train_through_a_kill(values(), tmp_path / "killed", at=53, plugins=PLUGINS)
    assert_same_run(tmp_path / "killed", unbroken)
    means = [saved_state(unbroken, step)["terms"]["path-length"]["mean"] for step in (0, 40, 60)]
    assert means[0] == 0 < means[1] != means[2]


def test_paths_become_alike(tmp_path: Path) -> None:
    deviation = {}
    for weight in (0.0, 2.0):
        end = AtEnd()
        sparring.train(values(weight=weight, steps=200), out=tmp_path / str(weight), plugins=PLUGINS, listeners=[end])
        with torch.random.fork_rng():
            torch.manual_seed(0)
            made = end.run.networks["generator"](torch.randn(512, 2), {})
            noise = torch.randn_like(made.sample)
        (slope,) = torch.autograd.grad((made.sample * noise).sum(), made.extras["style"])
        lengths = slope.norm(dim=1)
        deviation[weight] = float(lengths.std())
    assert deviation[2.0] < deviation[0.0] / 2
