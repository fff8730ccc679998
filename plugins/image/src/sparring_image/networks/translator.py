"""CycleGAN's translator: residual blocks at a quarter of the size (Zhu, Park, Isola and Efros 2017, arXiv:1703.10593).

Letters in names of tensors: B rows of the batch, C channels, H rows and W columns of pixels.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from sparring.errors import DataError, TrainingError
from sparring.interfaces.data import Condition
from sparring.interfaces.generator import Generator
from sparring.interfaces.space import Space
from sparring_image.networks.pictures import pictures_needed
from sparring_image.networks.sizes import image_shape

SOURCE = "image"
REDUCTION = 4  # two halvings
SMALLEST = 2 * REDUCTION  # pixels: a reflected edge of one pixel needs a map of two
REACH = 3  # pixels of reflected edge around the 7x7 kernels of the first and the last layer
NAME = "image/translator"


class TranslatorGenerator(Generator):
    """Make a picture from the picture that is its condition: halve twice, change it by residual blocks, double twice.

    Instance norm takes away each picture's own brightness and contrast; reflected edges keep borders free of
    artefacts. Nothing is passed across the middle, so that shapes may change as well as colours.

    CycleGAN's way back lives in ``space: conditions.image`` and reads samples: there ``channels`` says how many
    channels those have, where the two kinds of pictures differ in that.

    Args:
        space: The space of the pictures that it makes: ``(C, H, W)`` in [-1, 1].
        conditions: ``image``: pictures of the same height and width. Others are refused.
        width: Channels of the first layer; the middle has four times as many. The paper has 64.
        blocks: Residual blocks; the paper has 6 for pictures of 128x128, and 9 for larger ones.
        channels: Channels of the picture that it reads; by default those of the condition ``image``.
    """

    def __init__(
        self,
        space: Space,
        conditions: Mapping[str, Space],
        width: int = 64,
        blocks: int = 6,
        channels: int | None = None,
    ) -> None:
        super().__init__()
        made, height, pixel_width = image_shape(space, NAME)
        pictures = pictures_needed(conditions, space, NAME)
        if set(pictures) != {SOURCE}:
            raise DataError(
                f"{NAME} translates one picture, the condition '{SOURCE}', and the data carry {', '.join(pictures)}",
                remedy="use image/unet, which takes several pictures, or data with this condition alone",
            )
        if height % REDUCTION or pixel_width % REDUCTION or min(height, pixel_width) < SMALLEST:
            raise DataError(
                f"{NAME} cannot work on images of {height}x{pixel_width} (height x width)",
                remedy=f"set the data's height and width to multiples of {REDUCTION}, from {SMALLEST} on",
            )
        self.channels = pictures[SOURCE] if channels is None else channels
        self.layers = nn.Sequential(
            *_convolution(self.channels, width, kernel=7, reach=REACH),
            *_convolution(width, 2 * width, kernel=3, stride=2),
            *_convolution(2 * width, 4 * width, kernel=3, stride=2),
            *(ResidualBlock(4 * width) for _ in range(blocks)),
            *_doubling(4 * width, 2 * width),
            *_doubling(2 * width, width),
            nn.ReflectionPad2d(REACH),
            nn.Conv2d(width, made, kernel_size=7),
            nn.Tanh(),
        )

    def forward(self, latent: Tensor | None, condition: Condition) -> Tensor:
        """Make ``(B, C, H, W)`` in [-1, 1] from ``image``, ``(B, channels, H, W)``; the latent is not used."""
        if SOURCE not in condition:
            raise TrainingError(
                f"{NAME} translates the condition '{SOURCE}', and was given none",
                remedy=f"pass condition={{'{SOURCE}': tensor of (B, C, H, W)}}",
            )
        source_BCHW = condition[SOURCE]
        if source_BCHW.shape[1] != self.channels:
            raise TrainingError(
                f"{NAME} was built for pictures of {self.channels} channels, and was given {source_BCHW.shape[1]}",
                remedy=f"write `channels: {source_BCHW.shape[1]}` for this network",
            )
        picture_BCHW: Tensor = self.layers(source_BCHW)
        return picture_BCHW


class ResidualBlock(nn.Module):
    """Add what two convolutions make of a map to it: ``(B, C, H, W)`` -> ``(B, C, H, W)``."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.change = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, kernel_size=3, bias=False),
            nn.InstanceNorm2d(channels, affine=True),
            nn.ReLU(),
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, kernel_size=3, bias=False),
            nn.InstanceNorm2d(channels, affine=True),
        )

    def forward(self, hidden_BCHW: Tensor) -> Tensor:
        """Return the map, changed."""
        changed_BCHW: Tensor = hidden_BCHW + self.change(hidden_BCHW)
        return changed_BCHW


def _convolution(channels: int, wider: int, kernel: int, stride: int = 1, reach: int = 1) -> list[nn.Module]:
    return [
        nn.ReflectionPad2d(reach),
        nn.Conv2d(channels, wider, kernel, stride, bias=False),  # a bias before a norm would be subtracted again
        nn.InstanceNorm2d(wider, affine=True),
        nn.ReLU(),
    ]


def _doubling(channels: int, narrower: int) -> list[nn.Module]:
    """Return layers that double the size: ``(B, channels, H, W)`` -> ``(B, narrower, 2H, 2W)``."""
    return [
        nn.ConvTranspose2d(channels, narrower, kernel_size=3, stride=2, padding=1, output_padding=1, bias=False),
        nn.InstanceNorm2d(narrower, affine=True),
        nn.ReLU(),
    ]
