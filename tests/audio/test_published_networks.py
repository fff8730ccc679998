"""SpecGAN, WaveGAN and GANSynth's networks: their papers' figures, sizes, phase shuffle and labels."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from sparring.errors import DataError, TrainingError
from sparring.interfaces.discriminator import Critique
from sparring.interfaces.space import Space
from sparring.networks.heads import HeadedDiscriminator
from sparring.spaces.array import ArraySpace
from sparring.spaces.label import LabelSpace
from sparring_audio.networks.gansynth import GansynthDiscriminator, GansynthGenerator, batch_spread, pixel_norm
from sparring_audio.networks.specgan import SpecganDiscriminator, SpecganGenerator
from sparring_audio.networks.wavegan import (
    SHORTEST_START,
    STRIDE,
    WaveganDiscriminator,
    WaveganGenerator,
    shuffle_phase,
    start_of,
)

torch.set_num_threads(1)

LABELS = {"label": LabelSpace(["kick", "snare", "hat"])}
MAPS = [(128, 128), (64, 32), (16, 64), (40, 56)]
LENGTHS = [(16384, 16, 5), (8192, 8, 5), (65536, 16, 6), (4096, 16, 4), (28 * 64, 28, 3)]


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def drawn(generator: SpecganGenerator | WaveganGenerator | GansynthGenerator, rows: int) -> Tensor:
    latent = generator.latent(rows, rng=torch.Generator().manual_seed(0))
    assert latent is not None
    return latent


def test_the_lists_are_not_empty() -> None:
    assert len(MAPS) > 3
    assert len(LENGTHS) > 3


# ---- the papers' figures ----


def test_specgan_s_layers() -> None:
    """Appendix D, table 3 and 4: from 100 values by 4×4×16d to 128×128, with 5×5 kernels and biases."""
    generator = SpecganGenerator(ArraySpace([1, 128, 128]), {}, width=8)
    maps = [128, 64, 32, 16, 8, 1]
    assert generator.start_shape == (128, 4, 4)
    assert count(generator) == 101 * 128 * 16 + sum(25 * wide * narrow + narrow for wide, narrow in pairwise(maps))
    discriminator = SpecganDiscriminator(ArraySpace([1, 128, 128]), {}, width=8)
    kernels = sum(25 * wide * narrow + wide for wide, narrow in pairwise(maps))
    assert count(discriminator) == kernels + 128 * 16 + 1


def test_wavegan_s_layers() -> None:
    """Appendix D, table 1 and 2: from 100 values by 16×16d to 16384, with kernels of 25 and biases."""
    generator = WaveganGenerator(ArraySpace([1, 16384]), {}, width=8)
    maps = [128, 64, 32, 16, 8, 1]
    assert generator.start_shape == (128, 16)
    assert count(generator) == 101 * 128 * 16 + sum(25 * wide * narrow + narrow for wide, narrow in pairwise(maps))
    discriminator = WaveganDiscriminator(ArraySpace([1, 16384]), {}, width=8)
    kernels = sum(25 * wide * narrow + wide for wide, narrow in pairwise(maps))
    assert count(discriminator) == kernels + 128 * 16 + 1


def test_gansynth_s_channels() -> None:
    """Progressive growing's from 32 to 256: 1024 by 128 are halved until 4 by 4 are left, with two layers a size."""
    generator = GansynthGenerator(ArraySpace([2, 1024, 128]), {}, width=32)
    convolutions = [module for module in generator.modules() if isinstance(module, nn.Conv2d)]
    # The axis that is longer is halved alone in the innermost layers.
    assert [layer.out_channels for layer in convolutions] == [256] * 11 + [128, 128, 64, 64, 32, 32, 2]
    assert generator.start_shape == (256, 4, 4)


# ---- shapes and gradients ----


@pytest.mark.parametrize("conditions", [{}, LABELS], ids=["plain", "labelled"])
@pytest.mark.parametrize(("frequencies", "frames"), MAPS)
def test_maps(frequencies: int, frames: int, conditions: dict[str, Space]) -> None:
    condition = {"label": torch.tensor([0, 2, 1])} if conditions else {}
    single, double = ArraySpace([1, frequencies, frames]), ArraySpace([2, frequencies, frames])
    first = SpecganGenerator(single, conditions, latent_dim=5, width=2)
    second = GansynthGenerator(double, conditions, latent_dim=5, width=2)
    for generator, discriminator, space in (
        (first, SpecganDiscriminator(single, conditions, width=2), single),
        (second, GansynthDiscriminator(double, width=2), double),
    ):
        assert isinstance(generator, SpecganGenerator | GansynthGenerator)
        sample = generator(drawn(generator, 3), condition)
        assert sample.shape == (3, *space.shape)
        assert sample.abs().max() <= 1
        check_opinion(discriminator(sample, condition), generator, discriminator)


@pytest.mark.parametrize("conditions", [{}, LABELS], ids=["plain", "labelled"])
@pytest.mark.parametrize(("length", "start", "depth"), LENGTHS)
def test_waveforms(length: int, start: int, depth: int, conditions: dict[str, Space]) -> None:
    condition = {"label": torch.tensor([0, 2, 1])} if conditions else {}
    space = ArraySpace([1, length])
    assert start_of(space) == (start, depth)
    generator = WaveganGenerator(space, conditions, latent_dim=5, width=2)
    discriminator = WaveganDiscriminator(space, conditions, width=2)
    sample = generator(drawn(generator, 3), condition)
    assert sample.shape == (3, 1, length)
    check_opinion(discriminator(sample, condition), generator, discriminator)


def check_opinion(opinion: Critique, generator: nn.Module, discriminator: nn.Module) -> None:
    """One logit a row, and gradients that reach every parameter of both networks."""
    assert [logit.shape for logit in opinion.logits] == [(3,)]
    nn.functional.softplus(-opinion.logits[0]).sum().backward()
    for network in (generator, discriminator):
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name


@settings(max_examples=200)
@given(length=st.integers(1, 100_000))
def test_every_length_works_or_is_answered_with_lengths_that_do(length: int) -> None:
    try:
        start, depth = start_of(ArraySpace([1, length]))
    except DataError as error:
        near = [int(word) for word in error.remedy.split() if word.isdigit()]
        assert near
        for one in near:
            start_of(ArraySpace([1, one]))
        return
    assert start * STRIDE**depth == length
    assert SHORTEST_START <= start < STRIDE * SHORTEST_START


def test_the_latent_is_uniform() -> None:
    for generator in (
        SpecganGenerator(ArraySpace([1, 16, 16]), {}, width=2),
        WaveganGenerator(ArraySpace([1, 64]), {}, width=2),
    ):
        latent = drawn(generator, 500)
        assert latent.shape == (500, 100)
        assert latent.abs().max() <= 1
        assert latent.std().item() == pytest.approx(1 / math.sqrt(3), abs=0.01)


# ---- phase shuffle ----


def test_phase_shuffle_shifts_each_row_and_mirrors_its_edges() -> None:
    torch.manual_seed(0)
    rows = torch.arange(10.0).expand(200, 3, 10)
    shuffled = shuffle_phase(rows, 2)
    assert (shuffled == shuffled[:, :1]).all()  # all channels alike
    shift = shuffled[:, 0, 4] - 4
    assert sorted(set(shift.tolist())) == [-2, -1, 0, 1, 2]
    expected = {
        2.0: [2, 3, 4, 5, 6, 7, 8, 9, 8, 7],
        0.0: list(range(10)),
        -2.0: [2, 1, 0, 1, 2, 3, 4, 5, 6, 7],
    }
    for index, one in enumerate(shift.tolist()):
        if one in expected:
            assert shuffled[index, 0].tolist() == expected[one]


def test_phase_shuffle_is_for_training_and_follows_the_seed_of_layers() -> None:
    torch.manual_seed(3)
    discriminator = WaveganDiscriminator(ArraySpace([1, 512]), {}, width=2)
    sample = torch.randn(8, 1, 512)
    torch.manual_seed(1)
    first = discriminator(sample, {}).logits[0]
    assert not torch.equal(first, discriminator(sample, {}).logits[0])
    torch.manual_seed(1)
    assert torch.equal(first, discriminator(sample, {}).logits[0])
    discriminator.eval()
    before = torch.get_rng_state()
    assert torch.equal(discriminator(sample, {}).logits[0], discriminator(sample, {}).logits[0])
    assert torch.equal(before, torch.get_rng_state())
    still = WaveganDiscriminator(ArraySpace([1, 512]), {}, width=2, phase_shuffle=0)
    still.load_state_dict(discriminator.state_dict())
    assert torch.equal(still(sample, {}).logits[0], discriminator(sample, {}).logits[0])
    with pytest.raises(DataError, match="phase shuffle of 8"):
        WaveganDiscriminator(ArraySpace([1, 512]), {}, phase_shuffle=8)


# ---- GANSynth's parts ----


def test_pixel_norm_leaves_unit_mean_squares() -> None:
    hidden = torch.randn(2, 7, 3, 4, generator=torch.Generator().manual_seed(0)) * 50
    torch.testing.assert_close(pixel_norm(hidden).square().mean(1), torch.ones(2, 3, 4))
    assert not pixel_norm(torch.zeros(1, 3)).any()


def test_the_spread_over_the_batch() -> None:
    two = torch.stack([torch.zeros(3, 2, 2), torch.full((3, 2, 2), 4.0)])
    assert batch_spread(two).shape == (2, 1, 2, 2)
    torch.testing.assert_close(batch_spread(two), torch.full((2, 1, 2, 2), 2.0))
    same = torch.ones(4, 3, 2, 2, requires_grad=True)
    batch_spread(same).sum().backward()
    assert same.grad is not None
    assert same.grad.isfinite().all()  # a root at zero would have none


def test_heads_name_the_class_of_gansynth_s_critic() -> None:
    space = ArraySpace([2, 16, 16])
    headed = HeadedDiscriminator(GansynthDiscriminator(space, width=2), space, LABELS, label=True)
    opinion = headed(torch.randn(4, 2, 16, 16), {"label": torch.tensor([0, 1, 2, 0])})
    assert opinion.outputs["label"].shape == (4, 3)


def test_what_does_not_fit_is_said() -> None:
    image = ArraySpace([3, 16, 16])
    for network in (SpecganGenerator, SpecganDiscriminator):
        with pytest.raises(DataError, match="works on spectrograms"):
            network(image, {})
    for network in (WaveganGenerator, WaveganDiscriminator):
        with pytest.raises(DataError, match="works on waveforms"):
            network(image, {})
        with pytest.raises(DataError, match="'mel'"):
            network(ArraySpace([1, 512]), {"mel": image})
    with pytest.raises(DataError, match="works on maps"):
        GansynthGenerator(ArraySpace([1, 512]), {})
    with pytest.raises(DataError, match="50x32"):
        GansynthDiscriminator(ArraySpace([2, 50, 32]))
    for generator in (
        SpecganGenerator(ArraySpace([1, 16, 16]), LABELS, width=2),
        WaveganGenerator(ArraySpace([1, 512]), LABELS, width=2),
        GansynthGenerator(ArraySpace([2, 16, 16]), LABELS, width=2),
    ):
        with pytest.raises(TrainingError, match="no label"):
            generator(drawn(generator, 2), {})
        with pytest.raises(TrainingError, match="needs a latent"):
            generator(None, {})
