"""A policy over latents, and gradients of rewards: against closed forms, and frozen where they should be."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Independent, Normal, kl_divergence

import sparring
from sparring import Batch, Condition, Context, Generator, SparringError, TrainingError
from sparring.networks.steered import SteeredGenerator
from sparring.objectives.latent_policy import LatentPolicy
from sparring.objectives.reward_gradient import RewardGradient
from sparring.spaces.label import LabelSpace
from sparring.terms.latent import LatentKL
from sparring.training.checkpoint import read_weights
from tests.core.test_policy import Bigrams
from tests.core.training.running import tiny

ROWS, SIZE = 100_000, 2
AIM = torch.tensor([1.0, -0.5])


class Through(Generator):
    """Gives back its latent, times a weight; batch norm beside it counts what it is shown in training."""

    def __init__(self) -> None:
        super().__init__()
        self.latent_shape = (SIZE,)
        self.scale = nn.Parameter(torch.ones(SIZE))
        self.normal = nn.BatchNorm1d(SIZE, affine=False)

    def forward(self, latent: Tensor | None, condition: Condition) -> Tensor:
        assert latent is not None
        self.normal(latent)
        return latent * self.scale


class Nearness:
    """Minus the square distance from the aim; NaN for rows whose first number is above ``unknown``."""

    def __init__(self, unknown: float = math.inf) -> None:
        self.unknown = unknown

    def __call__(self, samples: Batch, reference: Batch | None) -> Tensor:
        found = -(samples.sample - AIM).square().sum(1)
        return found.masked_fill(samples.sample[:, 0] > self.unknown, torch.nan)


class Step:
    """A reward without a gradient."""

    def __call__(self, samples: Batch, reference: Batch | None) -> Tensor:
        return (samples.sample[:, 0] > 0).float()


def a_context(generator: nn.Module, rows: int = ROWS, condition: Condition | None = None) -> Context:
    batch = Batch(torch.zeros(rows, SIZE), condition or {})
    return Context({"generator": generator}, batch, rng=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("kept", [0.0, 0.9])
def test_it_begins_as_the_generator_itself(kept: float) -> None:
    network = SteeredGenerator(Through(), {}, kept=kept)
    context = a_context(network)
    sample = context.generate().sample.detach()
    assert sample.mean(0).tolist() == pytest.approx([0, 0], abs=0.02)
    torch.testing.assert_close(sample.T.cov(), torch.eye(SIZE), atol=0.02, rtol=0)
    assert float(LatentKL()(context).detach()) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("kept", [0.0, 0.6])
def test_its_mean_is_the_exact_gradient(kept: float) -> None:
    """A reward whose expectation is known: minus the squares of distance and deviation."""
    network = SteeredGenerator(Through(), {}, kept=kept)
    shift, stretch = torch.tensor([0.3, -0.2]), torch.tensor([-0.4, 0.1])
    with torch.no_grad():
        network.change.bias.copy_(torch.cat([shift, stretch]))
    (loss,) = LatentPolicy(Nearness()).terms(LatentPolicy(Nearness()).updates[0], a_context(network)).values()
    (found,) = torch.autograd.grad(loss, network.change.bias)
    variance = (1 - kept**2) * (2 * stretch).exp()
    exact = torch.cat([-2 * (shift - AIM), -2 * variance])
    torch.testing.assert_close(-found, exact, atol=0.06, rtol=0)


def test_the_divergence_is_that_of_two_normal_distributions() -> None:
    network = SteeredGenerator(Through(), {"label": LabelSpace(["a", "b"])}, kept=0.5, width=4)
    with torch.no_grad():
        nn.init.normal_(network.change.weight, generator=torch.Generator().manual_seed(0))
    context = a_context(network, 32, {"label": torch.arange(32) % 2})
    drawn, made = context.latent(), context.generate()
    assert drawn is not None
    policy = Normal(made.extras["latent_mean"], made.extras["latent_log_deviation"].exp())
    begin = Normal(0.5 * drawn[:, 0], math.sqrt(0.75))
    expected = kl_divergence(Independent(policy, 1), Independent(begin, 1)).mean()
    assert float(expected.detach()) > 0.1
    torch.testing.assert_close(LatentKL()(context), expected)


def test_the_generator_stays_and_counts_nothing() -> None:
    network = SteeredGenerator(Through(), {}).train()
    assert not network.generator.training
    assert network.policy.training
    before = {name: value.clone() for name, value in network.generator.state_dict().items()}
    objective = LatentPolicy(Nearness())
    objective.attach([])
    sum(objective.losses(objective.updates[0], a_context(network, 64)).values()).backward()  # type: ignore[union-attr]
    assert all(torch.equal(value, before[name]) for name, value in network.generator.state_dict().items())
    assert all(parameter.grad is None for parameter in network.generator.parameters())
    assert network.change.bias.grad is not None


@pytest.mark.parametrize("objective", [LatentPolicy, RewardGradient])
def test_rows_without_a_reward_give_no_gradient(objective: Any) -> None:
    made = objective(Nearness(unknown=0.0))
    network = SteeredGenerator(Through(), {})
    context = a_context(network, 1000)
    (loss,) = made.terms(made.updates[-1], context).values()
    context.generate().extras["latent_mean"].retain_grad()
    loss.backward()
    gradient, unknown = context.generate().extras["latent_mean"].grad, context.generate().sample[:, 0] > 0
    assert gradient is not None
    assert not gradient[unknown].any()
    assert gradient[~unknown].all()
    assert float(context.recorded["unscored"]) == pytest.approx(float(unknown.float().mean()))


def test_the_gradient_of_a_reward_and_the_anchor() -> None:
    network, objective = Through(), RewardGradient(Nearness(), anchor=3.0)
    context = a_context(network, 500)
    losses = objective.terms(objective.updates[0], context)
    assert float(losses["anchor"].detach()) == pytest.approx(0, abs=1e-6)
    (gradient,) = torch.autograd.grad(losses["reward"], network.scale, retain_graph=True)
    latent = context.latent()
    assert latent is not None
    torch.testing.assert_close(gradient, (2 * latent * (latent - AIM)).mean(0), atol=1e-4, rtol=1e-4)
    restored = RewardGradient(Nearness(), anchor=3.0)
    restored.load_state_dict(objective.state_dict())
    with torch.no_grad():
        network.scale.fill_(2.0)
    for one in (objective, restored):
        context = a_context(network, 500)
        latent = context.latent()
        assert latent is not None
        torch.testing.assert_close(
            one.terms(one.updates[0], context)["anchor"], 3 * latent.square().mean(), atol=1e-4, rtol=1e-4
        )


def test_what_cannot_be_done_is_said() -> None:
    objective = RewardGradient(Step())
    with pytest.raises(TrainingError, match="gives no gradient"):
        objective.terms(objective.updates[0], a_context(Through(), 4))
    with pytest.raises(TrainingError, match="tokens that were sampled"):
        objective.terms(objective.updates[0], a_context(Bigrams(), 4))
    policy = LatentPolicy(Step())
    with pytest.raises(TrainingError, match="policy over latents is wanted"):
        policy.terms(policy.updates[0], a_context(Through(), 4))
    with pytest.raises(SparringError, match="needs a generator with a latent"):
        SteeredGenerator(Bigrams(), {})
    with pytest.raises(ValueError, match="kept"):
        SteeredGenerator(Through(), {}, kept=1.0)


def test_a_run_steers_the_generator_of_another_that_may_then_be_gone(tmp_path: Path) -> None:
    """The critic of the first run is the reward of the second; both networks are copied into it."""
    generator = {"use": "mlp", "latent_dim": 4, "width": 8}
    first = tiny(networks={"generator": generator, "discriminator": {"use": "mlp", "width": 8}})
    sparring.train(first, out=tmp_path / "first")
    source = {"from": str(tmp_path / "first")}
    values = tiny(
        {
            "objective": {"use": "latent-policy", "reward": {"use": "critic", "loss": "hinge", "steps": 0}},
            "terms": [{"use": "latent-kl", "weight": 0.1}],
            "optimizers": {"generator": {"use": "adam", "lr": 0.01}},
        },
        networks={
            "generator": {
                "use": "steered",
                "generator": generator,
                "width": 8,
                "init": {**source, "rename": {"": "generator"}, "strict": False},
            },
            "discriminator": {"use": "mlp", "width": 8, "init": source},
        },
    )
    sparring.train(values, out=tmp_path / "whole")
    steps = values["stages"][0]["steps"]
    sparring.train(values, out=tmp_path / "run", overrides=[f"stages.0.steps={steps // 2}"])
    theirs = {role: read_weights(tmp_path / "first" / "final" / f"{role}.safetensors") for role in first["networks"]}
    (tmp_path / "first").rename(tmp_path / "elsewhere")
    sparring.resume(tmp_path / "run", overrides=[f"stages.0.steps={steps}"])
    ours, whole = (
        {role: read_weights(tmp_path / name / "final" / f"{role}.safetensors") for role in first["networks"]}
        for name in ("run", "whole")
    )
    assert all(torch.equal(ours["generator"][f"generator.{name}"], one) for name, one in theirs["generator"].items())
    assert all(torch.equal(ours["discriminator"][name], one) for name, one in theirs["discriminator"].items())
    assert ours["generator"]["change.bias"].any()
    assert all(torch.equal(ours["generator"][name], one) for name, one in whole["generator"].items())
    assert len(sparring.load(tmp_path / "run").generate(3).sample) == 3
