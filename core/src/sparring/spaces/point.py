"""Points, most often of the plane."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from sparring.errors import DataError
from sparring.interfaces.space import Space

_SIDE = 256  # pixels
_PAPER, _INK = 255, 40  # grey levels


class PointSpace(Space):
    """Points ``(dimensions,)``, of any finite value.

    Args:
        dimensions: How many coordinates a point has.
        limit: The picture of ``preview`` shows coordinates from −limit to limit.
    """

    def __init__(self, dimensions: int = 2, limit: float = 3.0) -> None:
        if dimensions < 1 or limit <= 0:
            raise ValueError(f"dimensions must be at least 1 and limit above 0, not {dimensions} and {limit}")
        self.dimensions, self.limit = dimensions, limit
        self.shape = (dimensions,)

    def encode(self, raw: Any) -> Tensor:
        """Turn coordinates, or the path of a CSV file whose last row holds them, into a point ``(dimensions,)``."""
        values = _last_row(Path(raw)) if isinstance(raw, (str, Path)) else raw
        try:
            point = torch.as_tensor(values, dtype=torch.float32)
        except (TypeError, ValueError, RuntimeError) as cause:
            raise DataError(f"{values!r} is no point", remedy=f"give {self.dimensions} numbers") from cause
        if point.shape != self.shape or not point.isfinite().all():
            raise DataError(f"{values!r} is no point", remedy=f"give {self.dimensions} finite numbers")
        return point

    def decode(self, sample: Tensor) -> tuple[float, ...]:
        return tuple(sample.tolist())

    def save(self, samples: Tensor, folder: Path) -> list[Path]:
        """Write ``points.csv``, one point a row below a header."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "points.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(
                "xyz"[: self.dimensions] if self.dimensions <= 3 else [f"x{i}" for i in range(len(samples[0]))]
            )
            writer.writerows(samples.tolist())
        return [path]

    def preview(self, samples: Tensor) -> Image.Image:
        """Scatter the first two coordinates over a grey picture; points beyond the limit are left out."""
        points = samples.detach().double().cpu()
        across = points[:, 0]
        up = points[:, 1] if self.dimensions > 1 else torch.zeros_like(across)
        # Pixel i shows coordinates from −limit + i · 2 · limit / side on; rows count downwards.
        place = torch.stack([-up, across], dim=1).div(self.limit).add(1).mul(_SIDE / 2)
        # A value that is not finite compares as false, and so is left out too.
        place = place[((place >= 0) & (place < _SIDE)).all(dim=1)].long()
        pixels = torch.full((_SIDE + 1, _SIDE + 1), _PAPER, dtype=torch.uint8)
        for down in (0, 1):
            for right in (0, 1):  # a dot is two pixels wide, to be seen
                pixels[place[:, 0] + down, place[:, 1] + right] = _INK
        return Image.fromarray(pixels[:_SIDE, :_SIDE].numpy())


def _last_row(path: Path) -> list[float]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [float(value) for value in list(csv.reader(file))[-1]]
    except (OSError, UnicodeDecodeError, ValueError, IndexError) as cause:
        raise DataError(
            f"no point can be read: {cause}", where=str(path), remedy="give a CSV file of numbers"
        ) from cause
