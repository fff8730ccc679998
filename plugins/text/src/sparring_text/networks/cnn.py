"""A critic of sentences: convolutions of several widths, each pooled to its strongest response.

Letters in names of tensors: B rows of the batch, T positions, V tokens of the vocabulary, E values of a token's
embedding, F filters of one width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from sparring.errors import TrainingError
from sparring.interfaces.data import Condition
from sparring.interfaces.discriminator import Critique, Discriminator
from sparring.interfaces.space import Space
from sparring_text.spaces import token_space, within

SLOPE = 0.2  # of LeakyReLU below zero: a filter that is silent everywhere still learns


class CNNDiscriminator(Discriminator):
    """Judge sentences by which word patterns occur anywhere in them (Kim 2014, arXiv:1408.5882; Yu et al. 2017).

    It reads one-hot or relaxed rows ``(B, T, V)``, or tokens ``(B, T)``. What lies past the end of a row counts
    nowhere. Each place has an embedding too, since a pattern's strongest response alone would not tell where it is, and
    so not whether a sentence ends too soon.

    Args:
        space: The sentences' space: ``(T,)`` tokens.
        embedding_dim: Values of a token's embedding.
        filters: Patterns of each width.
        widths: How many tokens in a row a pattern spans; Kim has 3, 4 and 5.
        dropout: The share of responses left out in training, in [0, 1).
    """

    def __init__(
        self,
        space: Space,
        embedding_dim: int = 64,
        filters: int = 64,
        widths: tuple[int, ...] = (2, 3, 4, 5),
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if not widths or min(widths) < 1 or not 0 <= dropout < 1:
            raise ValueError(f"widths are at least 1 and dropout lies in [0, 1), not {widths} and {dropout}")
        known = token_space(space, "text/cnn")
        self.embedding = nn.Embedding(known.vocabulary, embedding_dim)
        self.place = nn.Parameter(torch.randn(known.length, embedding_dim))
        self.convolutions = nn.ModuleList(nn.Conv1d(embedding_dim, filters, width) for width in widths)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(filters * len(widths), 1)

    def forward(self, sample: Tensor, condition: Condition, lengths: Tensor | None = None) -> Critique:
        """Judge ``(B, T, V)`` rows or ``(B, T)`` tokens: logits ``(B,)``, and each width's responses as features."""
        relaxed = sample.is_floating_point()
        embedded_BTE = sample @ self.embedding.weight if relaxed else self.embedding(sample)
        counts_BT1 = within(lengths, sample)[..., None]
        if sample.shape[1] > len(self.place):
            raise TrainingError(
                f"text/cnn was built for {len(self.place)} positions, and was given {sample.shape[1]}",
                remedy="build it for the space that the sentences are of",
            )
        placed_BTE = embedded_BTE + self.place[: sample.shape[1]]
        embedded_BET = torch.where(counts_BT1, placed_BTE, 0.0).transpose(1, 2)
        pooled = [self._strongest(layer, embedded_BET, counts_BT1.transpose(1, 2)) for layer in self.convolutions]
        logit_B = self.head(self.dropout(torch.cat(pooled, dim=1))).squeeze(1)
        return Critique((logit_B,), (tuple(pooled),))

    def _strongest(self, convolution: nn.Module, embedded_BET: Tensor, counts_B1T: Tensor) -> Tensor:
        """Return the strongest response of each filter to a pattern that begins within the sentence, ``(B, F)``."""
        assert isinstance(convolution, nn.Conv1d)
        # Zeros on the right: so each position begins a pattern, and sentences shorter than the widest have one too.
        room = functional.pad(embedded_BET, (0, convolution.kernel_size[0] - 1))
        response_BFT = functional.leaky_relu(convolution(room), SLOPE)
        # A finite floor: a row of length 0 has a defined, if useless, response.
        floor = torch.finfo(response_BFT.dtype).min / 2
        pooled_BF: Tensor = torch.where(counts_B1T, response_BFT, floor).amax(dim=2)
        return torch.where(counts_B1T.any(dim=2), pooled_BF, 0.0)
