"""The spectrogram networks: shapes, sizes, and gradients that reach everything."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sparring.errors import DataError, TrainingError
from sparring.interfaces.discriminator import Critique
from sparring.interfaces.space import Space
from sparring.plugins.options import options_model
from sparring.spaces.array import ArraySpace
from sparring.spaces.label import LabelSpace
from sparring_audio.networks.labels import LabelledNorm
from sparring_audio.networks.sizes import halvings, nearest_sizes, strides
from sparring_audio.networks.spectrogram import SpectrogramDiscriminator, SpectrogramGenerator, channels_at
from tests.audio.files import small_space

LABELS = {"label": LabelSpace(["zero", "one", "two"])}
SIZES = [(16, 16), (64, 32), (32, 64), (40, 32), (80, 64), (80, 48), (8, 128), (128, 128)]


def spectrograms(mels: int, frames: int) -> Space:
    return ArraySpace([1, mels, frames])


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_the_list_is_not_empty() -> None:
    assert len(SIZES) > 5


@pytest.mark.parametrize("conditions", [{}, LABELS], ids=["plain", "labelled"])
@pytest.mark.parametrize(("mels", "frames"), SIZES)
def test_shapes(mels: int, frames: int, conditions: Mapping[str, Space]) -> None:
    space = spectrograms(mels, frames)
    generator = SpectrogramGenerator(space, conditions, latent_dim=5, width=2)
    discriminator = SpectrogramDiscriminator(space, conditions, width=2)
    condition = {"label": torch.tensor([0, 2, 1])} if conditions else {}
    latent = generator.latent(3, rng=torch.Generator().manual_seed(0))
    assert latent is not None
    assert latent.shape == (3, 5)
    sample = generator(latent, condition)
    assert sample.shape == (3, 1, mels, frames)
    assert sample.abs().max() <= 1
    opinion = discriminator(sample, condition)
    assert isinstance(opinion, Critique)
    assert [logit.shape for logit in opinion.logits] == [(3,)]
    (features,) = opinion.features
    assert len(features) == len(strides(mels, frames, "test"))
    assert features[0].shape == (3, 2, mels // 2, frames // 2)
    assert all(4 <= side <= 7 for side in features[-1].shape[2:])
    assert tuple(features[-1].shape[1:]) == generator.start_shape


def test_specgan_s_figure() -> None:
    """SpecGAN: 100 values, then maps of 4, 8, 16, 32, 64 and 128 to a side; here no layer is wider than 8d."""
    generator = SpectrogramGenerator(spectrograms(128, 128), {}, latent_dim=100, width=64)
    assert generator.start_shape == (512, 4, 4)
    assert strides(128, 128, "test") == [(2, 2)] * 5
    maps = [512, 512, 256, 128, 64, 64]  # and a 3×3 convolution, which SpecGAN does not have
    kernels = sum(16 * wide * narrow for wide, narrow in pairwise(maps)) + 9 * 64
    assert count(generator) == 100 * 512 * 16 + kernels + 2 * sum(maps) + 1
    assert [channels_at(64, depth) for depth in range(5)] == [64, 128, 256, 512, 512]


def test_the_longer_axis_is_halved_alone_in_the_last_layers() -> None:
    assert strides(64, 32, "test") == [(2, 2), (2, 2), (2, 2), (2, 1)]
    assert strides(8, 128, "test") == [(2, 2), (1, 2), (1, 2), (1, 2), (1, 2)]


@pytest.mark.parametrize("conditions", [{}, LABELS], ids=["plain", "labelled"])
def test_gradients_reach_every_parameter(conditions: Mapping[str, Space]) -> None:
    torch.manual_seed(0)
    space = spectrograms(16, 32)
    generator = SpectrogramGenerator(space, conditions, width=4)
    discriminator = SpectrogramDiscriminator(space, conditions, width=4)
    condition = {"label": torch.tensor([0, 1, 2])} if conditions else {}
    opinion = discriminator(generator(torch.randn(3, 64), condition), condition)
    torch.nn.functional.softplus(-opinion.logits[0]).sum().backward()
    for network in (generator, discriminator):
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.abs().sum() > 0, name


def test_the_label_changes_the_sound_and_the_opinion() -> None:
    torch.manual_seed(0)
    space = spectrograms(16, 16)
    generator = SpectrogramGenerator(space, LABELS, width=8).eval()
    discriminator = SpectrogramDiscriminator(space, LABELS, width=8)
    latent = torch.randn(1, 64).expand(2, -1)
    different = {"label": torch.tensor([1, 2])}
    sounds = generator(latent, different)
    assert not torch.equal(sounds[0], sounds[1])
    opinions = discriminator(sounds[:1].expand(2, -1, -1, -1), different).logits[0]
    assert opinions[0] != opinions[1]


@pytest.mark.parametrize(
    ("mels", "frames", "said"),
    [
        (50, 32, "mels to 48 or 56"),
        (64, 50, "frames to 48 or 56"),
        (5, 5, "mels to 8 and frames to 8"),
        (72, 100, "mels to 64 or 80 and frames to 96 or 112"),
    ],
)
@pytest.mark.parametrize("network", [SpectrogramGenerator, SpectrogramDiscriminator])
def test_other_sizes_are_refused_with_the_nearest_that_work(
    network: type[SpectrogramGenerator | SpectrogramDiscriminator], mels: int, frames: int, said: str
) -> None:
    with pytest.raises(DataError) as caught:
        network(spectrograms(mels, frames), {})
    assert f"{mels}x{frames}" in caught.value.what
    assert said in caught.value.remedy


@settings(max_examples=200)
@given(size=st.integers(1, 2000))
def test_every_size_works_or_is_answered_with_sizes_that_do(size: int) -> None:
    depth = halvings(size)
    if depth is None:
        near = nearest_sizes(size)
        assert near
        assert all(halvings(one) is not None for one in near)
        assert min(near) < size or size < 8
    else:
        assert size % 2**depth == 0
        assert 4 <= size >> depth <= 7


def test_what_does_not_fit_is_said() -> None:
    with pytest.raises(DataError, match="works on spectrograms"):
        SpectrogramGenerator(LABELS["label"], {})
    with pytest.raises(DataError, match="works on spectrograms"):
        SpectrogramDiscriminator(ArraySpace([3, 16, 16]), {})
    with pytest.raises(DataError, match="'mel'"):
        SpectrogramDiscriminator(small_space(), {"mel": small_space()})
    generator = SpectrogramGenerator(small_space(), LABELS, width=4)
    with pytest.raises(TrainingError, match="no label"):
        generator(torch.randn(2, 64), {})
    with pytest.raises(TrainingError, match="needs a latent"):
        generator(None, {})


def test_the_options_of_a_recipe() -> None:
    generator = options_model(SpectrogramGenerator, "generator")
    assert set(generator.model_fields) == {"space", "latent_dim", "width", "label_dim"}
    discriminator = options_model(SpectrogramDiscriminator, "discriminator")
    assert set(discriminator.model_fields) == {"space", "width"}


def test_every_label_has_its_own_scale_and_shift() -> None:
    torch.manual_seed(0)
    norm = LabelledNorm(LABELS, 2, "test")
    hidden = torch.randn(6, 2, 3, 4)
    label = torch.tensor([0, 1, 2, 0, 1, 2])
    plain = LabelledNorm({}, 2, "test")
    assert torch.allclose(norm(hidden, {"label": label}), plain(hidden, {}))  # at the start they do nothing
    assert norm.scale is not None
    assert norm.shift is not None
    with torch.no_grad():
        norm.scale.weight[1], norm.shift.weight[1] = 2.0, 3.0
    found = norm(hidden, {"label": label})
    ours = label == 1
    torch.testing.assert_close(found[ours], 2 * plain(hidden, {})[ours] + 3)
    torch.testing.assert_close(found[~ours], plain(hidden, {})[~ours])
