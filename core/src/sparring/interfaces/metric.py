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

    def examine(self, generator: nn.Module) -> None:  # noqa: B027 - most metrics look at nothing more
        """Look at the generator itself, in evaluation mode, once after each ``reset`` and before the first batch.

        Most metrics judge samples alone and leave this as it is. One that asks for likelihoods, or draws samples of its
        own, keeps the generator until ``compute``; it draws from a generator of random numbers of its own, and takes
        no gradient.

        Raises:
            TrainingError: The metric needs something that this generator has not.
        """

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
