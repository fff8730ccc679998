"""Least squares: the critic regresses 1 on real samples and 0 on generated ones."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from sparring.interfaces.discriminator import Critique
from sparring.losses.reduction import average


class LeastSquares:
    """LSGAN (Mao et al., 2017, equation 9): ½ E(D(x) − 1)² + ½ E D(G(z))², against ½ E(D(G(z)) − 1)²."""

    needs_real: ClassVar[bool] = False

    def discriminator(self, real: Critique, fake: Critique) -> Tensor:
        """Return half the squared distance from 1 on reals and from 0 on fakes, a scalar."""
        on_real = average((logits - 1).square() for logits in real.logits)
        on_fake = average(logits.square() for logits in fake.logits)
        return (on_real + on_fake) / 2

    def generator(self, real: Critique | None, fake: Critique) -> Tensor:
        """Return half the squared distance of the fakes' logits from 1, a scalar."""
        return average((logits - 1).square() for logits in fake.logits) / 2

    def realness(self, critique: Critique) -> None:
        """Return None: a regressed target is no probability."""
        return
