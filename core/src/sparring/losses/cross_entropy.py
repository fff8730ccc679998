"""The two losses of the first GAN paper: the critic's logit is the log-odds that a sample is real."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import softplus

from sparring.interfaces.discriminator import Critique
from sparring.losses.reduction import average, per_sample


class _CrossEntropy:
    """The critic's side, which the two share: −E log σ(D(x)) − E log(1 − σ(D(G(z))))."""

    needs_real: ClassVar[bool] = False

    def discriminator(self, real: Critique, fake: Critique) -> Tensor:
        """Return the cross-entropy of telling real from generated, a scalar."""
        # −log σ(t) = softplus(−t), which stays finite where σ(t) rounds to 0.
        return average(softplus(-logits) for logits in real.logits) + average(
            softplus(logits) for logits in fake.logits
        )

    def realness(self, critique: Critique) -> Tensor:
        """Return the probability that each sample is real, ``(B,)`` in [0, 1]."""
        return per_sample(torch.sigmoid(logits) for logits in critique.logits)


class Minimax(_CrossEntropy):
    """The game as it was first written (Goodfellow et al., 2014, equation 1): the generator minimises E log(1 − σ(D)).

    Its gradient vanishes where the critic is sure, which is why ``non-saturating`` is what is used in practice.
    """

    def generator(self, real: Critique | None, fake: Critique) -> Tensor:
        """Return E log(1 − σ(D(G(z)))), a scalar, at most 0."""
        return -average(softplus(logits) for logits in fake.logits)


class NonSaturating(_CrossEntropy):
    """Cross-entropy whose generator maximises E log σ(D(G(z))) (Goodfellow et al., 2014, section 3)."""

    def generator(self, real: Critique | None, fake: Critique) -> Tensor:
        """Return −E log σ(D(G(z))), a scalar, at least 0."""
        return average(softplus(-logits) for logits in fake.logits)
