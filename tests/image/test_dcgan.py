"""DCGAN: shapes, sizes, the published parameter counts, and gradients that reach everything."""

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
from sparring.spaces.label import LabelSpace
from sparring_image.networks.dcgan import DCGANDiscriminator, DCGANGenerator, channels_at
from sparring_image.networks.sizes import halvings, nearest_sizes
from sparring_image.spaces import ImageSpace

torch.set_num_threads(1)

LABELS = {"label": LabelSpace([str(digit) for digit in range(10)])}
SIZES = [(8, 8), (16, 16), (32, 32), (28, 28), (64, 64), (32, 64), (48, 24)]
NORMALIZATIONS = ["none", "batch", "spectral"]


def picture_space(channels: int, height: int, width: int) -> ImageSpace:
    return ImageSpace(channels, height, width)  # type: ignore[arg-type]


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_the_lists_are_not_empty() -> None:
    assert len(SIZES) > 5
    assert len(NORMALIZATIONS) == 3


@pytest.mark.parametrize("conditions", [{}, LABELS], ids=["plain", "labelled"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_shapes(height: int, width: int, channels: int, conditions: Mapping[str, Space]) -> None:
    space = picture_space(channels, height, width)
    generator = DCGANGenerator(space, conditions, latent_dim=5, width=4)
    discriminator = DCGANDiscriminator(space, conditions, width=4)
    condition = {"label": torch.tensor([0, 9, 3])} if conditions else {}
    latent = generator.latent(3, rng=torch.Generator().manual_seed(0))
    assert latent is not None
    assert latent.shape == (3, 5)
    sample = generator(latent, condition)
    assert sample.shape == (3, channels, height, width)
    assert sample.abs().max() <= 1
    opinion = discriminator(sample, condition)
    assert isinstance(opinion, Critique)
    assert [logit.shape for logit in opinion.logits] == [(3,)]
    (features,) = opinion.features
    assert len(features) == halvings(height, width, None, "test")
    assert features[0].shape == (3, 4, height // 2, width // 2)


def test_the_published_parameter_counts() -> None:
    """64x64 colour, 100 latents: the authors' code and PyTorch's tutorial have 3,576,704 and 2,765,568 at width 64.

    They leave out the three biases at the picture and those of the critic's first (64) and last (1) layer.
    """
    space = picture_space(3, 64, 64)
    assert count(DCGANGenerator(space, {}, latent_dim=100, width=64)) == 3_576_704 + 3
    assert count(DCGANDiscriminator(space, {}, width=64, normalization="batch")) == 2_765_568 + 64 + 1


def test_the_paper_s_figure() -> None:
    """Figure 1 of the paper: 100 values, then 4x4x1024, 8x8x512, 16x16x256, 32x32x128 and 64x64x3."""
    generator = DCGANGenerator(picture_space(3, 64, 64), {}, latent_dim=100, width=128)
    assert generator.start_shape == (1024, 4, 4)
    maps = [1024, 512, 256, 128, 3]
    kernels = sum(16 * wide * narrow for wide, narrow in pairwise(maps))
    expected = 100 * 1024 * 16 + kernels + sum(2 * wide for wide in maps[:-1]) + 3
    assert count(generator) == expected


def test_larger_pictures_get_deeper_not_wider() -> None:
    assert [channels_at(64, depth) for depth in range(6)] == [64, 128, 256, 512, 512, 512]


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize("conditions", [{}, LABELS], ids=["plain", "labelled"])
def test_gradients_reach_every_parameter(conditions: Mapping[str, Space], normalization: str) -> None:
    torch.manual_seed(0)
    space = picture_space(1, 16, 16)
    generator = DCGANGenerator(space, conditions, width=4)
    discriminator = DCGANDiscriminator(space, conditions, width=4, normalization=normalization)  # type: ignore[arg-type]
    condition = {"label": torch.arange(10)} if conditions else {}
    opinion = discriminator(generator(torch.randn(10, 64), condition), condition)
    torch.nn.functional.softplus(-opinion.logits[0]).sum().backward()
    for network in (generator, discriminator):
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.abs().sum() > 0, name


def test_the_gradient_penalty_reaches_the_critic() -> None:
    """R1 differentiates twice; every weight that the input's gradient depends on must learn from it."""
    discriminator = DCGANDiscriminator(picture_space(1, 8, 8), LABELS, width=4)
    sample = torch.randn(6, 1, 8, 8, requires_grad=True)
    logits = discriminator(sample, {"label": torch.arange(6)}).logits[0]
    (slope,) = torch.autograd.grad(logits.sum(), sample, create_graph=True)
    slope.square().sum().backward()
    for name, parameter in discriminator.named_parameters():
        if name.endswith("weight"):
            assert parameter.grad is not None, name
            assert parameter.grad.abs().sum() > 0, name


def test_the_label_changes_the_picture_and_the_opinion() -> None:
    torch.manual_seed(0)
    space = picture_space(1, 8, 8)
    generator = DCGANGenerator(space, LABELS, width=8).eval()
    discriminator = DCGANDiscriminator(space, LABELS, width=8)
    latent = torch.randn(1, 64).expand(2, -1)
    different = {"label": torch.tensor([1, 2])}
    pictures = generator(latent, different)
    assert not torch.equal(pictures[0], pictures[1])
    opinions = discriminator(pictures[:1].expand(2, -1, -1, -1), different).logits[0]
    assert opinions[0] != opinions[1]


@pytest.mark.parametrize("normalization", ["none", "spectral"])
def test_rows_do_not_see_one_another_in_the_critic(normalization: str) -> None:
    discriminator = DCGANDiscriminator(picture_space(3, 16, 16), {}, width=4, normalization=normalization)  # type: ignore[arg-type]
    discriminator.eval()
    sample = torch.randn(4, 3, 16, 16)
    together = discriminator(sample, {}).logits[0]
    alone = torch.cat([discriminator(row[None], {}).logits[0] for row in sample])
    torch.testing.assert_close(together, alone)


def test_spectral_normalization_bounds_every_layer() -> None:
    torch.manual_seed(0)
    discriminator = DCGANDiscriminator(picture_space(1, 16, 16), LABELS, width=8, normalization="spectral")
    for _ in range(50):  # each pass in training improves the estimate of the largest singular value
        discriminator(torch.randn(2, 1, 16, 16), {"label": torch.zeros(2, dtype=torch.long)})
    discriminator.eval()
    weights = [module.weight for module in discriminator.modules() if hasattr(module, "parametrizations")]
    assert len(weights) == 4
    for weight in weights:
        assert torch.linalg.matrix_norm(weight.flatten(1), 2).item() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize(
    ("height", "width", "start", "near"),
    [
        (100, 100, None, "96x96 or 112x112"),
        (30, 30, None, "28x28 or 32x32"),
        (5, 5, None, "8x8"),
        (64, 30, None, "64x28 or 64x32"),
        (30, 64, None, "28x64 or 32x64"),
        (12, 12, 4, "8x8 or 16x16"),
        (8, 8, 8, "16x16"),
    ],
)
@pytest.mark.parametrize("network", [DCGANGenerator, DCGANDiscriminator])
def test_other_sizes_are_refused_with_the_nearest_that_work(
    network: type[DCGANGenerator | DCGANDiscriminator], height: int, width: int, start: int | None, near: str
) -> None:
    with pytest.raises(DataError) as caught:
        network(picture_space(1, height, width), {}, start=start)
    assert f"{height}x{width}" in caught.value.what
    assert f"to {near}" in caught.value.remedy


@settings(max_examples=300, deadline=None)
@given(height=st.integers(1, 300), width=st.integers(1, 300), start=st.none() | st.integers(1, 9))
def test_every_size_works_or_is_answered_with_sizes_that_do(height: int, width: int, start: int | None) -> None:
    try:
        depth = halvings(height, width, start, "test")
    except DataError:
        near = nearest_sizes(height, width, start)
        assert near
        for nearest in near:
            assert halvings(*nearest, start, "test") >= 1
    else:
        assert height % 2**depth == 0
        assert width % 2**depth == 0


def test_start_sets_the_depth() -> None:
    generator = DCGANGenerator(picture_space(1, 8, 8), {}, width=8, start=2)
    assert generator.start_shape == (16, 2, 2)
    assert len(DCGANDiscriminator(picture_space(1, 8, 8), {}, width=8, start=2).blocks) == 2
    with pytest.raises(DataError, match="0 rows"):
        DCGANGenerator(picture_space(1, 8, 8), {}, start=0)


def test_what_does_not_fit_is_said() -> None:
    with pytest.raises(DataError, match="works on images"):
        DCGANGenerator(LABELS["label"], {})
    with pytest.raises(DataError, match="'picture'"):
        DCGANDiscriminator(picture_space(1, 8, 8), {"picture": picture_space(1, 8, 8)})
    generator = DCGANGenerator(picture_space(1, 8, 8), LABELS, width=4)
    with pytest.raises(TrainingError, match="no label"):
        generator(torch.randn(2, 64), {})
    with pytest.raises(TrainingError, match="needs a latent"):
        generator(None, {})


def test_the_options_of_a_recipe() -> None:
    generator = options_model(DCGANGenerator, "generator")
    assert set(generator.model_fields) == {"space", "latent_dim", "width", "start", "label", "label_dim"}
    discriminator = options_model(DCGANDiscriminator, "discriminator")
    assert set(discriminator.model_fields) == {"space", "width", "start", "normalization", "label", "packing"}
