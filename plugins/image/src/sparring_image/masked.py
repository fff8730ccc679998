"""Pictures with holes in them, to be filled in: any image data, wrapped."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from sparring.errors import DataError
from sparring.interfaces.data import Batch, Data
from sparring_image.networks.sizes import image_shape
from sparring_image.spaces import ImageSpace

STROKES = 4  # straight pieces of a line, end to end
THICKNESS = 0.25  # of a line, as a share of how long its pieces may be
DRAWS = 2 + 2 * STROKES  # numbers in [0, 1) that decide one hole, whatever its shape
NAME = "image/masked"
Hole = Literal["square", "half", "strokes"]


class Masked(Data):
    """Any image data with a hole in each picture: samples are the whole pictures, conditions what is left of them.

    The conditions are ``image``, in which the hole is filled with 0, the middle grey, and ``mask``, ``(1, H, W)``, 1
    where pixels are missing and 0 where they are known. The conditions of the wrapped data are left out.

    In training each batch gets new holes; in every other split each picture keeps one hole, so that scores compare.

    Args:
        of: The data to wrap, such as ``{use: image/digits}``; their samples are pictures.
        hole: ``square``, somewhere in the picture; ``half``, one of its four sides; ``strokes``, a broken line of four
            pieces.
        size: How large the hole is, in (0, 1): a square's side as a share of the picture's shorter side; the share of
            the picture that a ``half`` takes; how long a stroke may be, as a share of the shorter side.
        seed: Which holes the held-out pictures have.
    """

    def __init__(self, of: Data, hole: Hole = "square", size: float = 0.5, seed: int = 0) -> None:
        if not 0 < size < 1:
            raise DataError(
                f"a hole of {size} times the picture leaves nothing to learn from, or to fill",
                where="data.size",
                remedy="choose a size between 0 and 1",
            )
        _, height, width = image_shape(of.space, NAME)
        self._of, self._hole, self._size, self._seed = of, hole, size, seed
        self.space = of.space
        self.conditions = {"image": of.space, "mask": ImageSpace(1, height, width)}
        self.notes = of.notes
        self._fixed: Tensor | None = None

    def __len__(self) -> int:
        return len(self._of)

    def gather(self, indices: Tensor, *, rng: torch.Generator) -> Batch:
        sample = self._of.gather(indices, rng=rng).sample
        drawn = torch.rand(len(indices), DRAWS, generator=rng) if self._fixed is None else self._fixed[indices.cpu()]
        height, width = sample.shape[2:]
        mask = holes(self._hole, self._size, drawn, height, width).to(sample.device)
        return Batch(sample, {"image": sample * (1 - mask), "mask": mask})

    def split(self, name: str) -> Masked:
        """Return a part of the wrapped data; but for ``train``, each of its pictures keeps its hole."""
        if name == "train":
            return self
        part = Masked(self._of.split(name), self._hole, self._size, self._seed)
        part._fixed = torch.rand(len(part), DRAWS, generator=torch.Generator().manual_seed(self._seed))
        return part

    def place(self, device: torch.device) -> bool:
        return self._of.place(device)


def holes(hole: Hole, size: float, drawn_BN: Tensor, height: int, width: int) -> Tensor:
    """Return one mask a row: 1 in the hole, 0 elsewhere.

    Args:
        hole: The shape.
        size: Between 0 and 1, as ``Masked`` explains it.
        drawn_BN: ``(B, N)`` numbers in [0, 1) that decide where the hole is, N being ``DRAWS``.
        height: Rows of pixels.
        width: Columns of pixels.

    Returns:
        ``(B, 1, height, width)``, floats. No hole is empty, and none is the whole picture.
    """
    row_H1 = torch.arange(height)[:, None]
    column_W = torch.arange(width)
    if hole == "square":
        side = _between(round(size * min(height, width)), min(height, width))
        top_B, left_B = (
            (drawn_BN[:, index] * (length - side + 1)).long() for index, length in enumerate((height, width))
        )
        top_B11, left_B11 = top_B[:, None, None], left_B[:, None, None]
        inside = (row_H1 >= top_B11) & (row_H1 < top_B11 + side) & (column_W >= left_B11) & (column_W < left_B11 + side)
    elif hole == "half":
        rows, columns = (_between(round(size * length), length) for length in (height, width))
        shape = (height, width)
        sides = (row_H1 < rows, row_H1 >= height - rows, column_W < columns, column_W >= width - columns)
        inside = torch.stack([side.expand(shape) for side in sides])[(drawn_BN[:, 0] * len(sides)).long()]
    else:
        inside = _strokes(size, drawn_BN, height, width)
    return inside[:, None].float()


def _strokes(size: float, drawn_BN: Tensor, height: int, width: int) -> Tensor:
    """Return which pixels lie under a broken line, ``(B, H, W)``."""
    longest = size * min(height, width)
    reach = max(THICKNESS * longest / 2, 0.75)  # of the pen; three quarters of a pixel touch one wherever it is
    corner = torch.tensor([height - 1.0, width - 1.0])
    start_B2 = drawn_BN[:, :2] * corner
    pixel_HW2 = torch.stack(
        torch.meshgrid(torch.arange(height).float(), torch.arange(width).float(), indexing="ij"), dim=-1
    )
    inside_BHW = torch.zeros(len(drawn_BN), height, width, dtype=torch.bool)
    for piece_B2 in drawn_BN[:, 2:].reshape(-1, STROKES, 2).unbind(1):
        turn_B, share_B = 2 * math.pi * piece_B2[:, 0], piece_B2[:, 1]
        step_B2 = torch.stack([turn_B.sin(), turn_B.cos()], dim=1) * (longest * (1 + share_B[:, None]) / 2)
        # A line that would leave the picture is drawn along its edge.
        end_B2 = torch.minimum((start_B2 + step_B2).clamp(min=0), corner)
        inside_BHW |= _distance(pixel_HW2, start_B2, end_B2) <= reach
        start_B2 = end_B2
    return inside_BHW


def _distance(pixel_HW2: Tensor, start_B2: Tensor, end_B2: Tensor) -> Tensor:
    """Return how far each pixel is from each line between two points, in pixels: ``(B, H, W)``."""
    line_B112 = (end_B2 - start_B2)[:, None, None]
    away_BHW2 = pixel_HW2 - start_B2[:, None, None]
    length_B11 = line_B112.square().sum(-1).clamp(min=1e-6)
    share_BHW = ((away_BHW2 * line_B112).sum(-1) / length_B11).clamp(0, 1)
    return (away_BHW2 - share_BHW[..., None] * line_B112).square().sum(-1).sqrt()


def _between(count: int, most: int) -> int:
    """Return a number of pixels that is neither none nor all."""
    return min(max(count, 1), max(most - 1, 1))
