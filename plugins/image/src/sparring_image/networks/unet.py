"""The U-Net that pix2pix translates pictures with (Isola, Zhu, Zhou and Efros 2017, arXiv:1611.07004).

Letters in names of tensors: B rows of the batch, C channels, H rows and W columns of pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn

from sparring.interfaces.data import Condition
from sparring.interfaces.generator import Generator
from sparring.interfaces.space import Space
from sparring_image.networks.pictures import joined, pictures_needed
from sparring_image.networks.sizes import halvings, image_shape

SLOPE = 0.2  # of LeakyReLU below zero, in the paper
DEEPEST = 8  # times `width`: the paper's widest layer
NOISY = 3  # decoder layers with dropout, the paper's number
NAME = "image/unet"
Normalization = Literal["none", "batch", "instance"]


class UNetGenerator(Generator):
    """Make a picture from the pictures that are its condition: halve, double, and pass each size's details across.

    All conditions are joined: ``image`` alone where the data are pairs, ``image`` and ``mask`` where they have holes.
    There is no latent: what is random about the answer is dropout, which as in the paper is on in training. Unlike in
    the paper it is off in evaluation, so that the same picture always gets the same answer.

    Args:
        space: The pictures' space: ``(C, H, W)`` in [-1, 1].
        conditions: Pictures of the same height and width.
        width: Channels of the first layer; each later one has twice as many, up to eight times. The paper has 64.
        start: Rows (of the shorter side) of the innermost map. By default between 4 and 7, as the size allows; the
            paper has 1, which loses where things are.
        dropout: The share of values that the three innermost layers of the way back drop; 0 for none.
        normalization: ``batch``; ``instance``, which is what the paper's batches of one picture amount to; or
            ``none``.
    """

    def __init__(
        self,
        space: Space,
        conditions: Mapping[str, Space],
        width: int = 64,
        start: int | None = None,
        dropout: float = 0.5,
        normalization: Normalization = "batch",
    ) -> None:
        super().__init__()
        channels, height, pixel_width = image_shape(space, NAME)
        pictures = pictures_needed(conditions, space, NAME)
        depth = halvings(height, pixel_width, start, NAME)
        self.names = tuple(pictures)
        widths = [min(width << index, DEEPEST * width) for index in range(depth)]
        self.down = nn.ModuleList()
        inputs = sum(pictures.values())
        for index, wide in enumerate(widths):
            last = (height >> index + 1) * (pixel_width >> index + 1) == 1
            # The paper leaves the first layer without a norm; over a single pixel there is nothing to normalise.
            self.down.append(_down(inputs, wide, "none" if index == 0 or last else normalization))
            inputs = wide
        self.up = nn.ModuleList()
        for index in reversed(range(1, depth)):
            noise = dropout if depth - index <= NOISY else 0.0
            self.up.append(_up(inputs, widths[index - 1], normalization, noise))
            inputs = 2 * widths[index - 1]
        self.to_picture = nn.Sequential(
            nn.ReLU(), nn.ConvTranspose2d(inputs, channels, kernel_size=4, stride=2, padding=1), nn.Tanh()
        )

    def forward(self, latent: Tensor | None, condition: Condition) -> Tensor:
        """Make ``(B, C, H, W)`` in [-1, 1] from the conditions, each ``(B, *, H, W)``; the latent is not used."""
        hidden_BCHW = joined(condition, self.names, NAME)
        passed: list[Tensor] = []
        for layer in self.down:
            hidden_BCHW = layer(hidden_BCHW)
            passed.append(hidden_BCHW)
        passed.pop()
        for layer in self.up:
            hidden_BCHW = torch.cat([layer(hidden_BCHW), passed.pop()], dim=1)
        picture_BCHW: Tensor = self.to_picture(hidden_BCHW)
        return picture_BCHW


def normalizer(normalization: Normalization, channels: int) -> nn.Module:
    """Return a layer that normalises ``(B, channels, H, W)``, or one that does nothing."""
    if normalization == "batch":
        return nn.BatchNorm2d(channels)
    if normalization == "instance":
        return nn.InstanceNorm2d(channels, affine=True)
    return nn.Identity()


def _down(channels: int, wider: int, normalization: Normalization) -> nn.Sequential:
    """Return a layer that halves the size: ``(B, channels, H, W)`` -> ``(B, wider, H / 2, W / 2)``."""
    # A bias before a norm would be subtracted again.
    convolution = nn.Conv2d(channels, wider, kernel_size=4, stride=2, padding=1, bias=normalization == "none")
    return nn.Sequential(convolution, normalizer(normalization, wider), nn.LeakyReLU(SLOPE))


def _up(channels: int, narrower: int, normalization: Normalization, dropout: float) -> nn.Sequential:
    """Return a layer that doubles the size: ``(B, channels, H, W)`` -> ``(B, narrower, 2H, 2W)``."""
    convolution = nn.ConvTranspose2d(
        channels, narrower, kernel_size=4, stride=2, padding=1, bias=normalization == "none"
    )
    layers = nn.Sequential(nn.ReLU(), convolution, normalizer(normalization, narrower))
    if dropout:
        layers.append(nn.Dropout(dropout))
    return layers
