"""A critic that judges a sentence at each token, by a transformer that looks back only.

Letters in names of tensors: B rows of the batch, T positions, V tokens of the vocabulary, W values of a position.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from sparring.interfaces.data import Condition
from sparring.interfaces.discriminator import Critique, Discriminator
from sparring.interfaces.space import Space
from sparring_text.networks.attention import blocks
from sparring_text.networks.conditioning import label_embedding
from sparring_text.networks.sentences import dense_logits, embed, places
from sparring_text.spaces import token_space, within

NAME = "text/token-transformer"


class TokenTransformerDiscriminator(Discriminator):
    """Judge each beginning of a sentence with a transformer (Vaswani et al. 2017) that looks back only.

    The logits are ``(B, T)``: the t-th judges tokens up to the t-th, whatever follows, and is exactly 0 past the end.
    It reads one-hot or relaxed rows ``(B, T, V)``, or tokens ``(B, T)``. A class label enters by projection (Miyato and
    Koyama 2018).

    Args:
        space: The sentences' space: ``(T,)`` tokens.
        conditions: None, or ``label``.
        width: Values of a position, and of a token's embedding.
        layers: Blocks upon one another.
        heads: Attentions beside one another in a block; they divide ``width``.
        dropout: The share of values left out in training, in [0, 1).
    """

    def __init__(
        self,
        space: Space,
        conditions: Mapping[str, Space],
        width: int = 128,
        layers: int = 2,
        heads: int = 4,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        known = token_space(space, NAME)
        self.embedding = nn.Embedding(known.vocabulary, width)
        self.place = nn.Parameter(torch.randn(known.length, width))
        self.blocks = blocks(width, heads, layers, dropout)
        self.norm, self.dropout = nn.LayerNorm(width), nn.Dropout(dropout)
        self.head = nn.Linear(width, 1)
        self.label = label_embedding(conditions, width, NAME)

    def forward(self, sample: Tensor, condition: Condition, lengths: Tensor | None = None) -> Critique:
        """Judge ``(B, T, V)`` rows or ``(B, T)`` tokens: logits ``(B, T)``, and each block's output ``(B, T, W)``."""
        placed_BTW = embed(sample, self.embedding.weight) + places(self.place, sample, NAME)
        hidden_BTW, counts_BT = self.dropout(placed_BTW), within(lengths, sample)
        features = []
        with sdpa_kernel(SDPBackend.MATH):  # penalties differentiate twice, and the fused kernels cannot
            for block in self.blocks:
                hidden_BTW, _ = block(hidden_BTW)
                features.append(torch.where(counts_BT[..., None], hidden_BTW, 0.0))
        logits_BT = dense_logits(self.norm(hidden_BTW), self.head, self.label, condition, counts_BT)
        return Critique((logits_BT,), (tuple(features),))
