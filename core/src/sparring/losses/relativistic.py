"""The relativistic pairing loss: each real sample is compared with one generated sample."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor
from torch.nn.functional import softplus

from sparring.errors import TrainingError
from sparring.interfaces.discriminator import Critique
from sparring.losses.reduction import average


class Relativistic:
    """RSGAN (Jolicoeur-Martineau, 2018), the pairing loss of R3GAN (Huang et al., 2025, equation 2).

    E softplus(−(D(x) − D(G(z)))), and for the generator the same with the roles swapped. Row i of the reals is paired
    with row i of the fakes, so that under a condition the two of a pair share it.
    """

    needs_real: ClassVar[bool] = True

    def discriminator(self, real: Critique, fake: Critique) -> Tensor:
        """Return how little each real's logit exceeds its partner's, a scalar, at least 0."""
        return average(softplus(-margin) for margin in _margins(real, fake))

    def generator(self, real: Critique | None, fake: Critique) -> Tensor:
        """Return how little each fake's logit exceeds its partner's, a scalar, at least 0."""
        if real is None:
            raise TrainingError(
                "the relativistic loss got no critique of real samples for the generator's side",
                remedy="an objective must hand over the real critique wherever a loss has needs_real = True",
            )
        return average(softplus(margin) for margin in _margins(real, fake))

    def realness(self, critique: Critique) -> None:
        """Return None: only differences of logits mean anything here."""
        return


def _margins(real: Critique, fake: Critique) -> list[Tensor]:
    """Return D(x) − D(G(z)) pair by pair, one tensor for each scale."""
    shapes = [[tuple(logits.shape) for logits in critique.logits] for critique in (real, fake)]
    if shapes[0] != shapes[1]:
        # Broadcasting (B, 1) against (B,) would pair every real with every fake without a word.
        raise TrainingError(
            f"the relativistic loss pairs each real sample with one generated sample, but the critic's logits have "
            f"shapes {shapes[0]} on reals and {shapes[1]} on fakes",
            remedy="generate as many samples as the batch has, of the same size; or use another loss",
        )
    return [on_real - on_fake for on_real, on_fake in zip(real.logits, fake.logits, strict=True)]
