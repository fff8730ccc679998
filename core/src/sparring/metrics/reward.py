"""A reward as a metric: how much of it samples have."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor

from sparring.errors import DataError
from sparring.interfaces.data import Batch
from sparring.interfaces.metric import Metric
from sparring.interfaces.reward import NetworkReward, Reward


class MeanReward(Metric):
    """The mean reward of generated samples, and that of real ones beside it: ``NAME`` and ``real_NAME``.

    Rows whose reward is NaN are left out. Judge by another reward than the one that was trained for, such as a
    classifier of another seed: it tells what was learnt from what was exploited.

    Args:
        reward: Any reward but one that a network of the run gives.
        name: What the values are called.
    """

    better: ClassVar[Literal["higher", "lower"]] = "higher"

    def __init__(self, reward: Reward, name: str = "reward") -> None:
        if isinstance(reward, NetworkReward):
            raise DataError(
                "the metric reward knows no networks of the run, and this reward asks one",
                remedy="name a reward that judges by itself",
            )
        self.reward, self.name = reward, name
        self.reset()

    def reset(self) -> None:
        self._real: list[Tensor] = []
        self._fake: list[Tensor] = []

    def update(self, real: Batch, fake: Batch) -> None:
        # The rows of the two do not belong together, so none is the other's reference.
        with torch.no_grad():
            for batch, found in ((real, self._real), (fake, self._fake)):
                if len(batch):
                    found.append(self.reward(batch, None).float().cpu().flatten())

    def compute(self) -> dict[str, float]:
        if not self._fake or not self._real:
            raise DataError(
                "the metric reward compares two sets of samples, and one is empty", remedy="call `update` first"
            )
        return {
            self.name: float(torch.cat(self._fake).nanmean()),
            f"real_{self.name}": float(torch.cat(self._real).nanmean()),
        }
