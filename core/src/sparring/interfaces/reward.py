"""Rewards: what reinforcement learning makes more of."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from torch import Tensor

from sparring.interfaces.data import Batch


@runtime_checkable
class Reward(Protocol):
    """Score each sample; no gradient is asked for."""

    def __call__(self, samples: Batch, reference: Batch | None) -> Tensor:
        """Return ``(B,)``, higher is better; NaN where a row cannot be scored, whatever was made.

        ``reference`` is the real batch of the same update.
        """
        ...
