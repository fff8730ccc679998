"""The Fréchet distance between real and generated samples, seen through an encoder."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor

from sparring.interfaces.data import Batch
from sparring.interfaces.metric import Encoder, Metric
from sparring.metrics.moments import Moments


def frechet_distance(mean: Tensor, covariance: Tensor, other_mean: Tensor, other_covariance: Tensor) -> float:
    """Return the squared Fréchet distance of two Gaussians (Dowson and Landau, 1982, equation 4).

    ‖μ₁ − μ₂‖² + tr(Σ₁ + Σ₂ − 2 (Σ₁ Σ₂)^½). The trace of the root is that of (Σ₁^½ Σ₂ Σ₁^½)^½, whose argument is
    symmetric, so that eigenvalues are real and a singular covariance is no special case.

    Args:
        mean: μ₁, ``(F,)``.
        covariance: Σ₁, ``(F, F)``, symmetric and positive semidefinite.
        other_mean: μ₂, ``(F,)``.
        other_covariance: Σ₂, ``(F, F)``.

    Returns:
        The distance, at least 0.
    """
    first, second = covariance.double(), other_covariance.double()
    values, vectors = torch.linalg.eigh(first)
    # Rounding leaves small negative eigenvalues where there should be none.
    root = (vectors * values.clamp_min(0).sqrt()) @ vectors.T
    overlap = torch.linalg.eigvalsh(root @ second @ root).clamp_min(0).sqrt().sum()
    apart = (mean.double() - other_mean.double()).square().sum()
    distance = apart + first.trace() + second.trace() - 2 * overlap
    return max(float(distance), 0.0)


class Frechet(Metric):
    """The Fréchet distance of an encoder's features, taken as Gaussian (FID: Heusel et al., 2017).

    Figures are comparable only where encoder, split and sample count are the same. The encoder's ``name`` belongs
    beside each of them; with few samples the value is biased upwards.

    Attributes:
        encoder: As given.

    Args:
        encoder: What looks at the samples.
    """

    better: ClassVar[Literal["higher", "lower"]] = "lower"

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder.eval()
        self.reset()

    def reset(self) -> None:
        self._real, self._fake = Moments(), Moments()

    @torch.no_grad()
    def update(self, real: Batch, fake: Batch) -> None:
        for moments, batch in ((self._real, real), (self._fake, fake)):
            if len(batch):
                moments.update(self.encoder.to(batch.sample.device)(batch.sample))

    def compute(self) -> dict[str, float]:
        real, fake = self._real, self._fake
        return {"frechet": frechet_distance(real.mean, real.covariance, fake.mean, fake.covariance)}
