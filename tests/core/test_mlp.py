"""Multilayer perceptrons: shapes, conditions, gradients."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sparring.errors import SparringError
from sparring.interfaces.space import Space
from sparring.networks.mlp import MLPDiscriminator, MLPGenerator
from sparring.spaces.array import ArraySpace
from sparring.spaces.label import LabelSpace
from sparring.spaces.point import PointSpace

LABEL: dict[str, Space] = {"label": LabelSpace(["a", "b", "c"])}


@given(
    shape=st.lists(st.integers(1, 4), max_size=3),
    latent_dim=st.integers(1, 5),
    width=st.integers(1, 6),
    depth=st.integers(1, 3),
    conditional=st.booleans(),
)
def test_shapes(shape: list[int], latent_dim: int, width: int, depth: int, conditional: bool) -> None:
    space, conditions = ArraySpace(shape), LABEL if conditional else {}
    generator = MLPGenerator(space, conditions, latent_dim, width, depth)
    discriminator = MLPDiscriminator(space, conditions, width, depth)
    latent = generator.latent(5, rng=torch.Generator())
    condition = {"label": torch.tensor([0, 1, 2, 0, 1])} if conditional else {}
    sample = generator(latent, condition)
    assert sample.shape == (5, *shape)
    critique = discriminator(sample, condition)
    assert [logits.shape for logits in critique.logits] == [(5,)]
    assert [[layer.shape for layer in scale] for scale in critique.features] == [[(5, width)] * depth]


def test_the_label_changes_the_sample_and_the_opinion() -> None:
    generator, discriminator = MLPGenerator(PointSpace(), LABEL), MLPDiscriminator(PointSpace(), LABEL)
    latent = torch.zeros(3, 64)
    sample = generator(latent, {"label": torch.tensor([0, 1, 1])})
    assert not sample[0].equal(sample[1])
    torch.testing.assert_close(sample[1], sample[2])
    logits = discriminator(torch.zeros(3, 2), {"label": torch.tensor([0, 1, 1])}).logits[0]
    assert logits[0] != logits[1]
    torch.testing.assert_close(logits[1], logits[2])


def test_every_parameter_learns() -> None:
    generator, discriminator = MLPGenerator(PointSpace(), LABEL), MLPDiscriminator(PointSpace(), LABEL)
    condition = {"label": torch.tensor([0, 1, 2])}
    discriminator(generator(torch.randn(3, 64), condition), condition).logits[0].sum().backward()
    for network in (generator, discriminator):
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


def test_rows_do_not_mix() -> None:
    discriminator = MLPDiscriminator(PointSpace(), {})
    sample = torch.randn(4, 2)
    together = discriminator(sample, {}).logits[0]
    apart = torch.cat([discriminator(row, {}).logits[0] for row in torch.split(sample, 1)])
    torch.testing.assert_close(together, apart)


def test_a_critic_of_waves_alone_repeats_itself() -> None:
    discriminator = MLPDiscriminator(PointSpace(), {}, frequencies=2)
    first = next(module for module in discriminator.modules() if isinstance(module, torch.nn.Linear))
    with torch.no_grad():
        first.weight[:, :2] = 0  # no longer sees the values themselves
    sample = torch.randn(4, 2)
    logits = discriminator(sample, {}).logits[0]
    # The longest wave has a length of 2, in either coordinate.
    for shift in ([2.0, 0.0], [0.0, -4.0]):
        torch.testing.assert_close(discriminator(sample + torch.tensor(shift), {}).logits[0], logits, rtol=0, atol=1e-4)
    assert not torch.allclose(discriminator(sample + torch.tensor([1.0, 0.0]), {}).logits[0], logits, atol=1e-4)


def test_signs_are_all_that_is_seen_of_the_last_values() -> None:
    generator = MLPGenerator(PointSpace(), {}, latent_dim=5, width=8, signs=3)
    latent = torch.tensor([[0.3, -1.2, 0.5, -0.1, 2.0]])
    stretched = latent * torch.tensor([1.0, 1.0, 7.0, 0.2, 3.0])
    flipped = latent * torch.tensor([1.0, 1.0, 1.0, -1.0, 1.0])
    scaled = latent * torch.tensor([1.0, 2.0, 1.0, 1.0, 1.0])
    sample = generator(latent, {})
    torch.testing.assert_close(generator(stretched, {}), sample)
    assert not torch.allclose(generator(flipped, {}), sample)
    assert not torch.allclose(generator(scaled, {}), sample)


@pytest.mark.parametrize("signs", [-1, 5])
def test_signs_are_some_of_the_latent(signs: int) -> None:
    with pytest.raises(ValueError, match="between 0 and latent_dim, 4"):
        MLPGenerator(PointSpace(), {}, latent_dim=4, signs=signs)


class Endless(ArraySpace):
    """A space of no fixed shape."""

    def __init__(self) -> None:
        super().__init__([1])
        self.shape = (-1,)


def test_impossible_networks_are_refused() -> None:
    with pytest.raises(SparringError, match="fixed shape"):
        MLPGenerator(Endless(), {})
    with pytest.raises(ValueError, match="depth"):
        MLPDiscriminator(PointSpace(), {}, depth=0)
    with pytest.raises(ValueError, match="frequencies"):
        MLPDiscriminator(PointSpace(), {}, frequencies=-1)
    with pytest.raises(SparringError, match="latent"):
        MLPGenerator(PointSpace(), {})(None, {})
