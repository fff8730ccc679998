"""Further heads on a discriminator, and the terms that read them: AC-GAN's and InfoGAN's."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from sparring.errors import SparringError, TrainingError
from sparring.interfaces.context import Context
from sparring.interfaces.data import Batch, Condition
from sparring.interfaces.discriminator import Critique, Discriminator
from sparring.interfaces.generator import Generated, Generator
from sparring.networks.heads import HeadedDiscriminator
from sparring.networks.mlp import MLPDiscriminator
from sparring.spaces.array import ArraySpace
from sparring.spaces.label import LabelSpace
from sparring.spaces.point import PointSpace
from sparring.terms.heads import AuxiliaryClassifier, MutualInformation

LABEL = LabelSpace(["a", "b", "c"])


class Convolutional(Discriminator):
    """One layer with batch norm, for pictures of one channel."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Sequential(nn.Conv2d(1, 4, 3, stride=2, padding=1), nn.BatchNorm2d(4), nn.LeakyReLU(0.2))
        self.last = nn.Linear(4 * 2 * 3, 1)

    def forward(self, sample: Tensor, condition: Condition, lengths: Tensor | None = None) -> Critique:
        found = self.layer(sample)
        return Critique((self.last(found.flatten(1)).squeeze(1),), ((sample, found),), {"own": found.mean((1, 2, 3))})


class Mute(Discriminator):
    """Says nothing but logits."""

    def forward(self, sample: Tensor, condition: Condition, lengths: Tensor | None = None) -> Tensor:
        return sample.sum(1)


# ---- the heads ----


def test_heads_read_the_last_features_and_leave_the_rest_as_it_is() -> None:
    inner = Convolutional()
    before = {name: value.clone() for name, value in inner.state_dict().items()}
    network = HeadedDiscriminator(inner, ArraySpace([1, 4, 6]), {"label": LABEL}, True, [10, 2], 3)
    assert all(torch.equal(before[name], value) for name, value in inner.state_dict().items())  # batch norm too
    assert all(module.training for module in network.modules())
    sample = torch.randn(5, 1, 4, 6)
    critique, own = network.eval()(sample, {}), inner(sample, {})
    assert torch.equal(critique.logits[0], own.logits[0])
    shapes = {name: tuple(value.shape) for name, value in critique.outputs.items()}
    assert shapes == {"own": (5,), "label": (5, 3), "code.0": (5, 10), "code.1": (5, 2), "code.continuous": (5, 3)}
    head = network.heads["code_1"]
    torch.testing.assert_close(critique.outputs["code.1"], head(own.features[0][-1].flatten(1)))


def test_impossible_heads_are_refused() -> None:
    space, label = PointSpace(), {"label": LABEL}
    with pytest.raises(SparringError, match="judges 2 together"):
        HeadedDiscriminator(MLPDiscriminator(space, {}, packing=2), space, {}, categorical=[2])
    with pytest.raises(SparringError, match="Mute returns none"):
        HeadedDiscriminator(Mute(), space, {}, categorical=[2])
    with pytest.raises(SparringError, match="the data have no labels"):
        HeadedDiscriminator(MLPDiscriminator(space, {}), space, {}, label=True)
    with pytest.raises(ValueError, match="nothing to read"):
        HeadedDiscriminator(MLPDiscriminator(space, label), space, label)


# ---- the terms, on critics and generators whose opinions are known ----


class Told(Generator):
    """Makes zeros, and says the codes that it was built with."""

    latent_shape = (1,)

    def __init__(self, extras: Mapping[str, Tensor], rows: int) -> None:
        super().__init__()
        self.extras, self.bias, self.rows = extras, nn.Parameter(torch.zeros(2)), rows

    def forward(self, latent: Tensor | None, condition: Condition) -> Generated:
        return Generated(torch.zeros(self.rows, 2) + self.bias, extras=self.extras)


class Sure(Discriminator):
    """Gives the same outputs whatever it sees; those of real samples are doubled."""

    def __init__(self, **outputs: Tensor) -> None:
        super().__init__()
        self.outputs = nn.ParameterDict({name.replace("_", "·"): value for name, value in outputs.items()})

    def forward(self, sample: Tensor, condition: Condition, lengths: Tensor | None = None) -> Critique:
        factor = 1 + sample.detach().any().float()
        outputs = {name.replace("·", "."): factor * value for name, value in self.outputs.items()}
        return Critique((sample.sum(1),), outputs={name: v + 0 * sample.sum() for name, v in outputs.items()})


def context(critic: nn.Module, extras: Mapping[str, Tensor], label: Tensor | None = None) -> Context:
    condition = {} if label is None else {"label": label}
    generator = Told(extras, 4)
    batch = Batch(torch.ones(4, 2), condition)
    return Context({"generator": generator, "discriminator": critic}, batch, rng=torch.Generator())


def test_auxiliary_classifier_is_the_cross_entropy_of_each_side() -> None:
    logits, label = torch.randn(4, 3), torch.tensor([0, 1, 2, 1])
    seen = context(Sure(label=logits), {}, label)
    generator_side = AuxiliaryClassifier("generator")(seen)
    torch.testing.assert_close(generator_side, cross_entropy(logits, label))
    critic_side = AuxiliaryClassifier("discriminator")(seen)
    torch.testing.assert_close(critic_side, cross_entropy(logits, label) + cross_entropy(2 * logits, label))
    assert float(seen.recorded["class_accuracy"]) == (logits.argmax(1) == label).float().mean()
    assert AuxiliaryClassifier("generator").trains == ("generator",)
    assert AuxiliaryClassifier("discriminator", discriminator="critic").trains == ("critic",)


def test_auxiliary_classifier_says_what_is_missing() -> None:
    with pytest.raises(TrainingError, match=r"'discriminator' gives no outputs\['label'\]"):
        AuxiliaryClassifier("generator")(context(Sure(), {}, torch.zeros(4, dtype=torch.long)))
    with pytest.raises(TrainingError, match="the data have no label"):
        AuxiliaryClassifier("generator")(context(Sure(label=torch.zeros(4, 3)), {}))


def test_mutual_information_of_a_head_that_knows_nothing_is_the_codes_entropy() -> None:
    code = torch.tensor([0, 3, 9, 5])
    value = MutualInformation()(context(Sure(code_0=torch.zeros(4, 10)), {"code.0": code}))
    assert float(value.detach()) == pytest.approx(math.log(10))


@pytest.mark.parametrize("variance", [1.0, 0.25])
def test_mutual_information_adds_the_codes_up(variance: float) -> None:
    code, logits = torch.tensor([1, 0, 1, 1]), torch.randn(4, 2)
    continuous, mean = torch.rand(4, 3) * 2 - 1, torch.randn(4, 3)
    seen = context(
        Sure(code_0=logits, code_continuous=mean), {"code.0": code, "code.continuous": continuous, "style": mean}
    )
    value = MutualInformation(variance=variance)(seen)
    # The Gaussian's negative log-likelihood without its constant, summed over codes, meaned over rows.
    gaussian = torch.distributions.Normal(mean, variance**0.5)
    constant = 0.5 * math.log(2 * math.pi * variance)
    wanted = cross_entropy(logits, code) + (-gaussian.log_prob(continuous) - constant).sum(1).mean()
    torch.testing.assert_close(value, wanted)
    assert float(seen.recorded["recovered"]) == (logits.argmax(1) == code).float().mean()
    assert float(seen.recorded["code_error"]) == pytest.approx(float((continuous - mean).square().mean()))


def test_mutual_information_says_what_is_missing() -> None:
    code = torch.zeros(4, dtype=torch.long)
    with pytest.raises(TrainingError, match="needs codes, and 'generator' says none"):
        MutualInformation()(context(Sure(code_0=torch.zeros(4, 2)), {"style": torch.zeros(4, 1)}))
    with pytest.raises(TrainingError, match=r"draws 'code.1', and 'discriminator' gives no outputs\['code.1'\]"):
        MutualInformation()(context(Sure(code_0=torch.zeros(4, 2)), {"code.0": code, "code.1": code}))
    with pytest.raises(TrainingError, match=r"\(4, 2\)"):
        MutualInformation()(context(Sure(code_continuous=torch.zeros(4, 3)), {"code.continuous": torch.zeros(4, 2)}))
    with pytest.raises(ValueError, match="variance"):
        MutualInformation(variance=0.0)
