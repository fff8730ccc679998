"""A network that fills holes, and leaves what is known as it is.

Its middle sees far by dilated convolutions, as in Iizuka, Simo-Serra and Ishikawa 2017, "Globally and Locally
Consistent Image Completion".

Letters in names of tensors: B rows of the batch, C channels, H rows and W columns of pixels.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from sparring.errors import DataError
from sparring.interfaces.data import Condition
from sparring.interfaces.generator import Generator
from sparring.interfaces.space import Space
from sparring_image.networks.pictures import joined, pictures_needed
from sparring_image.networks.sizes import image_shape

SLOPE = 0.2  # of LeakyReLU below zero
REDUCTION = 4  # two halvings
NEEDED = ("image", "mask")
NAME = "image/inpainter"


class InpainterGenerator(Generator):
    """Fill the hole of a picture: see what is left of it and where the hole is, and make what is missing.

    What is known is passed through to the last bit, so that neither losses nor critics can find fault with it. There
    is no latent: one hole has one answer.

    Args:
        space: The pictures' space: ``(C, H, W)`` in [-1, 1].
        conditions: ``image``, with the hole filled by any value; and ``mask``, ``(1, H, W)``, 1 where pixels are
            missing. ``image/masked`` gives both.
        width: Channels of the first layer; the middle has four times as many.
        dilations: How far apart the nine pixels are that each middle layer looks at, on a map of a quarter of the
            size; one layer for each. By default doubled from 1 until the layers see the whole map.
    """

    def __init__(
        self,
        space: Space,
        conditions: Mapping[str, Space],
        width: int = 32,
        dilations: list[int] | None = None,
    ) -> None:
        super().__init__()
        channels, height, pixel_width = image_shape(space, NAME)
        pictures = pictures_needed(conditions, space, NAME)
        if set(pictures) != set(NEEDED) or pictures["mask"] != 1:
            raise DataError(
                f"{NAME} needs the conditions 'image' and 'mask', and the data carry {', '.join(pictures)}",
                remedy="wrap the data: {use: image/masked, of: …}",
            )
        if pictures["image"] != channels:
            raise DataError(
                f"{NAME} passes on what it knows, and the condition 'image' has {pictures['image']} channels where "
                f"samples have {channels}",
                remedy="use data whose condition `image` is the sample with a hole: image/masked",
            )
        if height % REDUCTION or pixel_width % REDUCTION:
            raise DataError(
                f"{NAME} cannot work on images of {height}x{pixel_width} (height x width)",
                remedy=f"set the data's height and width to multiples of {REDUCTION}",
            )
        steps = _dilations(max(height, pixel_width) // REDUCTION) if dilations is None else dilations
        wide = REDUCTION * width
        self.down = nn.Sequential(
            *_convolution(channels + 1, width, kernel=5),
            *_convolution(width, 2 * width, stride=2),
            *_convolution(2 * width, wide, stride=2),
        )
        self.middle = nn.ModuleList(nn.Sequential(*_convolution(wide, wide, dilation=step)) for step in steps)
        self.up = nn.Sequential(
            *_doubling(wide, 2 * width),
            *_doubling(2 * width, width),
            nn.Conv2d(width, channels, kernel_size=3, padding=1),
            nn.Tanh(),
        )

    def forward(self, latent: Tensor | None, condition: Condition) -> Tensor:
        """Make ``(B, C, H, W)`` in [-1, 1] from ``image`` ``(B, C, H, W)`` and ``mask`` ``(B, 1, H, W)``."""
        seen_BCHW = joined(condition, NEEDED, NAME)
        image_BCHW, mask_B1HW = condition["image"], condition["mask"]
        hidden_BCHW = self.down(seen_BCHW)
        for layer in self.middle:
            hidden_BCHW = hidden_BCHW + layer(hidden_BCHW)
        filling_BCHW = self.up(hidden_BCHW)
        # Chosen, not blended: what is known stays equal to the last bit, in bf16 too.
        return torch.where(mask_B1HW > 0.5, filling_BCHW.to(image_BCHW.dtype), image_BCHW)


def _dilations(side: int) -> list[int]:
    """Return 1, 2, 4 and so on, until layers of 3x3 pixels reach from one end of a map to the other."""
    found = [1]
    while 2 * sum(found) + 1 < side:
        found.append(2 * found[-1])
    return found


def _convolution(channels: int, wider: int, kernel: int = 3, stride: int = 1, dilation: int = 1) -> list[nn.Module]:
    padding = dilation * (kernel // 2)
    return [nn.Conv2d(channels, wider, kernel, stride, padding, dilation), nn.LeakyReLU(SLOPE)]


def _doubling(channels: int, narrower: int) -> list[nn.Module]:
    """Return layers that double the size: ``(B, channels, H, W)`` -> ``(B, narrower, 2H, 2W)``."""
    return [
        nn.ConvTranspose2d(channels, narrower, kernel_size=4, stride=2, padding=1),
        nn.LeakyReLU(SLOPE),
    ]
