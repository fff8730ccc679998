"""Clusters of points in the plane: small enough to train on in seconds, and mode collapse can be counted."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from sparring.data.memory import MemoryData
from sparring.spaces.label import LabelSpace
from sparring.spaces.point import PointSpace

_RADIUS = 2.0  # every centre lies in [−2, 2]², well inside the picture of the space
_TURNS = 1.5  # of the spiral


class Points(MemoryData):
    """Gaussian clusters on a ring, a grid or a spiral, in equal shares (Metz et al., 2017; Lin et al., 2018).

    The split ``test`` holds as many points of a second, disjoint draw.

    Attributes:
        centres: ``(modes, 2)``, in [−2, 2].
        spread: As given.

    Args:
        arrangement: Where the centres lie. A grid is filled row by row, and square where ``modes`` is.
        count: How many points a split holds.
        modes: How many clusters there are.
        spread: The standard deviation of a cluster, in each coordinate.
        labels: Whether the cluster's index is given as the condition ``label``.
        seed: Which draw.
    """

    def __init__(
        self,
        arrangement: Literal["ring", "grid", "spiral"] = "ring",
        count: int = 4096,
        modes: int = 8,
        spread: float = 0.05,
        labels: bool = False,
        seed: int = 0,
    ) -> None:
        if count < modes or modes < 1 or spread < 0:
            raise ValueError(
                f"count must be at least modes, modes at least 1 and spread at least 0, not {count}, {modes}, {spread}"
            )
        self.spread = spread
        self.centres = {"ring": _ring, "grid": _grid, "spiral": _spiral}[arrangement](modes)
        rng = torch.Generator().manual_seed(seed)
        mode = torch.arange(count).remainder(modes).repeat(2)
        points = self.centres[mode] + spread * torch.randn(2 * count, 2, generator=rng)
        label = LabelSpace([str(index) for index in range(modes)])
        super().__init__(
            PointSpace(),
            points,
            {"label": (label, mode)} if labels else {},
            held_out={"test": torch.arange(count, 2 * count)},
        )


def _ring(modes: int) -> Tensor:
    angle = 2 * math.pi * torch.arange(modes) / modes
    return _RADIUS * torch.stack([angle.cos(), angle.sin()], dim=1)


def _grid(modes: int) -> Tensor:
    side = math.isqrt(modes - 1) + 1  # the square root, rounded up
    if side == 1:
        return torch.zeros(1, 2)
    row, column = torch.arange(modes) // side, torch.arange(modes) % side
    return _RADIUS * (torch.stack([column, row], dim=1) * 2 / (side - 1) - 1)


def _spiral(modes: int) -> Tensor:
    # The square root spaces the centres evenly along Archimedes' spiral, whose length grows as the angle's square.
    share = ((torch.arange(modes) + 1) / modes).sqrt()
    angle = 2 * math.pi * _TURNS * share
    return _RADIUS * share.unsqueeze(1) * torch.stack([angle.cos(), angle.sin()], dim=1)
