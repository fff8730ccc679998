"""Feature matching: generated samples should excite the critic's layers as real ones do."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import l1_loss

from sparring.errors import TrainingError
from sparring.interfaces.context import Context
from sparring.interfaces.objective import Term


class FeatureMatching(Term):
    """The mean absolute difference of the critic's features, row by row (pix2pixHD: Wang et al., 2018, equation 4).

    It is averaged over each scale's layers and over scales, and suits generators whose sample i belongs to the batch's
    sample i: vocoders, translators. HiFi-GAN sums over layers and scales instead; its weight of 2 is then larger here.

    Args:
        generator: The generator's role.
        discriminator: The critic's role. It must return ``Critique.features``.
    """

    def __init__(self, generator: str = "generator", discriminator: str = "discriminator") -> None:
        self.generator, self.discriminator = generator, discriminator
        self.trains = (generator,)

    def __call__(self, context: Context) -> Tensor:
        made = context.generate(self.generator)
        fake = context.critique(self.discriminator, made.sample, lengths=made.lengths).features
        real = context.critique(self.discriminator, context.batch.sample, lengths=context.batch.lengths).features
        if not any(real):
            raise TrainingError(
                f"the term feature-matching needs features, and '{self.discriminator}' returns none",
                remedy="return Critique(logits, features) from the discriminator, or remove the term",
            )
        return torch.stack([_distance(*scale) for scale in zip(fake, real, strict=True) if scale[0]]).mean()


def _distance(fake: tuple[Tensor, ...], real: tuple[Tensor, ...]) -> Tensor:
    """Return the mean over one scale's layers, a scalar."""
    layers = []
    for ours, theirs in zip(fake, real, strict=True):
        if ours.shape != theirs.shape:
            raise TrainingError(
                f"the term feature-matching compares features {tuple(ours.shape)} of generated samples with "
                f"{tuple(theirs.shape)} of real ones, which differ in shape",
                remedy="generate as many samples as the batch has, of the same size",
            )
        layers.append(l1_loss(ours, theirs.detach()))
    return torch.stack(layers).mean()
