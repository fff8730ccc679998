"""How critics read sentences, as tokens or as rows over the vocabulary.

Letters in names of tensors: B rows of the batch, T positions, V tokens of the vocabulary, E values of an embedding, F
features of a position.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from sparring.errors import TrainingError
from sparring.interfaces.data import Condition
from sparring_text.networks.conditioning import fit_label


def embed(sample: Tensor, table_VE: Tensor) -> Tensor:
    """Embed sentences ``(B, T, E)``: tokens ``(B, T)`` by their own row of a table, rows ``(B, T, V)`` by its mean.

    A gradient reaches rows, which may be one-hot, and cannot reach tokens.
    """
    return sample @ table_VE if sample.is_floating_point() else functional.embedding(sample, table_VE)


def places(place_TE: Tensor, sample: Tensor, network: str) -> Tensor:
    """Return the embeddings of the places that sentences have, ``(T, E)``.

    Raises:
        TrainingError: Sentences are longer than what the network was built for.
    """
    if sample.shape[1] > len(place_TE):
        raise TrainingError(
            f"{network} was built for {len(place_TE)} positions, and was given {sample.shape[1]}",
            remedy="build it for the space that the sentences are of",
        )
    return place_TE[: sample.shape[1]]


def dense_logits(
    hidden_BTF: Tensor, head: nn.Linear, label: nn.Embedding | None, condition: Condition, counts_BT: Tensor
) -> Tensor:
    """Return an opinion of each beginning of a sentence ``(B, T)``, from features ``(B, T, F)``; 0 past the end.

    A loss averages over all positions. There a zero is a constant, without a gradient: padding teaches nothing, and a
    sentence weighs as much as it has tokens.
    """
    logits_BT = head(hidden_BTF).squeeze(2) + fit_label(hidden_BTF, label, condition)
    return torch.where(counts_BT, logits_BT, 0.0)
