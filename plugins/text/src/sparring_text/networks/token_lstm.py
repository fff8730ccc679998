"""A critic that reads a sentence from left to right, and judges it at each token.

Letters in names of tensors: B rows of the batch, T positions, V tokens of the vocabulary, E values of a token's
embedding, W values of the hidden state.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext

import torch
from torch import Tensor, nn

from sparring.interfaces.data import Condition
from sparring.interfaces.discriminator import Critique, Discriminator
from sparring.interfaces.space import Space
from sparring_text.networks.conditioning import label_embedding
from sparring_text.networks.sentences import dense_logits, embed
from sparring_text.spaces import token_space, within

NAME = "text/token-lstm"


class TokenLSTMDiscriminator(Discriminator):
    """Judge each beginning of a sentence with an LSTM, which gives a reward for every token (d'Autume et al. 2019).

    The logits are ``(B, T)``: the t-th judges tokens up to the t-th, whatever follows, and is exactly 0 past the end.
    It reads one-hot or relaxed rows ``(B, T, V)``, or tokens ``(B, T)``. A class label enters by projection (Miyato and
    Koyama 2018). As in ScratchGAN (arXiv:1905.09922), whose critic this is, one pass prices all tokens, where SeqGAN
    completes a sentence many times from each.

    Args:
        space: The sentences' space: ``(T,)`` tokens.
        conditions: None, or ``label``.
        width: Values of the hidden state.
        embedding_dim: Values of a token's embedding.
        layers: LSTMs upon one another.
        dropout: The share of embedding and hidden values left out in training, in [0, 1).
    """

    def __init__(
        self,
        space: Space,
        conditions: Mapping[str, Space],
        width: int = 128,
        embedding_dim: int = 64,
        layers: int = 1,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout is {dropout}, and must be in [0, 1)")
        self.embedding = nn.Embedding(token_space(space, NAME).vocabulary, embedding_dim)
        self.recurrence = nn.LSTM(
            embedding_dim, width, layers, batch_first=True, dropout=dropout if layers > 1 else 0.0
        )
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width, 1)
        self.label = label_embedding(conditions, width, NAME)

    def forward(self, sample: Tensor, condition: Condition, lengths: Tensor | None = None) -> Critique:
        """Judge ``(B, T, V)`` rows or ``(B, T)`` tokens: logits ``(B, T)``, and hidden values ``(B, T, W)``."""
        embedded_BTE = self.dropout(embed(sample, self.embedding.weight))
        # A penalty differentiates twice, which cuDNN's LSTM cannot; torch's own is slower, and is used for that alone.
        penalised = sample.requires_grad and self.head.weight.requires_grad
        with torch.backends.cudnn.flags(enabled=False) if penalised else nullcontext():
            hidden_BTW, _ = self.recurrence(embedded_BTE)
        counts_BT = within(lengths, sample)
        hidden_BTW = torch.where(counts_BT[..., None], hidden_BTW, 0.0)
        logits_BT = dense_logits(self.dropout(hidden_BTW), self.head, self.label, condition, counts_BT)
        return Critique((logits_BT,), ((hidden_BTW,),))
