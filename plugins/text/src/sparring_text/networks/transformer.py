"""A small transformer that writes token by token, and remembers keys and values of what it has read.

Letters in names of tensors: B rows of the batch, T positions, V tokens of the vocabulary, H heads, P positions that
were read, W values of a position, D values of a head.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

import torch
from torch import Tensor, nn
from torch.nn import functional

from sparring.interfaces.data import Condition
from sparring.interfaces.generator import Generated, SequenceGenerator
from sparring.interfaces.space import Space
from sparring_text.networks import autoregressive
from sparring_text.networks.attention import blocks
from sparring_text.networks.autoregressive import Feedback, Relaxation, State, never_written
from sparring_text.networks.conditioning import label_embedding
from sparring_text.networks.sentences import places
from sparring_text.spaces import token_space

NAME = "text/transformer"


class TransformerGenerator(SequenceGenerator):
    """Write sentences with a decoder-only transformer (Vaswani et al. 2017; Radford et al. 2019).

    Layer norms stand before attention and linear layers (Xiong et al. 2020, arXiv:2002.04745), places have learned
    embeddings, and a token's scores use its embedding (Press and Wolf 2017, arXiv:1608.05859). Likelihoods are computed
    of all positions at once; while sampling and relaxing, keys and values of earlier positions are remembered, so that
    a token costs one position. Padding and start are never written. A class label is embedded as tokens are, and added
    to the input of each step.

    Args:
        space: The sentences' space: ``(T,)`` tokens.
        conditions: None, or ``label``.
        width: Values of a position, and of a token's embedding.
        layers: Blocks upon one another.
        heads: Attentions beside one another in a block; they divide ``width``.
        dropout: The share of values left out in training, in [0, 1).
        relaxation: What the critic sees, ``straight-through`` or ``soft`` rows: see ``text/lstm``.
        feedback: What the network reads next while relaxing, ``hard``, ``straight-through`` or ``soft``: see
            ``text/lstm``.
    """

    def __init__(
        self,
        space: Space,
        conditions: Mapping[str, Space],
        width: int = 128,
        layers: int = 2,
        heads: int = 4,
        dropout: float = 0.0,
        relaxation: Relaxation = "straight-through",
        feedback: Feedback = "hard",
    ) -> None:
        super().__init__()
        known = token_space(space, NAME)
        self.vocabulary, self.length = known.vocabulary, known.length
        self.relaxation, self.feedback = relaxation, feedback
        self.embedding = nn.Embedding(self.vocabulary, width)
        # Scores are products with embeddings: unit variance would make them far too sharp.
        nn.init.normal_(self.embedding.weight, std=width**-0.5)
        self.place = nn.Parameter(width**-0.5 * torch.randn(self.length, width))
        self.blocks = blocks(width, heads, layers, dropout)
        self.norm, self.dropout = nn.LayerNorm(width), nn.Dropout(dropout)
        self.bias = nn.Parameter(torch.zeros(self.vocabulary))
        self.label = label_embedding(conditions, width, NAME)
        self.heads = heads
        self.never: Tensor
        self.register_buffer("never", never_written(known), persistent=False)

    def forward(self, latent: Tensor | None, condition: Condition) -> NoReturn:
        """Refuse: sentences are sampled, not computed from a latent.

        Raises:
            TrainingError: Always.
        """
        autoregressive.refuse_latent(NAME)

    def log_prob(self, tokens: Tensor, condition: Condition, lengths: Tensor | None = None) -> Tensor:
        return autoregressive.log_prob(self, tokens, condition, lengths)

    def log_distribution(self, tokens: Tensor, condition: Condition) -> Tensor:
        return autoregressive.log_distribution(self, tokens, condition)

    def sample(
        self,
        n: int,
        condition: Condition,
        *,
        rng: torch.Generator,
        prefix: Tensor | None = None,
        max_length: int | None = None,
        temperature: float = 1.0,
    ) -> Generated:
        return autoregressive.sample(
            self, n, condition, rng=rng, prefix=prefix, max_length=max_length, temperature=temperature
        )

    def relax(self, n: int, condition: Condition, *, temperature: float, rng: torch.Generator) -> Generated:
        return autoregressive.relax(self, n, condition, temperature=temperature, rng=rng)

    # ---- what autoregressive.py asks of a network ----

    def embeddings(self) -> Tensor:
        """Return what it reads of each token, ``(V, W)``."""
        return self.embedding.weight

    def begin(self, n: int) -> State:
        """Return each block's keys and values ``(n, H, P, D)``, of no position yet."""
        none = self.place.new_zeros(n, self.heads, 0, self.place.shape[1] // self.heads)
        return (none,) * (2 * len(self.blocks))

    def step(self, before_BE: Tensor, state: State) -> tuple[Tensor, State]:
        """Read one embedded token; return the hidden values ``(B, W)`` after it."""
        read = state[0].shape[2]
        hidden_BTW, following = self.dropout(before_BE + self.place[read])[:, None], []
        for number, block in enumerate(self.blocks):
            hidden_BTW, remembered = block(hidden_BTW, state[2 * number : 2 * number + 2])
            following += remembered
        return hidden_BTW[:, 0], tuple(following)

    def read(self, before_BTE: Tensor) -> Tensor:
        """Return the hidden values ``(B, T, W)`` after each token."""
        hidden_BTW: Tensor = self.dropout(before_BTE + places(self.place, before_BTE, NAME))
        for block in self.blocks:
            hidden_BTW, _ = block(hidden_BTW)
        return hidden_BTW

    def score(self, hidden: Tensor) -> Tensor:
        """Return scores ``(…, V)`` from hidden values ``(…, W)``."""
        return functional.linear(self.norm(hidden), self.embedding.weight, self.bias + self.never)
