"""The space of pictures: between files and tensors in [-1, 1]."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from sparring.errors import DataError
from sparring.interfaces.space import Space
from sparring_image.pictures import fit, read_picture

READABLE_CELL = 64  # pixels: previews enlarge smaller pictures to about this side
SEPARATOR = 2  # pixels between the pictures of a preview
GAP, HEADING = 12, 14  # pixels between groups of rows that belong together, and above them for names
SEPARATOR_GREY = 160  # told apart from black and from white pictures


class ImageSpace(Space):
    """Pictures of one size, grey or colour: ``(channels, height, width)`` floats in [-1, 1].

    Args:
        channels: 1 for grey, 3 for colour.
        height: Rows of pixels.
        width: Columns of pixels.
    """

    called: ClassVar[str] = "pictures"

    def __init__(self, channels: Literal[1, 3], height: int, width: int) -> None:
        if channels not in (1, 3):
            raise DataError(f"images have 1 or 3 channels, not {channels}", remedy="use 1 for grey, 3 for colour")
        if height < 1 or width < 1:
            raise DataError(f"an image of {height}x{width} pixels has none", remedy="give a height and width above 0")
        self.channels, self.height, self.width = channels, height, width
        self.shape = (channels, height, width)

    def encode(self, raw: Any) -> Tensor:
        """Turn a path, a PIL image or an 8-bit array into ``(C, H, W)`` in [-1, 1].

        Other sizes are cropped at the centre to this space's aspect ratio and resized with antialiasing; transparent
        pictures are laid on white; a camera's orientation mark is obeyed.
        """
        return decompress(self.encode_compact(raw))

    def encode_compact(self, raw: Any) -> Tensor:
        """Do what ``encode`` does, and return 8-bit values: ``(C, H, W)`` of uint8, a quarter of the memory."""
        picture = fit(read_picture(raw, self.channels), self.height, self.width)
        pixels = torch.from_numpy(np.array(picture, dtype=np.uint8))
        return pixels[None] if self.channels == 1 else pixels.permute(2, 0, 1).contiguous()

    def decode(self, sample: Tensor) -> Image.Image:
        """Turn ``(C, H, W)`` in [-1, 1] into a picture; what lies outside the range is clipped."""
        if tuple(sample.shape) != self.shape:
            raise DataError(
                f"a sample of shape {tuple(sample.shape)} is not in this space, whose samples are {self.shape}",
                remedy="give one sample, without the batch dimension",
            )
        pixels = compress(sample).numpy()
        return Image.fromarray(pixels[0] if self.channels == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0)))

    def save(self, samples: Tensor, folder: Path) -> list[Path]:
        """Write each sample as a PNG file, named ``00000.png``, ``00001.png`` and so on."""
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / f"{index:05d}.png" for index in range(len(samples))]
        for sample, path in zip(samples, paths, strict=True):
            self.decode(sample).save(path)
        return paths

    def preview(self, samples: Tensor) -> Image.Image:
        """Lay the samples out as a grid that is as nearly square as their number allows, row by row."""
        if len(samples) == 0:
            raise DataError("there are no samples to show", remedy="give at least one")
        # Whole-number nearest-neighbour enlargement keeps small pictures exact.
        zoom = max(1, round(READABLE_CELL / max(self.height, self.width)))
        columns = min(len(samples), max(1, round(math.sqrt(len(samples) * self.height / self.width))))
        rows = math.ceil(len(samples) / columns)
        step_x, step_y = self.width * zoom + SEPARATOR, self.height * zoom + SEPARATOR
        mode, grey = ("L", SEPARATOR_GREY) if self.channels == 1 else ("RGB", (SEPARATOR_GREY,) * 3)
        grid = Image.new(mode, (columns * step_x + SEPARATOR, rows * step_y + SEPARATOR), grey)
        for index, sample in enumerate(samples):
            enlarged = self.decode(sample).resize((self.width * zoom, self.height * zoom), Image.Resampling.NEAREST)
            grid.paste(enlarged, (SEPARATOR + index % columns * step_x, SEPARATOR + index // columns * step_y))
        return grid

    def compare(self, columns: Mapping[str, Tensor]) -> Image.Image:
        """Lay rows of pictures side by side, each column under its name, in as many groups as make a square picture.

        Args:
            columns: By name ``(B, 1 | 3, height, width)`` each.
        """
        rows = len(next(iter(columns.values())))
        if rows == 0:
            raise DataError("there are no samples to show", remedy="give at least one")
        zoom = max(1, round(READABLE_CELL / max(self.height, self.width)))
        cell = (self.width * zoom, self.height * zoom)
        step_x, step_y = cell[0] + SEPARATOR, cell[1] + SEPARATOR
        group = len(columns) * step_x + GAP
        groups = min(rows, max(1, round(math.sqrt(rows * step_y / group))))
        lines = math.ceil(rows / groups)
        size = (groups * group - GAP + SEPARATOR, HEADING + lines * step_y + SEPARATOR)
        sheet = Image.new("RGB", size, (SEPARATOR_GREY,) * 3)
        written = ImageDraw.Draw(sheet)
        for number, (name, samples) in enumerate(columns.items()):
            space = ImageSpace(samples.shape[1], self.height, self.width)  # type: ignore[arg-type]
            for index, sample in enumerate(samples):
                left = SEPARATOR + index // lines * group + number * step_x
                if index % lines == 0:
                    written.text((left, 1), name, fill="black")
                enlarged = space.decode(sample).resize(cell, Image.Resampling.NEAREST)
                sheet.paste(enlarged, (left, HEADING + index % lines * step_y))
        return sheet


def compress(sample: Tensor) -> Tensor:
    """Turn floats in [-1, 1] of any shape into uint8 on the CPU; the inverse of ``decompress``."""
    values = sample.detach().float().cpu().nan_to_num(nan=-1.0)
    return ((values.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)


def decompress(pixels: Tensor) -> Tensor:
    """Turn uint8 of any shape into floats in [-1, 1]."""
    return pixels.float() / 127.5 - 1
