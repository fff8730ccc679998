"""Class labels as conditions: beside a generator's latent, in its layers, and in a critic's verdict.

Letters in names of tensors: B rows of the batch, L latent values, E values of a label's embedding, C channels, M mel
bands, T frames, F features.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from sparring.errors import DataError, TrainingError
from sparring.interfaces.data import Condition
from sparring.interfaces.space import Space
from sparring.spaces.label import LabelSpace


class LabelledLatent(nn.Module):
    """Lay an embedding of the class label, where the data have one, beside the latent.

    Attributes:
        width: Of the result.

    Args:
        conditions: The data's: none, or ``label``.
        latent_dim: Length of the latent vector.
        label_dim: Length of a label's embedding.
        network: Whose it is, for messages.
    """

    def __init__(self, conditions: Mapping[str, Space], latent_dim: int, label_dim: int, network: str) -> None:
        super().__init__()
        classes = classes_of(conditions, network)
        self.network, self.width = network, latent_dim + (label_dim if classes else 0)
        self.embedding = nn.Embedding(classes, label_dim) if classes else None

    def forward(self, latent: Tensor | None, condition: Condition) -> Tensor:
        """Map ``(B, latent_dim)`` and, where there are labels, ``label`` ``(B,)`` to ``(B, width)``."""
        if latent is None:
            raise TrainingError(f"{self.network} needs a latent", remedy="draw it with `generator.latent(n, rng=…)`")
        if self.embedding is None:
            return latent
        label_BE = self.embedding(label_of(condition, self.network))
        return torch.cat([latent, label_BE], dim=1)


class LabelledNorm(nn.Module):
    """Normalise maps over the batch; each class label, where the data have one, has its own scale and shift.

    Conditional batch norm (de Vries et al. 2017, "Modulating early visual processing by language", arXiv:1707.00683):
    what only some words have, such as the burst of a [t], need not be made by every word's channels.

    Args:
        conditions: The data's: none, or ``label``.
        channels: Of the maps.
        network: Whose it is, for messages.
    """

    def __init__(self, conditions: Mapping[str, Space], channels: int, network: str) -> None:
        super().__init__()
        classes = classes_of(conditions, network)
        self.network = network
        self.norm = nn.BatchNorm2d(channels, affine=not classes)
        self.scale = nn.Embedding(classes, channels) if classes else None
        self.shift = nn.Embedding(classes, channels) if classes else None
        if self.scale is not None and self.shift is not None:
            nn.init.ones_(self.scale.weight)
            nn.init.zeros_(self.shift.weight)

    def forward(self, hidden: Tensor, condition: Condition) -> Tensor:
        """Map ``(B, C, M, T)`` and, where there are labels, ``label`` ``(B,)`` to maps of the same shape."""
        normal_BCMT: Tensor = self.norm(hidden)
        if self.scale is None or self.shift is None:
            return normal_BCMT
        label_B = label_of(condition, self.network)
        scale_BC11, shift_BC11 = (table(label_B)[:, :, None, None] for table in (self.scale, self.shift))
        scaled_BCMT: Tensor = normal_BCMT * scale_BC11 + shift_BC11
        return scaled_BCMT


class ProjectionHead(nn.Module):
    """Give a verdict on features; a class label, where the data have one, enters by projection.

    The method is that of Miyato and Koyama 2018, "cGANs with Projection Discriminator", arXiv:1802.05637.

    Args:
        conditions: The data's: none, or ``label``.
        features: How many there are.
        network: Whose it is, for messages.
    """

    def __init__(self, conditions: Mapping[str, Space], features: int, network: str) -> None:
        super().__init__()
        classes = classes_of(conditions, network)
        self.network, self.spread = network, math.sqrt(features)
        self.verdict = nn.Linear(features, 1)
        self.embedding = nn.Embedding(classes, features) if classes else None

    def forward(self, hidden: Tensor, condition: Condition) -> Tensor:
        """Map ``(B, …)``, of as many features, and, where there are labels, ``label`` ``(B,)`` to logits ``(B,)``."""
        hidden_BF = hidden.flatten(1)
        logit_B: Tensor = self.verdict(hidden_BF).squeeze(1)
        if self.embedding is not None:
            label_BF = self.embedding(label_of(condition, self.network))
            # The product's spread grows with the root of the number of features; without the division the label would
            # drown the unconditional part at the start.
            logit_B = logit_B + (hidden_BF * label_BF).sum(1) / self.spread
        return logit_B


def classes_of(conditions: Mapping[str, Space], network: str) -> int:
    """Return the number of classes of the condition ``label``, or 0 where there are no conditions.

    Raises:
        DataError: There are conditions that the network cannot use.
    """
    for name, space in conditions.items():
        if name != "label" or not isinstance(space, LabelSpace):
            raise DataError(
                f"{network} can be conditioned on a class label only, and the data carry the condition '{name}'",
                remedy="use a network that takes this condition, or data without it",
            )
        return len(space.classes)
    return 0


def label_of(condition: Condition, network: str) -> Tensor:
    """Return the labels ``(B,)`` of a condition.

    Raises:
        TrainingError: There are none.
    """
    if "label" not in condition:
        raise TrainingError(
            f"{network} was built for labelled data, and was given no label",
            remedy="pass condition={'label': tensor of B class numbers}",
        )
    return condition["label"]
