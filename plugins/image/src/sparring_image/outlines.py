"""Pictures as lines: where lightness or colour changes, bright on black; any image data, wrapped.

Letters in names of tensors: B rows of the batch, C channels, H rows and W columns of pixels.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from sparring.errors import DataError
from sparring.interfaces.data import Batch, Data
from sparring_image.networks.sizes import image_shape
from sparring_image.spaces import ImageSpace

REACH = 3  # pixels: the side of the square in which the brightest and the darkest are compared
FAINTEST = 2 / 255  # one step of 8 bits: what changes less is not brightened until it is white
NAME = "image/outlines"


class Outlines(Data):
    """The outlines of any image data: grey pictures of bright lines on black.

    A line is where the brightest and the darkest of nine neighbours differ, in that channel where they differ most
    (the morphological gradient: Rivest, Soille and Beucher 1993). Each picture's brightest line is white. Conditions
    stay as they are.

    Args:
        of: The data to wrap, such as ``{use: image/emoji-pairs}``; their samples are pictures.
        shrink: How many pixels become one in each direction, after lines were drawn: 2 makes 28x28 of 56x56, with
            thinner lines than pictures of 28x28 would give.
    """

    def __init__(self, of: Data, shrink: int = 1) -> None:
        _, height, width = image_shape(of.space, NAME)
        if shrink < 1 or height % shrink or width % shrink:
            raise DataError(
                f"pictures of {height}x{width} pixels cannot be shrunk {shrink} times",
                where="data.shrink",
                remedy="choose a number that divides both sides",
            )
        self._of, self._shrink = of, shrink
        self.space = ImageSpace(1, height // shrink, width // shrink)
        self.conditions, self.notes = of.conditions, of.notes

    def __len__(self) -> int:
        return len(self._of)

    def gather(self, indices: Tensor, *, rng: torch.Generator) -> Batch:
        batch = self._of.gather(indices, rng=rng)
        return Batch(outlines(batch.sample, self._shrink), batch.condition)

    def split(self, name: str) -> Outlines:
        return Outlines(self._of.split(name), self._shrink)

    def place(self, device: torch.device) -> bool:
        return self._of.place(device)


def outlines(sample_BCHW: Tensor, shrink: int = 1) -> Tensor:
    """Draw the outlines of pictures.

    Args:
        sample_BCHW: ``(B, C, H, W)`` in [-1, 1].
        shrink: How many pixels are averaged in each direction, once lines are drawn.

    Returns:
        ``(B, 1, H / shrink, W / shrink)``: -1 where nothing changes, 1 where most does.
    """
    brightest_BCHW = F.max_pool2d(sample_BCHW, REACH, stride=1, padding=REACH // 2)
    darkest_BCHW = -F.max_pool2d(-sample_BCHW, REACH, stride=1, padding=REACH // 2)
    change_B1HW = F.avg_pool2d((brightest_BCHW - darkest_BCHW).amax(1, keepdim=True), shrink)
    greatest_B111 = change_B1HW.amax((1, 2, 3), keepdim=True).clamp(min=FAINTEST)
    return 2 * change_B1HW / greatest_B111 - 1
