"""An LSTM that writes token by token, by likelihood, by sampling, and relaxed by Gumbel-softmax.

Letters in names of tensors: B rows of the batch, T positions, V tokens of the vocabulary, E values of a token's
embedding, L layers, W values of the hidden state.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

import torch
from torch import Tensor, nn

from sparring.interfaces.data import Condition
from sparring.interfaces.generator import Generated, SequenceGenerator
from sparring.interfaces.space import Space
from sparring_text.networks import autoregressive
from sparring_text.networks.autoregressive import Feedback, Relaxation, State, never_written, score_tokens
from sparring_text.networks.conditioning import label_embedding
from sparring_text.spaces import token_space

NAME = "text/lstm"


class LSTMGenerator(SequenceGenerator):
    """Write sentences with an LSTM (Hochreiter and Schmidhuber 1997), from the start token on.

    ``relax`` draws with the Gumbel-max trick and lets a critic's gradient through its softmax (Jang, Gu and Poole 2017,
    arXiv:1611.01144; Maddison, Mnih and Teh 2017, arXiv:1611.00712). What the space calls unwritten is
    never written. A class label is embedded as tokens are, and added to the input of each step.

    Args:
        space: The sentences' space: ``(T,)`` tokens.
        conditions: None, or ``label``.
        width: Values of the hidden state.
        embedding_dim: Values of a token's embedding.
        layers: LSTMs upon one another.
        dropout: The share of embedding and hidden values left out in training, in [0, 1).
        tied: Whether a token's scores use its embedding too (Press and Wolf 2017, arXiv:1608.05859), which spares a
            matrix and helps where sentences are few.
        relaxation: What the critic sees: ``straight-through`` one-hot rows with the softmax's gradient, which do not
            differ from real sentences in kind; or ``soft`` rows, whose gradient is exact, and which a critic may tell
            from real ones by their softness alone.
        feedback: What the network reads next while relaxing: ``hard`` the embedding of the likeliest token, as in
            RelGAN (Nie, Narodytska and Patel 2019), so that it reads what it reads when sampling;
            ``straight-through`` the same with the softmax's gradient; or ``soft`` the softmax's mean embedding.
            Through the latter two gradients of later tokens also reach the choice of earlier ones, at a variance that
            grows with the length.
    """

    def __init__(
        self,
        space: Space,
        conditions: Mapping[str, Space],
        width: int = 256,
        embedding_dim: int = 128,
        layers: int = 1,
        dropout: float = 0.0,
        tied: bool = True,
        relaxation: Relaxation = "straight-through",
        feedback: Feedback = "hard",
    ) -> None:
        super().__init__()
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout is {dropout}, and must be in [0, 1)")
        known = token_space(space, NAME)
        self.vocabulary, self.length = known.vocabulary, known.length
        self.relaxation, self.feedback = relaxation, feedback
        self.embedding = nn.Embedding(self.vocabulary, embedding_dim)
        # Scores are products with embeddings where they are tied: unit variance would make them far too sharp.
        nn.init.normal_(self.embedding.weight, std=embedding_dim**-0.5)
        self.recurrence = nn.LSTM(
            embedding_dim, width, layers, batch_first=True, dropout=dropout if layers > 1 else 0.0
        )
        self.dropout = nn.Dropout(dropout)
        # Tied scores multiply with the embedding itself; a weight of two names could not be saved as safetensors.
        self.project = nn.Linear(width, embedding_dim if tied else self.vocabulary, bias=not tied)
        self.bias = nn.Parameter(torch.zeros(self.vocabulary)) if tied else None
        self.label = label_embedding(conditions, embedding_dim, NAME)
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
        """Return what it reads of each token, ``(V, E)``."""
        return self.embedding.weight

    def begin(self, n: int) -> State:
        """Return zeros for the hidden values and for the memory, ``(n, L, W)`` each."""
        zeros_BLW = self.never.new_zeros(n, self.recurrence.num_layers, self.recurrence.hidden_size)
        return zeros_BLW, zeros_BLW

    def step(self, before_BE: Tensor, state: State) -> tuple[Tensor, State]:
        """Read one embedded token; return the hidden values ``(B, W)`` after it."""
        hidden_LBW, memory_LBW = (part.transpose(0, 1).contiguous() for part in state)
        hidden_BTW, (hidden_LBW, memory_LBW) = self.recurrence(
            self.dropout(before_BE)[:, None], (hidden_LBW, memory_LBW)
        )
        return hidden_BTW[:, 0], (hidden_LBW.transpose(0, 1), memory_LBW.transpose(0, 1))

    def read(self, before_BTE: Tensor) -> Tensor:
        """Return the hidden values ``(B, T, W)`` after each token."""
        hidden_BTW: Tensor = self.recurrence(self.dropout(before_BTE))[0]
        return hidden_BTW

    def score(self, hidden: Tensor) -> Tensor:
        """Return scores ``(…, V)`` from hidden values ``(…, W)``."""
        return score_tokens(self.dropout(hidden), self.project, self.embedding, self.bias, self.never)
