"""How many of the data's clusters a generator finds."""

from __future__ import annotations

from typing import ClassVar, Literal, Protocol, runtime_checkable

import torch
from torch import Tensor

from sparring.errors import DataError, TrainingError
from sparring.interfaces.data import Batch, Data
from sparring.interfaces.metric import Metric

_NEAR = 3.0  # standard deviations: a sample this near its cluster's centre is of high quality (VEEGAN)


@runtime_checkable
class Clustered(Protocol):
    """Data whose clusters are known: ``centres`` ``(K, F)`` and the standard deviation ``spread`` of each."""

    centres: Tensor
    spread: float


class Modes(Metric):
    """Count the clusters that samples reach (VEEGAN: Srivastava et al., 2017; PacGAN: Lin et al., 2018).

    - ``modes``: clusters with at least one sample within three standard deviations of the centre.
    - ``high_quality``: the share of samples that lie so near to a centre.
    - ``reverse_kl``: KL(generated ‖ uniform) in nats, each sample counted for the nearest cluster; lower is better.
      PacGAN's published code leaves out the samples that are of no high quality, which changes little where few are.

    Args:
        data: Data that know their clusters, such as ``points``.
    """

    better: ClassVar[Literal["higher", "lower"]] = "higher"

    def __init__(self, data: Data) -> None:
        if not isinstance(data, Clustered):
            raise DataError(
                f"the metric modes needs data that know their clusters, and {type(data).__name__} does not",
                remedy="use it with the data 'points', or give the data the attributes centres and spread",
            )
        self.centres, self.spread = data.centres, data.spread
        self.reset()

    def reset(self) -> None:
        self._nearest = torch.zeros(len(self.centres), dtype=torch.long)
        self._near = torch.zeros(len(self.centres), dtype=torch.long)

    @torch.no_grad()
    def update(self, real: Batch, fake: Batch) -> None:
        samples = fake.sample.detach().flatten(start_dim=1).cpu().double()
        distance, mode = torch.cdist(samples, self.centres.flatten(start_dim=1).double()).min(dim=1)
        count = len(self.centres)
        self._nearest += mode.bincount(minlength=count)
        self._near += mode[distance <= _NEAR * self.spread].bincount(minlength=count)

    def compute(self) -> dict[str, float]:
        total = self._nearest.sum()
        if not total:
            raise TrainingError("the metric modes has seen no samples", remedy="evaluate on at least one sample")
        share = self._nearest.double() / total
        # 0 · log 0 counts as 0.
        divergence = torch.special.xlogy(share, share * len(self.centres)).sum()
        return {
            "modes": float((self._near > 0).sum()),
            "high_quality": float(self._near.sum() / total),
            "reverse_kl": float(divergence),
        }
