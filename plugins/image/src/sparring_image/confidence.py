"""How sure a classifier is of what was generated."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor

from sparring.errors import DataError
from sparring.interfaces.data import Batch
from sparring.interfaces.metric import Encoder, Metric
from sparring.metrics.classifier import Classifier


class ClassConfidence(Metric):
    """The share of generated images of which a classifier is sure, and how many classes they cover.

    ``confidence`` is the share that one class has with at least ``threshold`` probability; ``classes`` the number of
    classes among those; ``right_class``, for conditional generators, the share whose likeliest class is the one that
    was asked for. A high value needs recognisable images, not varied ones: read it beside a Fréchet distance.

    Args:
        encoder: One that names classes: ``image/classifier``.
        threshold: The probability, in [0, 1], from which on the classifier counts as sure.
    """

    better: ClassVar[Literal["higher", "lower"]] = "higher"

    def __init__(self, encoder: Encoder, threshold: float = 0.85) -> None:
        if not isinstance(encoder, Classifier):
            raise DataError(
                f"image/confidence asks for classes, and the encoder {encoder.name} gives none",
                remedy="write `encoder: image/classifier`, and use labelled data",
            )
        if not 0 <= threshold <= 1:
            raise DataError(f"the threshold {threshold} is no probability", remedy="choose one between 0 and 1")
        self.classifier: Classifier = encoder
        self.threshold = threshold
        self.reset()

    def reset(self) -> None:
        self._likeliest: list[Tensor] = []
        self._sure: list[Tensor] = []
        self._right: list[Tensor] = []

    def update(self, real: Batch, fake: Batch) -> None:
        if not len(fake):
            return
        with torch.no_grad():
            probability_B, likeliest_B = self.classifier.probabilities(fake.sample).max(dim=1)
        self._likeliest.append(likeliest_B)
        self._sure.append(probability_B >= self.threshold)
        if "label" in fake.condition:
            self._right.append(likeliest_B == fake.condition["label"].to(likeliest_B.device))

    def compute(self) -> dict[str, float]:
        if not self._sure:
            raise DataError("no samples were given to image/confidence", remedy="call `update` first")
        sure, likeliest = torch.cat(self._sure), torch.cat(self._likeliest)
        values = {"confidence": sure.float().mean().item(), "classes": float(len(set(likeliest[sure].tolist())))}
        if self._right:
            values["right_class"] = torch.cat(self._right).float().mean().item()
        return values
