"""A critic of sentences: convolutions of several widths, each pooled to its strongest response.

Letters in names of tensors: B rows of the batch, R representations, N sentences that the filters see (B · R), T
positions, V tokens of the vocabulary, E values of a token's embedding, F filters of one width.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from sparring.interfaces.data import Condition
from sparring.interfaces.discriminator import Critique, Discriminator
from sparring.interfaces.space import Space
from sparring_text.networks.conditioning import fit_label, label_embedding
from sparring_text.networks.sentences import embed, places
from sparring_text.spaces import token_space, within

NAME = "text/cnn"
SLOPE = 0.2  # of LeakyReLU below zero: a filter that is silent everywhere still learns


class CNNDiscriminator(Discriminator):
    """Judge sentences by which word patterns occur anywhere in them (Kim 2014, arXiv:1408.5882; Yu et al. 2017).

    It reads one-hot or relaxed rows ``(B, T, V)``, or tokens ``(B, T)``. What lies past the end of a row counts
    nowhere. Each place has an embedding too, since a pattern's strongest response alone would not tell where it is, and
    so not whether a sentence ends too soon. A class label enters by projection (Miyato and Koyama 2018).

    With several ``representations`` the embedding's values are dealt out to them, and the same filters judge each
    apart (Nie, Narodytska and Patel 2019, whose 64 representations have one value each): so many opinions of
    one sentence, of little cost each.

    Args:
        space: The sentences' space: ``(T,)`` tokens.
        conditions: None, or ``label``.
        embedding_dim: Values of a token's embedding, of all representations together.
        representations: How many opinions there are of a sentence; it divides ``embedding_dim``.
        filters: Patterns of each width.
        widths: How many tokens in a row a pattern spans; Kim has 3, 4 and 5.
        dropout: The share of responses left out in training, in [0, 1).
    """

    def __init__(
        self,
        space: Space,
        conditions: Mapping[str, Space],
        embedding_dim: int = 64,
        representations: int = 1,
        filters: int = 64,
        widths: tuple[int, ...] = (2, 3, 4, 5),
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if not widths or min(widths) < 1 or not 0 <= dropout < 1:
            raise ValueError(f"widths are at least 1 and dropout lies in [0, 1), not {widths} and {dropout}")
        if representations < 1 or embedding_dim % representations:
            raise ValueError(
                f"{embedding_dim} values of an embedding cannot be dealt out to {representations} representations; "
                "give a number that divides them"
            )
        known = token_space(space, NAME)
        self.representations = representations
        self.embedding = nn.Embedding(known.vocabulary, embedding_dim)
        self.place = nn.Parameter(torch.randn(known.length, embedding_dim))
        self.convolutions = nn.ModuleList(
            nn.Conv1d(embedding_dim // representations, filters, width) for width in widths
        )
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(filters * len(widths), 1)
        self.label = label_embedding(conditions, filters * len(widths), NAME)

    def forward(self, sample: Tensor, condition: Condition, lengths: Tensor | None = None) -> Critique:
        """Judge ``(B, T, V)`` rows or ``(B, T)`` tokens: logits ``(B,)``, and each width's responses as features.

        With R representations, logits are ``(B, R)`` and responses ``(B, R, F)``.
        """
        counts_BT1 = within(lengths, sample)[..., None]
        placed_BTE = embed(sample, self.embedding.weight) + places(self.place, sample, NAME)
        embedded_BET = torch.where(counts_BT1, placed_BTE, 0.0).transpose(1, 2)
        # Each representation becomes a sentence of its own, with a part of the values.
        embedded_NET = embedded_BET.reshape(len(sample) * self.representations, -1, sample.shape[1])
        counts_N1T = counts_BT1.transpose(1, 2).repeat_interleave(self.representations, 0)
        pooled = [self._strongest(layer, embedded_NET, counts_N1T) for layer in self.convolutions]
        if self.representations > 1:
            pooled = [one_NF.view(len(sample), self.representations, -1) for one_NF in pooled]
        responses = self.dropout(torch.cat(pooled, dim=-1))
        logits = self.head(responses).squeeze(-1) + fit_label(responses, self.label, condition)
        return Critique((logits,), (tuple(pooled),))

    def _strongest(self, convolution: nn.Module, embedded_NET: Tensor, counts_N1T: Tensor) -> Tensor:
        """Return the strongest response of each filter to a pattern that begins within the sentence, ``(N, F)``."""
        assert isinstance(convolution, nn.Conv1d)
        # Zeros on the right: so each position begins a pattern, and sentences shorter than the widest have one too.
        room = functional.pad(embedded_NET, (0, convolution.kernel_size[0] - 1))
        response_NFT = functional.leaky_relu(convolution(room), SLOPE)
        # A finite floor: a row of length 0 has a defined, if useless, response.
        floor = torch.finfo(response_NFT.dtype).min / 2
        pooled_NF: Tensor = torch.where(counts_N1T, response_NFT, floor).amax(dim=2)
        return torch.where(counts_N1T.any(dim=2), pooled_NF, 0.0)
