"""The Fréchet distance within each class: whether a conditional generator varies what it is asked for."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch

from sparring.errors import DataError, TrainingError
from sparring.interfaces.data import Batch, Data
from sparring.interfaces.metric import Encoder, Metric
from sparring.metrics.frechet import frechet_distance
from sparring.metrics.moments import Moments
from sparring.spaces.label import LabelSpace


class IntraClass(Metric):
    """The Fréchet distance between the real and the generated images of one class, averaged over classes.

    This is the intra-FID of Miyato and Koyama 2018, "cGANs with Projection Discriminator", arXiv:1802.05637, with the
    encoder that is named: only with Inception is it called so. A distance over all classes together does not see that
    a generator ignores its label or shows one image for each class; this one does.

    A class has fewer samples than the whole, and the Fréchet distance of few samples is biased upwards: compare only
    figures with the same number of samples, and give an evaluation several hundred a class.

    Attributes:
        encoder: As given.

    Args:
        data: Data with labels.
        encoder: What looks at the images.
    """

    better: ClassVar[Literal["higher", "lower"]] = "lower"

    def __init__(self, data: Data, encoder: Encoder) -> None:
        label = data.conditions.get("label")
        if not isinstance(label, LabelSpace):
            raise DataError(
                "image/intra-class compares within classes, and these data have no labels",
                remedy="use the metric frechet, or data with labels",
            )
        self.names = list(label.classes)
        self.encoder = encoder.eval()
        self.reset()

    def reset(self) -> None:
        self._real = [Moments() for _ in self.names]
        self._fake = [Moments() for _ in self.names]

    @torch.no_grad()
    def update(self, real: Batch, fake: Batch) -> None:
        for moments, batch in ((self._real, real), (self._fake, fake)):
            if not len(batch):
                continue
            features_BF = self.encoder.to(batch.sample.device)(batch.sample)
            label_B = batch.condition["label"].to(features_BF.device)
            for label in sorted(set(label_B.tolist())):
                moments[label].update(features_BF[label_B == label])

    def compute(self) -> dict[str, float]:
        for name, real, fake in zip(self.names, self._real, self._fake, strict=True):
            if min(real.count, fake.count) < 2:
                raise TrainingError(
                    f"of the class '{name}' there are {real.count} real and {fake.count} generated samples, and 2 of "
                    "each are the fewest that have a spread",
                    remedy="evaluate on more samples",
                )
        distances = [
            frechet_distance(real.mean, real.covariance, fake.mean, fake.covariance)
            for real, fake in zip(self._real, self._fake, strict=True)
        ]
        return {"intra_frechet": sum(distances) / len(distances)}
