"""The probability of a class as a reward."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from sparring.errors import DataError, TrainingError
from sparring.interfaces.data import Batch
from sparring.interfaces.metric import Encoder
from sparring.interfaces.space import Space
from sparring.metrics.classifier import Classifier
from sparring.spaces.label import LabelSpace


class ClassifierReward:
    """The probability that a classifier gives to the wanted class, in [0, 1]; it has a gradient where that has one.

    Train and evaluate by different classifiers (another ``seed``, say): what one was brought to believe, another need
    not.

    Args:
        conditions: Of the data; where ``label`` is one, classes have its names.
        encoder: An encoder that names classes, such as ``image/classifier``.
        wanted: The class, by name or number; by default the one that each sample is asked to be, its condition
            ``label``.
    """

    def __init__(self, conditions: Mapping[str, Space], encoder: Encoder, wanted: str | int | None = None) -> None:
        if not isinstance(encoder, Classifier):
            raise DataError(
                f"the reward classifier needs an encoder that names classes, and {encoder.name} does not",
                remedy="use one such as image/classifier or audio/classifier",
            )
        self.classifier: Classifier = encoder
        self.wanted = None if wanted is None else _number(wanted, conditions.get("label"))

    def __call__(self, samples: Batch, reference: Batch | None) -> Tensor:
        """Return ``(B,)`` in [0, 1]."""
        found_BK = self.classifier.probabilities(samples.sample)
        if self.wanted is None:
            if "label" not in samples.condition:
                raise TrainingError(
                    "the reward classifier is told no class, and the samples are asked to be none",
                    where="objective.reward.wanted",
                    remedy="name a class, or use data with labels",
                )
            label_B = samples.condition["label"].to(found_BK.device)
        else:
            label_B = torch.full((len(found_BK),), self.wanted, device=found_BK.device)
        if int(label_B.max()) >= found_BK.shape[1]:
            raise TrainingError(
                f"class {int(label_B.max())} is wanted, and the classifier knows {found_BK.shape[1]}, counted from 0",
                where="objective.reward.wanted",
                remedy="name one of its classes",
            )
        return found_BK.gather(1, label_B[:, None].long()).squeeze(1)


def _number(wanted: str | int, labels: Space | None) -> int:
    """Return a class's number, from 0."""
    if isinstance(labels, LabelSpace):
        return int(labels.encode(wanted))
    if isinstance(wanted, str) and not wanted.isdecimal():
        raise DataError(
            f"'{wanted}' names no class: the data have no labels", where="wanted", remedy="give the class's number"
        )
    if int(wanted) < 0:
        raise ValueError(f"wanted is {wanted}, and classes are counted from 0")
    return int(wanted)
