"""DiffAugment: change what the critic sees, real and generated alike (Zhao et al. 2020, arXiv:2006.10738).

Letters in names of tensors: B rows of the batch, C channels, H rows and W columns of pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from sparring.interfaces.augmentation import Augmentation
from sparring.interfaces.data import Condition
from sparring.interfaces.space import Space
from sparring_image.networks.sizes import image_shape
from sparring_image.resampling import cut_out, shift

Operation = Literal["colour", "translation", "cutout"]

BRIGHTNESS = 1.0  # the range of what is added, half of it below 0; the paper's, for images in [-1, 1]
SATURATION = 2.0  # the range of the factor around 1: from 0 to 2
CONTRAST = 1.0  # the range of the factor around 1: from 0.5 to 1.5


class DiffAugment(Augmentation):
    """Change the colours of pictures, move them and cut a piece out of them, each picture in its own way.

    A critic that sees only changed pictures cannot learn a small data set by heart (Zhao et al. 2020,
    arXiv:2006.10738). The values beside the options are the paper's. Grey pictures have brightness and contrast, and no
    saturation. What is moved in from outside, and what is cut out, is the middle grey, 0.

    Args:
        space: The pictures' space: ``(C, H, W)`` in [-1, 1].
        operations: What is done, in this order: any of ``colour``, ``translation``, ``cutout``.
        colour: The strength of changes in brightness, saturation and contrast: 1 is the paper's, 0 leaves them.
        translation: How far a picture moves at most, as a share of its size, in [0, 1].
        cutout: The side of the rectangle that is cut out, as a share of the picture's, in [0, 1].
    """

    def __init__(
        self,
        space: Space,
        operations: Sequence[Operation] = ("colour", "translation", "cutout"),
        colour: float = 1.0,
        translation: float = 0.125,
        cutout: float = 0.5,
    ) -> None:
        super().__init__()
        image_shape(space, "image/diff-augment")
        for name, value in (("colour", colour), ("translation", translation), ("cutout", cutout)):
            if not 0 <= value <= 1:
                raise ValueError(f"{name} is {value}, and must lie in [0, 1]")
        self.operations, self.colour, self.translation, self.cutout = tuple(operations), colour, translation, cutout

    def forward(self, sample: Tensor, condition: Condition, *, rng: torch.Generator) -> Tensor:
        """Return ``(B, C, H, W)``: changed colours may lie outside [-1, 1]."""
        changes = {"colour": self._recolour, "translation": self._translate, "cutout": self._cut}
        for operation in self.operations:
            sample = changes[operation](sample, rng)
        return sample

    def _recolour(self, sample_BCHW: Tensor, rng: torch.Generator) -> Tensor:
        drawn = torch.rand(3, len(sample_BCHW), 1, 1, 1, generator=rng, device=sample_BCHW.device)
        around_0 = ((drawn - 0.5) * self.colour).to(sample_BCHW.dtype)
        brighter_BCHW = sample_BCHW + BRIGHTNESS * around_0[0]
        grey_B1HW = brighter_BCHW.mean(1, keepdim=True)
        saturated_BCHW = grey_B1HW + (brighter_BCHW - grey_B1HW) * (1 + SATURATION * around_0[1])
        mean_B111 = saturated_BCHW.mean((1, 2, 3), keepdim=True)
        return mean_B111 + (saturated_BCHW - mean_B111) * (1 + CONTRAST * around_0[2])

    def _translate(self, sample_BCHW: Tensor, rng: torch.Generator) -> Tensor:
        height, width = sample_BCHW.shape[2:]
        down_B, right_B = (
            _between(-most, most, sample_BCHW, rng)
            for most in (round(self.translation * height), round(self.translation * width))
        )
        return shift(sample_BCHW, down_B, right_B)

    def _cut(self, sample_BCHW: Tensor, rng: torch.Generator) -> Tensor:
        height, width = sample_BCHW.shape[2:]
        rows, columns = round(self.cutout * height), round(self.cutout * width)
        # The rectangle's centre is any pixel, or, where its side is even, any corner of pixels.
        top_B = _between(0, height - rows % 2, sample_BCHW, rng) - rows // 2
        left_B = _between(0, width - columns % 2, sample_BCHW, rng) - columns // 2
        return cut_out(sample_BCHW, top_B, left_B, torch.full_like(top_B, rows), torch.full_like(left_B, columns))


def _between(low: int, high: int, sample: Tensor, rng: torch.Generator) -> Tensor:
    """Draw ``(B,)`` integers from low to high, both included."""
    return torch.randint(low, high + 1, (len(sample),), generator=rng, device=sample.device)
