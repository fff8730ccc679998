"""The Wasserstein distance, where something else keeps the critic Lipschitz."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from sparring.interfaces.discriminator import Critique
from sparring.losses.reduction import average


class Wasserstein:
    """WGAN (Arjovsky et al., 2017): E D(G(z)) − E D(x), against −E D(G(z)).

    Use it with the term ``gradient-penalty`` or the constraint ``weight-clip``: unbounded critics make it meaningless.
    """

    needs_real: ClassVar[bool] = False

    def discriminator(self, real: Critique, fake: Critique) -> Tensor:
        """Return the estimate of the distance with its sign turned, a scalar."""
        return average(fake.logits) - average(real.logits)

    def generator(self, real: Critique | None, fake: Critique) -> Tensor:
        """Return the fakes' mean logit with its sign turned, a scalar."""
        return -average(fake.logits)

    def realness(self, critique: Critique) -> None:
        """Return None: the critic's values have no scale."""
        return
