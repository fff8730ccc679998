"""Spectrograms as pictures."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from sparring.errors import DataError

COLOURS = "magma"  # librosa's choice for levels: as bright as it is loud, also to those who do not see all colours
READABLE = 128  # pixels: smaller spectrograms are enlarged to about this side
SEPARATOR = 3  # pixels between spectrograms
PAPER = 255  # their grey: white is no colour of the map


def grid(samples: Tensor) -> Image.Image:
    """Show spectrograms ``(B, 1, M, T)`` in [-1, 1], as nearly square as their number allows, row by row.

    Raises:
        DataError: There are none.
    """
    if len(samples) == 0:
        raise DataError("there are no samples to show", remedy="give at least one")
    values = samples.detach().float().cpu().nan_to_num(nan=-1.0).clamp(-1, 1)
    # Pictures have their first row at the top, and spectrograms their lowest band at the bottom.
    levels = ((values[:, 0].flip(1) + 1) * 127.5).round().numpy().astype(np.uint8)
    zoom = max(1, round(READABLE / max(levels.shape[1:])))
    coloured = _colours()[levels.repeat(zoom, axis=1).repeat(zoom, axis=2)]
    count, height, width, _ = coloured.shape
    columns = min(count, max(1, round(math.sqrt(count * height / width))))
    rows = math.ceil(count / columns)
    step_x, step_y = width + SEPARATOR, height + SEPARATOR
    canvas = np.full((rows * step_y + SEPARATOR, columns * step_x + SEPARATOR, 3), PAPER, dtype=np.uint8)
    for index, picture in enumerate(coloured):
        top, left = SEPARATOR + index // columns * step_y, SEPARATOR + index % columns * step_x
        canvas[top : top + height, left : left + width] = picture
    return Image.fromarray(canvas)


@cache
def _colours() -> NDArray[np.uint8]:
    """Return the colour of each of 256 levels, ``(256, 3)``."""
    import matplotlib as mpl

    colours: NDArray[np.uint8] = (mpl.colormaps[COLOURS](np.arange(256))[:, :3] * 255).round().astype(np.uint8)
    return colours
