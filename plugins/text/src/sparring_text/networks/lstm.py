"""An LSTM that writes token by token, by likelihood, by sampling, and relaxed by Gumbel-softmax.

Letters in names of tensors: B rows of the batch, T positions, M all positions of all rows, N those of them (or, at one
position, those rows) that count, V tokens of the vocabulary, E values of a token's embedding, W values of the hidden
state.
"""

from __future__ import annotations

from typing import Literal, NoReturn

import torch
from torch import Tensor, nn
from torch.nn import functional

from sparring.errors import TrainingError
from sparring.interfaces.data import Condition
from sparring.interfaces.generator import Generated, SequenceGenerator
from sparring.interfaces.space import Space
from sparring_text.spaces import token_space, within
from sparring_text.tokens import END, PADDING, START

NEVER = -1e9  # a score whose probability is 0, and which stays finite where it is multiplied by 0
SMALLEST = 1e-9  # of what a logarithm is taken of: at 0 it would be infinite

State = tuple[Tensor, Tensor]


class LSTMGenerator(SequenceGenerator):
    """Write sentences with an LSTM (Hochreiter and Schmidhuber 1997), from the start token on.

    ``relax`` draws with the Gumbel-max trick and lets a critic's gradient through its softmax (Jang, Gu and Poole 2017,
    arXiv:1611.01144; Maddison, Mnih and Teh 2017, arXiv:1611.00712). What the space calls unwritten is never written:
    padding, the start, and where sequences are of one length, the end.

    Args:
        space: The sentences' space: ``(T,)`` tokens.
        width: Values of the hidden state.
        embedding_dim: Values of a token's embedding.
        layers: LSTMs upon one another.
        dropout: The share of embedding and hidden values left out in training, in [0, 1).
        tied: Whether a token's scores use its embedding too (Press and Wolf 2017, arXiv:1608.05859), which spares a
            matrix and helps where sentences are few.
        relaxation: What the critic sees: ``straight-through`` one-hot rows with the softmax's gradient, which do not
            differ from real sentences in kind; or ``soft`` rows, whose gradient is exact, and which a critic may tell
            from real ones by their softness alone.
        feedback: What the LSTM reads next while relaxing: ``hard`` the embedding of the likeliest token, as in RelGAN
            (Nie, Narodytska and Patel 2019), so that it reads what it reads when sampling; or ``soft`` the rows' mean
            embedding, through which gradients of later tokens also reach the choice of earlier ones, at a variance
            that grows with the length.
    """

    def __init__(
        self,
        space: Space,
        width: int = 256,
        embedding_dim: int = 128,
        layers: int = 1,
        dropout: float = 0.0,
        tied: bool = True,
        relaxation: Literal["straight-through", "soft"] = "straight-through",
        feedback: Literal["hard", "soft"] = "hard",
    ) -> None:
        super().__init__()
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout is {dropout}, and must be in [0, 1)")
        known = token_space(space, "text/lstm")
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
        never = torch.zeros(self.vocabulary)
        never[list(known.unwritten)] = NEVER
        self.never: Tensor
        self.register_buffer("never", never, persistent=False)

    def forward(self, latent: Tensor | None, condition: Condition) -> NoReturn:
        """Refuse: sentences are sampled, not computed from a latent.

        Raises:
            TrainingError: Always.
        """
        raise TrainingError(
            "text/lstm draws its sentences, and makes none of a latent", remedy="call sample, relax or log_prob"
        )

    def log_prob(self, tokens: Tensor, condition: Condition, lengths: Tensor | None = None) -> Tensor:
        """Return each token's log-probability given those before it: ``(B, T)``, 0 past the end."""
        hidden_BTW = self._read(tokens)
        counts_BT = within(lengths, tokens)
        # The vocabulary is by far the largest factor: scores are computed only where they count.
        scores_NV = self._score(hidden_BTW[counts_BT])
        log_prob_N = -functional.cross_entropy(scores_NV, tokens[counts_BT], reduction="none")
        return torch.zeros_like(counts_BT, dtype=log_prob_N.dtype).masked_scatter(counts_BT, log_prob_N)

    def log_distribution(self, tokens: Tensor, condition: Condition) -> Tensor:
        return self._score(self._read(tokens)).log_softmax(2)

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
        """Draw ``(n, T)`` tokens, where T is the space's length or ``max_length`` if that is less.

        A temperature below 1 prefers likely tokens; ``extras["log_probs"]`` is that of temperature 1 all the same.
        """
        _check_temperature(temperature)
        length = min(self.length, self.length if max_length is None else max_length)
        _check_prefix(prefix, n, length)
        # In (0, 1]: at 0 a token of probability 0 could be drawn.
        uniform_BT = 1.0 - torch.rand(n, length, generator=rng, device=rng.device)
        tokens_BT = torch.full((n, length), PADDING, device=self.never.device)
        log_probs_BT = torch.zeros(n, length, device=self.never.device)
        lengths_B = torch.full((n,), length, device=self.never.device)
        before_B, state = torch.full_like(lengths_B, START), None
        for place in range(length):
            scores_BV, state = self._step(self.embedding(before_B), state)
            if prefix is not None and place < prefix.shape[1]:
                drawn_B = prefix[:, place].to(lengths_B)
            else:
                drawn_B = draw((scores_BV / temperature).softmax(1), uniform_BT[:, place])
            live_B = place < lengths_B
            before_B = torch.where(live_B, drawn_B, PADDING)
            tokens_BT[:, place] = before_B
            chosen_B = scores_BV.gather(1, drawn_B[:, None]).squeeze(1) - scores_BV.logsumexp(1)
            log_probs_BT[:, place] = torch.where(live_B, chosen_B, 0.0).to(log_probs_BT.dtype)
            lengths_B = torch.where(live_B & (drawn_B == END), place + 1, lengths_B)
            if bool((lengths_B <= place + 1).all()):
                break  # the rest is padding already
        return Generated(tokens_BT, lengths_B, {"log_probs": log_probs_BT})

    def relax(self, n: int, condition: Condition, *, temperature: float, rng: torch.Generator) -> Generated:
        """Draw rows ``(n, T, V)`` over the vocabulary; a low temperature is nearer to one-hot rows."""
        _check_temperature(temperature)
        device = self.never.device
        # Rows that have ended are taken out of the computation: with a large vocabulary that spares nearly half of it.
        live_N = torch.arange(n, device=device)
        lengths_B = torch.full((n,), self.length, device=device)
        before_NE, state = self.embedding(torch.full_like(live_N, START)), None
        rows, numbers = [], []
        for place in range(self.length):
            scores_NV, state = self._step(before_NE, state)
            row_NV, drawn_N = self._relaxed(scores_NV + gumbel(scores_NV, rng), temperature)
            rows.append(row_NV)
            numbers.append(live_N * self.length + place)
            lengths_B[live_N[drawn_N == END]] = place + 1
            go_on_N = (drawn_N != END).nonzero().squeeze(1)
            if place == self.length - 1 or not len(go_on_N):
                break
            soft = self.feedback == "soft"
            before_NE = (row_NV @ self.embedding.weight if soft else self.embedding(drawn_N))[go_on_N]
            live_N, state = live_N[go_on_N], (state[0][:, go_on_N], state[1][:, go_on_N])
        padding_V = functional.one_hot(torch.tensor(PADDING, device=device), self.vocabulary)
        padded_MV = padding_V.to(rows[0]).repeat(n * self.length, 1)
        made_MV = padded_MV.index_copy(0, torch.cat(numbers), torch.cat(rows))
        return Generated(made_MV.view(n, self.length, self.vocabulary), lengths_B)

    def _read(self, tokens_BT: Tensor) -> Tensor:
        """Return the hidden values from which each token is drawn, ``(B, T, W)``, given those before it."""
        before_BT = torch.cat([torch.full_like(tokens_BT[:, :1], START), tokens_BT[:, :-1]], dim=1)
        hidden_BTW: Tensor = self.recurrence(self.dropout(self.embedding(before_BT)))[0]
        return hidden_BTW

    def _relaxed(self, perturbed_NV: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
        """Return rows ``(N, V)`` and the tokens ``(N,)`` that they stand for, from scores with Gumbel noise."""
        drawn_N = perturbed_NV.detach().argmax(1)
        if self.relaxation == "soft":
            return (perturbed_NV / temperature).softmax(1), drawn_N
        row_NV = functional.one_hot(drawn_N, self.vocabulary).to(perturbed_NV)
        if perturbed_NV.requires_grad:
            # Exactly one-hot: what is added is exactly 0, and has the softmax's gradient.
            soft_NV = (perturbed_NV / temperature).softmax(1)
            row_NV = row_NV + (soft_NV - soft_NV.detach())
        return row_NV, drawn_N

    def _step(self, before_BE: Tensor, state: State | None) -> tuple[Tensor, State]:
        """Read one embedded token; return the scores ``(B, V)`` of the next one."""
        hidden_BTW, state = self.recurrence(self.dropout(before_BE)[:, None], state)
        return self._score(hidden_BTW[:, 0]), state

    def _score(self, hidden: Tensor) -> Tensor:
        """Return ``(…, V)``, the logarithms of probabilities but for a constant, from hidden values ``(…, W)``."""
        projected = functional.linear(self.dropout(hidden), self.project.weight)
        if self.bias is None:
            return projected + (self.project.bias + self.never)
        return functional.linear(projected, self.embedding.weight, self.bias + self.never)


def draw(probability: Tensor, uniform: Tensor) -> Tensor:
    """Draw one token a row by the inverse of the distribution function, several times as fast as ``multinomial``.

    Args:
        probability: ``(B, V)``.
        uniform: ``(B,)`` in (0, 1].

    Returns:
        ``(B,)`` tokens, of probability above 0.
    """
    cumulative_BV = probability.float().cumsum(1)
    # The sum is 1 but for rounding, and a draw beyond it would be no token.
    wanted_B1 = uniform[:, None] * cumulative_BV[:, -1:]
    return torch.searchsorted(cumulative_BV, wanted_B1).squeeze(1)


def gumbel(like: Tensor, rng: torch.Generator) -> Tensor:
    """Draw standard Gumbel noise of a tensor's shape: −log(−log u), several times as fast as ``exponential_``."""
    uniform = torch.rand(like.shape, generator=rng, device=like.device)
    # Clamped twice, as each logarithm is infinite at 0.
    return uniform.clamp_min_(SMALLEST).log_().neg_().clamp_min_(SMALLEST).log_().neg_()


def _check_temperature(temperature: float) -> None:
    if temperature <= 0:
        raise TrainingError(f"a temperature of {temperature} is not above 0", remedy="give one such as 1.0")


def _check_prefix(prefix: Tensor | None, n: int, length: int) -> None:
    if prefix is not None and (prefix.dim() != 2 or len(prefix) != n or prefix.shape[1] > length):
        raise TrainingError(
            f"a prefix of shape {tuple(prefix.shape)} does not begin {n} sequences of {length} tokens",
            remedy="give tokens (n, P), where P is at most the sequences' length",
        )
