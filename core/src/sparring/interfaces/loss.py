"""Adversarial losses: a pair, one side for each player."""

from __future__ import annotations

from typing import ClassVar, Protocol, runtime_checkable

from torch import Tensor

from sparring.interfaces.discriminator import Critique


@runtime_checkable
class Loss(Protocol):
    """An adversarial pair. Multi-scale critiques are averaged over their logits.

    Attributes:
        needs_real: Whether the generator's side reads the real critique (relativistic losses do).
    """

    needs_real: ClassVar[bool]

    def discriminator(self, real: Critique, fake: Critique) -> Tensor:
        """Return the critic's loss, a scalar."""
        ...

    def generator(self, real: Critique | None, fake: Critique) -> Tensor:
        """Return the generator's loss, a scalar."""
        ...

    def realness(self, critique: Critique) -> Tensor | None:
        """Return how real each sample seems, ``(B,)`` in [0, 1], or None where the loss gives no probability."""
        ...
