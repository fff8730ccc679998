"""The generators that pictures drive: U-Net, translator and inpainter."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch

from sparring.errors import DataError, TrainingError
from sparring.interfaces.generator import Generator
from sparring.interfaces.space import Space
from sparring.spaces.label import LabelSpace
from sparring_image.networks.inpainter import InpainterGenerator
from sparring_image.networks.translator import TranslatorGenerator
from sparring_image.networks.unet import UNetGenerator
from sparring_image.spaces import ImageSpace

torch.set_num_threads(1)

SIZES = [(8, 8), (16, 16), (28, 28), (64, 64), (32, 64), (48, 24)]
NORMALIZATIONS = ["none", "batch", "instance"]


def space(height: int, width: int | None = None, channels: int = 3) -> ImageSpace:
    return ImageSpace(channels, height, width or height)  # type: ignore[arg-type]


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def networks(height: int, width: int, channels: int) -> list[tuple[Generator, dict[str, torch.Tensor]]]:
    """Build each of the three, small, with a condition for two rows."""
    one, mask = space(height, width, channels), space(height, width, 1)
    image = torch.rand(2, channels, height, width) * 2 - 1
    hole = torch.zeros(2, 1, height, width)
    hole[:, :, 1:4, 2:5] = 1
    return [
        (UNetGenerator(one, {"image": one}, width=4), {"image": image}),
        (TranslatorGenerator(one, {"image": one}, width=4, blocks=1), {"image": image}),
        (InpainterGenerator(one, {"image": one, "mask": mask}, width=4), {"image": image * (1 - hole), "mask": hole}),
    ]


def test_the_lists_are_not_empty() -> None:
    assert len(SIZES) > 4
    assert len(NORMALIZATIONS) == 3


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_shapes_and_ranges(height: int, width: int, channels: int) -> None:
    for network, condition in networks(height, width, channels):
        assert network.latent_shape is None
        sample = network(None, condition)
        assert sample.shape == (2, channels, height, width)
        assert sample.abs().max() <= 1


def test_gradients_reach_every_parameter() -> None:
    torch.manual_seed(0)
    for network, condition in networks(16, 16, 3):
        wanted = torch.randn(2, 3, 16, 16)
        (network(None, condition) - wanted).square().sum().backward()
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.abs().sum() > 0, name


# ---- U-Net ----


def test_the_paper_s_u_net() -> None:
    """256x256 colour, halved to one pixel: the authors' code prints 54.414 M parameters.

    It leaves out the biases of the first layer (64) and of the innermost (512), which no norm follows.
    """
    network = UNetGenerator(space(256), {"image": space(256)}, start=1)
    assert [layer[0].out_channels for layer in network.down] == [64, 128, 256, 512, 512, 512, 512, 512]
    assert (count(network) - 64 - 512) / 1e6 == pytest.approx(54.414, abs=5e-4)


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_one_pixel_in_the_middle_is_no_trouble(normalization: str) -> None:
    network = UNetGenerator(space(8), {"image": space(8)}, width=4, start=1, normalization=normalization)  # type: ignore[arg-type]
    assert network(None, {"image": torch.randn(1, 3, 8, 8)}).isfinite().all()


def test_dropout_is_noise_in_training_alone() -> None:
    image = {"image": torch.randn(2, 3, 32, 32)}
    noisy = UNetGenerator(space(32), {"image": space(32)}, width=4)
    assert not torch.equal(noisy(None, image), noisy(None, image))
    noisy.eval()
    assert torch.equal(noisy(None, image), noisy(None, image))
    quiet = UNetGenerator(space(32), {"image": space(32)}, width=4, dropout=0)
    assert torch.equal(quiet(None, image), quiet(None, image))


def test_details_pass_across() -> None:
    """A pixel's change reaches the other end with the innermost map held at zero: only skips can carry it."""
    network = UNetGenerator(space(16), {"image": space(16)}, width=4, dropout=0, normalization="none")
    with torch.no_grad():
        network.down[-1][0].weight.zero_()
        network.down[-1][0].bias.zero_()
    image = torch.zeros(1, 3, 16, 16)
    changed = image.clone()
    changed[..., 8, 8] = 1
    assert not torch.equal(network(None, {"image": image}), network(None, {"image": changed}))


def test_all_conditions_are_joined() -> None:
    conditions = {"image": space(16, channels=1), "mask": space(16, channels=1)}
    network = UNetGenerator(space(16), conditions, width=4).eval()
    image, mask = torch.randn(1, 1, 16, 16), torch.zeros(1, 1, 16, 16)
    first = network(None, {"image": image, "mask": mask})
    assert first.shape == (1, 3, 16, 16)
    assert not torch.equal(first, network(None, {"image": image, "mask": mask + 1}))


# ---- translator ----


def test_the_paper_s_translator() -> None:
    """Nine blocks at width 64: the authors' code prints 11.378 M; it has biases, and norms without scale and shift.

    Before such a norm a bias does nothing; we have a scale and a shift for each channel instead.
    """
    network = TranslatorGenerator(space(256), {"image": space(256)}, blocks=9)
    normed = 64 + 128 + 256 + 18 * 256 + 128 + 64
    assert (count(network) - 2 * normed + normed) / 1e6 == pytest.approx(11.378, abs=5e-4)


def test_a_way_back_between_grey_and_colour() -> None:
    grey, colour = space(16, channels=1), space(16)
    there = TranslatorGenerator(colour, {"image": grey}, width=4, blocks=1)
    back = TranslatorGenerator(grey, {"image": grey}, width=4, blocks=1, channels=3)
    sketch = torch.randn(2, 1, 16, 16)
    photograph = there(None, {"image": sketch})
    assert photograph.shape == (2, 3, 16, 16)
    assert back(None, {"image": photograph}).shape == sketch.shape
    with pytest.raises(TrainingError, match="1 channels, and was given 3") as caught:
        there(None, {"image": photograph})
    assert "`channels: 3`" in caught.value.remedy


# ---- inpainter ----


def test_what_is_known_is_passed_through_and_the_hole_is_filled() -> None:
    torch.manual_seed(0)
    (*_, (network, condition)) = networks(16, 16, 3)
    made, mask = network(None, condition), condition["mask"].expand(-1, 3, -1, -1).bool()
    assert torch.equal(made[~mask], condition["image"][~mask])
    assert (made[mask] != condition["image"][mask]).all()


def test_the_whole_picture_has_a_say_in_the_hole() -> None:
    torch.manual_seed(0)
    one = space(64, channels=1)
    network = InpainterGenerator(one, {"image": one, "mask": one}, width=4)
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., 30:34, 30:34] = 1
    image = torch.zeros(1, 1, 64, 64, requires_grad=True)
    made = network(None, {"image": image, "mask": mask})
    (slope,) = torch.autograd.grad(made[..., 30:34, 30:34].sum(), image)
    corners = slope[0, 0, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert (corners != 0).all()


@pytest.mark.parametrize(("side", "dilations"), [(8, 1), (16, 2), (28, 2), (32, 3), (64, 4)])
def test_there_are_as_many_dilations_as_the_map_needs(side: int, dilations: int) -> None:
    one = space(side, channels=1)
    assert len(InpainterGenerator(one, {"image": one, "mask": one}, width=2).middle) == dilations


# ---- what does not fit ----


@pytest.mark.parametrize("kind", [UNetGenerator, TranslatorGenerator, InpainterGenerator])
def test_what_does_not_fit_is_said(kind: type[Generator]) -> None:
    one = space(16)
    mask: Mapping[str, Space] = {"mask": space(16, channels=1)} if kind is InpainterGenerator else {}
    with pytest.raises(DataError, match="no condition") as caught:
        kind(one, {})  # type: ignore[call-arg]
    assert "image" in caught.value.remedy
    with pytest.raises(DataError, match="'label'"):
        kind(one, {"label": LabelSpace(["a", "b"])})  # type: ignore[call-arg]
    with pytest.raises(DataError, match="'image'"):
        kind(one, {"image": space(32), **mask})  # type: ignore[call-arg]
    with pytest.raises(DataError, match="works on images"):
        kind(LabelSpace(["a", "b"]), {"image": one, **mask})  # type: ignore[call-arg]
    network = kind(one, {"image": one, **mask})  # type: ignore[call-arg]
    with pytest.raises(TrainingError) as lacking:
        network(None, {})
    assert "image" in lacking.value.what


def test_sizes_that_cannot_be_halved_are_refused() -> None:
    for kind, side in ((UNetGenerator, 30), (TranslatorGenerator, 30), (TranslatorGenerator, 4)):
        with pytest.raises(DataError, match=f"{side}x{side}"):
            kind(space(side), {"image": space(side)})
    with pytest.raises(DataError, match="30x30"):
        InpainterGenerator(space(30), {"image": space(30), "mask": space(30, channels=1)})
    with pytest.raises(DataError, match="wrap the data"):
        InpainterGenerator(space(16), {"image": space(16)})
    with pytest.raises(DataError, match="1 channels"):
        InpainterGenerator(space(16), {"image": space(16, channels=1), "mask": space(16, channels=1)})
    with pytest.raises(DataError, match="image, mask"):
        TranslatorGenerator(space(16), {"image": space(16), "mask": space(16, channels=1)})
