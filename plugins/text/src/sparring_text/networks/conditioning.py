"""How the class of a sentence enters a network.

Letters in names of tensors: B rows of the batch, T positions, F features of a sentence or of a position.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from sparring.errors import DataError, TrainingError
from sparring.interfaces.data import Condition
from sparring.interfaces.space import Space
from sparring.spaces.label import LabelSpace


def label_embedding(conditions: Mapping[str, Space], values: int, network: str) -> nn.Embedding | None:
    """Return an embedding of the condition ``label``, or None where the data have no conditions.

    Args:
        conditions: The data's.
        values: How many each class has. They have the spread of tokens' embeddings, which scores are products with.
        network: Who asks, for messages.

    Raises:
        DataError: There are conditions that the network cannot use.
    """
    for name, space in conditions.items():
        if name != "label" or not isinstance(space, LabelSpace):
            raise DataError(
                f"{network} can be conditioned on a class label only, and the data carry the condition '{name}'",
                remedy="use a network that takes this condition, or data without it",
            )
        embedding = nn.Embedding(len(space.classes), values)
        nn.init.normal_(embedding.weight, std=values**-0.5)
        return embedding
    return None


def label_rows(embedding: nn.Embedding | None, condition: Condition) -> Tensor | None:
    """Return the embedding of each row's label, or None where the network has none.

    Raises:
        TrainingError: The network needs labels, and there are none.
    """
    if embedding is None:
        return None
    if "label" not in condition:
        raise TrainingError(
            "the network was built for labelled data, and was given no label",
            remedy="pass condition={'label': tensor of B class numbers}",
        )
    rows: Tensor = embedding(condition["label"])
    return rows


def fit_label(features: Tensor, embedding: nn.Embedding | None, condition: Condition) -> Tensor | float:
    """Say how well features fit their label: their inner product with its embedding (Miyato and Koyama 2018).

    Args:
        features: ``(B, F)`` of sentences, or ``(B, …, F)``.
        embedding: F values for each class, or None.
        condition: Holds the labels.

    Returns:
        What is to be added to the logits, ``(B,)`` or ``(B, …)``; 0 where there is no embedding.
    """
    label_BF = label_rows(embedding, condition)
    if label_BF is None:
        return 0.0
    between = (1,) * (features.dim() - 2)
    fit: Tensor = (features * label_BF.view(len(label_BF), *between, -1)).sum(-1)
    return fit
