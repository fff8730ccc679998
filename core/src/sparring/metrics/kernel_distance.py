"""The kernel distance between real and generated samples, seen through an encoder."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor

from sparring.errors import TrainingError
from sparring.interfaces.data import Batch
from sparring.interfaces.metric import Encoder, Metric

PAIRS = 2**21  # kernel values at a time: 16 MiB
AHEAD = 10  # blocks by which one side may be ahead of the other before its further rows are left out


def kernel_distance(first: Tensor, second: Tensor) -> float:
    """Return the unbiased squared maximum mean discrepancy of two sets under the cubic polynomial kernel.

    k(x, y) = (x · y / F + 1)³ (Bińkowski, Sutherland, Arbel and Gretton, 2018, section 4; the estimator is lemma 6 of
    Gretton et al., 2012). It may be below 0 where the sets are alike: its mean is 0 for two draws of one distribution.

    Args:
        first: Features ``(M, F)``, at least 2 rows.
        second: Features ``(N, F)``, at least 2 rows.
    """
    first, second = first.double(), second.double()
    rows, others = len(first), len(second)
    within = (_sum(first, first) - _sum_of_own(first)) / (rows * (rows - 1))
    other_within = (_sum(second, second) - _sum_of_own(second)) / (others * (others - 1))
    return within + other_within - 2 * _sum(first, second) / (rows * others)


class KernelDistance(Metric):
    """The kernel distance of an encoder's features (KID: Bińkowski et al., 2018, arXiv:1801.01401).

    Samples are compared in blocks, and the blocks' distances averaged. Each of them is unbiased, so that the value does
    not depend on the number of samples, as a Fréchet distance does: it suits small held-out splits. Only rows of
    unfinished blocks are kept. Where one side ends before the other, what it leaves unfinished is compared with all
    that waits on the other side, ten blocks at most.

    - ``kernel_distance``: the average.
    - ``kernel_distance_deviation``: the standard deviation of one block's distance, where there are two blocks or
      more. Published tables give this beside the value; that of the average is smaller by √blocks.

    As with every metric of an encoder, figures are comparable only where the encoder and the split are the same. For
    the published definition ``block`` is 1000 and the encoder Inception.

    Attributes:
        encoder: As given.

    Args:
        encoder: What looks at the samples.
        block: Rows of each side in one comparison.
    """

    better: ClassVar[Literal["higher", "lower"]] = "lower"

    def __init__(self, encoder: Encoder, block: int = 1000) -> None:
        if block < 2:
            raise ValueError(f"block must be at least 2, not {block}")
        self.encoder, self.block = encoder.eval(), block
        self.reset()

    def reset(self) -> None:
        self._distances: list[float] = []
        self._waiting: list[Tensor] = [torch.empty(0, 0), torch.empty(0, 0)]  # real and generated, (W, F)

    @torch.no_grad()
    def update(self, real: Batch, fake: Batch) -> None:
        for side, batch in enumerate((real, fake)):
            if len(batch):
                rows = self.encoder.to(batch.sample.device)(batch.sample).detach().float().cpu()
                waiting = self._waiting[side]
                self._waiting[side] = torch.cat([waiting, rows]) if len(waiting) else rows
        while min(map(len, self._waiting)) >= self.block:
            self._distances.append(kernel_distance(*(rows[: self.block] for rows in self._waiting)))
            self._waiting = [rows[self.block :].clone() for rows in self._waiting]  # a clone lets go of the others
        most = AHEAD * self.block
        self._waiting = [rows[:most].clone() if len(rows) > most else rows for rows in self._waiting]

    def compute(self) -> dict[str, float]:
        whole = len(self._distances)
        distances = torch.tensor(self._distances, dtype=torch.float64)
        weights = torch.ones_like(distances)
        counts = list(map(len, self._waiting))
        if min(counts) >= 2:
            rest = torch.tensor([min(counts) / self.block], dtype=torch.float64)
            distances = torch.cat([distances, rest.new_tensor([kernel_distance(*self._waiting)])])
            weights = torch.cat([weights, rest])
        if not len(distances):
            raise TrainingError(
                f"a kernel distance needs 2 samples of each side, and has seen {counts[0]} real and {counts[1]} "
                "generated ones",
                remedy="evaluate on more samples",
            )
        values = {"kernel_distance": float((weights * distances).sum() / weights.sum())}
        if whole > 1:
            values["kernel_distance_deviation"] = float(distances[:whole].std())
        return values


def _sum(first: Tensor, second: Tensor) -> float:
    """Return the sum of the kernel over all pairs of ``(M, F)`` and ``(N, F)``, a part of them at a time."""
    parts = torch.split(first, max(1, PAIRS // len(second)))
    return float(sum(_cubic(part @ second.T, second.shape[1]).sum() for part in parts))


def _sum_of_own(rows: Tensor) -> float:
    """Return the sum of the kernel of each row with itself."""
    return float(_cubic(rows.square().sum(dim=1), rows.shape[1]).sum())


def _cubic(product: Tensor, features: int) -> Tensor:
    return (product / features + 1) ** 3
