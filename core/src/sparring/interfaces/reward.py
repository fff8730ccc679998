"""Rewards: what reinforcement learning makes more of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from torch import Tensor, nn

from sparring.interfaces.context import Context
from sparring.interfaces.data import Batch
from sparring.interfaces.objective import Update


@runtime_checkable
class Reward(Protocol):
    """Score each sample; no gradient is asked for."""

    def __call__(self, samples: Batch, reference: Batch | None) -> Tensor:
        """Return ``(B,)``, higher is better; or ``(B, T)``, one for each token of sequences.

        NaN stands where a row cannot be scored, whatever was made.
        ``reference`` holds the real rows of the same update, row by row those that the samples were made for.
        """
        ...


@runtime_checkable
class NetworkReward(Reward, Protocol):
    """A reward that one of the run's networks gives, and that may learn along with what it rewards.

    Attributes:
        updates: What trains the network, before the generator's update in each step; empty where it is frozen.
    """

    updates: tuple[Update, ...]

    def see(self, networks: Mapping[str, nn.Module]) -> None:
        """Take the run's networks, by role, before samples are scored."""

    def terms(self, update: Update, context: Context) -> Mapping[str, Tensor]:
        """Return the named loss terms of one of ``updates``, as an objective does."""
        ...
