"""The hinge loss: a critic that is right by a margin of 1 learns nothing more."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor
from torch.nn.functional import relu

from sparring.interfaces.discriminator import Critique
from sparring.losses.reduction import average


class Hinge:
    """Geometric GAN (Lim and Ye, 2017), as in SAGAN and BigGAN.

    E max(0, 1 − D(x)) + E max(0, 1 + D(G(z))), against −E D(G(z)).
    """

    needs_real: ClassVar[bool] = False

    def discriminator(self, real: Critique, fake: Critique) -> Tensor:
        """Return by how much reals fall short of 1 and fakes pass −1, a scalar, at least 0."""
        return average(relu(1 - logits) for logits in real.logits) + average(relu(1 + logits) for logits in fake.logits)

    def generator(self, real: Critique | None, fake: Critique) -> Tensor:
        """Return the fakes' mean logit with its sign turned, a scalar."""
        return -average(fake.logits)

    def realness(self, critique: Critique) -> None:
        """Return None: a margin is no probability."""
        return
