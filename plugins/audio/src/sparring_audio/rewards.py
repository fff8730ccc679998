"""PESQ and STOI as rewards: what a metric critic learns to predict."""

from __future__ import annotations

import torch
from torch import Tensor

from sparring.errors import TrainingError
from sparring.interfaces.data import Batch
from sparring.interfaces.space import Space
from sparring_audio.metrics.pairs import audible, pairs
from sparring_audio.quality import (
    BEST_PESQ,
    WORST_PESQ,
    Score,
    check_packages,
    pesq_score,
    stoi_score,
)


class PESQReward:
    """PESQ beside the reference, scaled to [0, 1] as MetricGAN does it: (PESQ + 0.5) / 5 (Fu et al., 2019).

    Wide band from 16 kHz on, else narrow band. A sound in which PESQ finds no speech gets 0; where the reference holds
    none, or less than a quarter of a second, there is no score: NaN. It needs the extra ``quality``, runs on the CPU
    row by row, and takes about a hundredth of the sounds' duration.

    Args:
        space: Of the sounds.
    """

    def __init__(self, space: Space) -> None:
        check_packages("pesq")
        self.space = audible(space, "audio/pesq")

    def __call__(self, samples: Batch, reference: Batch | None) -> Tensor:
        """Return ``(B,)`` in [0, 1], or NaN."""
        found_B = _scores(
            pesq_score, self.space.sample_rate, list(zip(*pairs(self.space, _given(reference), samples), strict=True))
        )
        return ((found_B - WORST_PESQ) / (BEST_PESQ - WORST_PESQ)).clamp(0, 1)


class STOIReward:
    """STOI beside the reference, in [0, 1].

    Silence gets 0; where the reference has less than 0.4 s that is not silence there is no score: NaN. It needs the
    extra ``quality``, and runs on the CPU row by row.

    Args:
        space: Of the sounds.
    """

    def __init__(self, space: Space) -> None:
        check_packages("pystoi")
        self.space = audible(space, "audio/stoi")

    def __call__(self, samples: Batch, reference: Batch | None) -> Tensor:
        """Return ``(B,)`` in [0, 1], or NaN."""
        found_B = _scores(
            stoi_score, self.space.sample_rate, list(zip(*pairs(self.space, _given(reference), samples), strict=True))
        )
        return found_B.clamp(0, 1)


def _scores(score: Score, rate: int, found: list[tuple[Tensor, Tensor]]) -> Tensor:
    values = [score(*pair, rate) for pair in found]
    return torch.tensor([torch.nan if value is None else value for value in values])


def _given(reference: Batch | None) -> Batch:
    if reference is None:
        raise TrainingError(
            "PESQ and STOI compare with a clean sound, and no reference was given",
            remedy="use the objective metric-critic, and data whose samples are the clean sounds",
        )
    return reference
