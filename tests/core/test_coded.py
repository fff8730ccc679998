"""InfoGAN's generator: what its latent holds, and how a code is asked for."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from sparring.errors import SparringError
from sparring.interfaces.data import Condition
from sparring.interfaces.generator import Generated, Generator
from sparring.networks.coded import CodedGenerator
from sparring.networks.mlp import MLPGenerator
from sparring.spaces.array import ArraySpace
from sparring.spaces.label import LabelSpace
from sparring.testing.contract import rng_at
from sparring.testing.stand_ins import StandInSequenceGenerator, StandInTokens


class Mirror(Generator):
    """The latent itself."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.latent_shape = shape
        self.seen: Condition = {}

    def forward(self, latent: Tensor | None, condition: Condition) -> Generated:
        assert latent is not None
        self.seen = condition
        return Generated(latent, extras={"style": latent[:, :1]})


def test_noise_then_one_hot_codes_then_uniform_ones() -> None:
    network = CodedGenerator(Mirror(4 + 3 + 2 + 2), categorical=[3, 2], continuous=2)
    latent = network.latent(3000, rng=rng_at(0))
    noise, first, second, continuous = torch.split(latent, [4, 3, 2, 2], dim=1)
    assert noise.mean().abs() < 0.05
    assert noise.std() == pytest.approx(1.0, abs=0.05)
    for codes in (first, second):
        assert set(codes.unique().tolist()) == {0.0, 1.0}
        assert torch.equal(codes.sum(1), torch.ones(3000))
        assert (codes.mean(0) - 1 / codes.shape[1]).abs().max() < 0.03  # three deviations
    assert continuous.abs().max() <= 1
    assert continuous.var(0).tolist() == pytest.approx([1 / 3, 1 / 3], abs=0.02)  # of U(-1, 1)


def test_codes_are_said_beside_what_the_inner_generator_says() -> None:
    network = CodedGenerator(Mirror(6), categorical=[3], continuous=1)
    latent = torch.tensor([[0.5, -0.5, 0, 0, 1, 0.25], [0.1, 0.2, 1, 0, 0, -1]])
    made = network(latent, {"label": torch.tensor([4, 5])})
    assert torch.equal(made.sample, latent)
    assert set(made.extras) == {"style", "code.0", "code.continuous"}
    assert made.extras["code.0"].tolist() == [2, 0]
    assert made.extras["code.0"].dtype == torch.long
    assert made.extras["code.continuous"].tolist() == [[0.25], [-1.0]]


def test_a_code_that_is_asked_for_takes_the_place_of_the_drawn_one() -> None:
    inner = Mirror(2 + 3 + 2 + 1)
    network = CodedGenerator(inner, categorical=[3, 2], continuous=1)
    latent = network.latent(2, rng=rng_at(1))
    label = torch.tensor([7, 8])
    asked = {"label": label, "code.1": torch.tensor([1, 0]), "code.continuous": torch.tensor([[0.5], [2.0]])}
    made = network(latent, asked)
    assert made.extras["code.1"].tolist() == [1, 0]
    assert made.extras["code.continuous"].tolist() == [[0.5], [2.0]]
    assert torch.equal(made.sample[:, :5], latent[:, :5])  # noise and the other code stay
    assert made.sample[:, 5:].tolist() == [[0, 1, 0.5], [1, 0, 2.0]]
    assert dict(inner.seen) == {"label": label}  # codes are no condition of the inner generator's


def test_spaces_of_the_codes() -> None:
    codes = CodedGenerator(Mirror(9), categorical=[4, 2], continuous=3).codes
    assert isinstance(codes["code.0"], LabelSpace)
    assert codes["code.0"].classes == ["0", "1", "2", "3"]
    assert list(codes) == ["code.0", "code.1", "code.continuous"]
    assert isinstance(codes["code.continuous"], ArraySpace)
    assert codes["code.continuous"].shape == (3,)
    assert list(CodedGenerator(Mirror(9), categorical=[2]).codes) == ["code.0"]


@given(categorical=st.lists(st.integers(2, 4), max_size=2), continuous=st.integers(0, 2), noise=st.integers(0, 3))
def test_any_mixture_of_codes(categorical: list[int], continuous: int, noise: int) -> None:
    codes = sum(categorical) + continuous
    if not codes:
        with pytest.raises(ValueError, match="no codes"):
            CodedGenerator(Mirror(noise + 1), categorical, continuous)
        return
    network = CodedGenerator(Mirror(noise + codes), categorical, continuous)
    made = network(network.latent(5, rng=rng_at(0)), {})
    assert network.noise == noise
    assert made.sample.shape == (5, noise + codes)
    again = network(made.sample, {name: made.extras[name] for name in network.codes})
    assert torch.equal(again.sample, made.sample)  # asked for the codes that were drawn, it makes the same


def test_gradient_reaches_the_inner_generator_and_codes_take_none() -> None:
    network = CodedGenerator(MLPGenerator(ArraySpace([3]), {}, latent_dim=5, width=4), [2], 1)
    made = network(network.latent(2, rng=rng_at(0)), {})
    made.sample.sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    assert not any(code.requires_grad for code in made.extras.values())


def test_impossible_codes_are_refused() -> None:
    with pytest.raises(SparringError, match="the codes take 12 numbers of the latent, which has 8") as raised:
        CodedGenerator(Mirror(8), [10], 2)
    assert "latent_dim to 12" in raised.value.remedy
    with pytest.raises(ValueError, match="at least 2 values"):
        CodedGenerator(Mirror(8), [1])
    with pytest.raises(SparringError, match="whose latent is a vector"):
        CodedGenerator(Mirror(2, 4), [2])
    with pytest.raises(SparringError, match="whose latent is a vector"):
        CodedGenerator(StandInSequenceGenerator(StandInTokens()), [2])
    with pytest.raises(SparringError, match="needs a latent"):
        CodedGenerator(Mirror(8), [2])(None, {})


def test_entropy_of_a_drawn_code_is_that_of_equal_shares() -> None:
    drawn = CodedGenerator(Mirror(10), [10])
    counts = torch.bincount(drawn(drawn.latent(5000, rng=rng_at(3)), {}).extras["code.0"]).double()
    share = counts / counts.sum()
    assert float(-(share * share.log()).sum()) == pytest.approx(math.log(10), abs=0.01)
