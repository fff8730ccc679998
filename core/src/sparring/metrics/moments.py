"""Mean and covariance of a stream, in memory that does not grow with it."""

from __future__ import annotations

import torch
from torch import Tensor

from sparring.errors import TrainingError


class Moments:
    """The mean and covariance of all rows seen so far, in float64.

    Batches are merged by the pairwise rule of Chan, Golub and LeVeque (1979), which loses no digits where the mean is
    large beside the spread, as a sum of squares does.
    """

    def __init__(self) -> None:
        self.count = 0
        self._mean: Tensor | None = None
        self._scatter: Tensor | None = None

    def update(self, rows: Tensor) -> None:
        """Take in rows ``(B, F)``."""
        if not len(rows):
            return
        # Apple's accelerator has no float64.
        rows = (rows.detach().cpu() if rows.device.type == "mps" else rows.detach()).double()
        mean = rows.mean(dim=0)
        centred = rows - mean
        scatter = centred.T @ centred
        if self._mean is None or self._scatter is None:
            self.count, self._mean, self._scatter = len(rows), mean, scatter
            return
        total = self.count + len(rows)
        step = mean - self._mean
        self._scatter = self._scatter + scatter + torch.outer(step, step) * (self.count * len(rows) / total)
        self._mean = self._mean + step * (len(rows) / total)
        self.count = total

    @property
    def mean(self) -> Tensor:
        """The mean, ``(F,)``."""
        if self._mean is None:
            raise _too_few(0)
        return self._mean

    @property
    def covariance(self) -> Tensor:
        """The unbiased covariance, ``(F, F)``."""
        if self._scatter is None or self.count < 2:
            raise _too_few(self.count)
        return self._scatter / (self.count - 1)


def _too_few(count: int) -> TrainingError:
    return TrainingError(
        f"a covariance needs at least 2 samples, and {count} were seen", remedy="evaluate on more samples"
    )
