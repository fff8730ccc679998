"""Metrics, and the encoders that some of them look through."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

from torch import Tensor, nn

from sparring.interfaces.data import Batch


class Metric(ABC):
    """Score generated samples against held-out ones.

    Attributes:
        better: Which way the main value, the first of ``compute``, improves.
    """

    better: ClassVar[Literal["higher", "lower"]]

    @abstractmethod
    def reset(self) -> None:
        """Forget every batch seen so far."""

    @abstractmethod
    def update(self, real: Batch, fake: Batch) -> None:
        """Take in one batch of each; the two need not have the same number of rows."""

    @abstractmethod
    def compute(self) -> dict[str, float]:
        """Return the values by name, the main one first."""


class Encoder(nn.Module, ABC):
    """A fixed network whose features a metric compares. Its name belongs beside every figure that it gives."""

    name: str

    @abstractmethod
    def forward(self, sample: Tensor) -> Tensor:
        """Map ``(B, *space.shape)`` to features ``(B, F)``."""
