"""What all networks share that write token by token: likelihood, sampling, and relaxing by Gumbel-softmax.

A network brings what is its own (``Autoregressive``): how it reads a token, and what it then expects. Its methods
``log_prob``, ``sample`` and ``relax`` are the functions of those names here.

Letters in names of tensors: B rows of the batch, T positions, M all positions of all rows, N those of them (or, at one
position, those rows) that count, V tokens of the vocabulary, E values of a token's embedding, W values of the hidden
state.
"""

from __future__ import annotations

from typing import Literal, NoReturn, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from sparring.errors import TrainingError
from sparring.interfaces.data import Condition
from sparring.interfaces.generator import Generated
from sparring_text.networks.conditioning import label_rows
from sparring_text.spaces import TokenSpace, within
from sparring_text.tokens import END, PADDING, START

NEVER = -1e9  # a score whose probability is 0, and which stays finite where it is multiplied by 0
CACHED = 2**19  # scores that fit a processor's cache beside what is made of them
SMALLEST = 1e-9  # of what a logarithm is taken of: at 0 it would be infinite

State = tuple[Tensor, ...]
"""What a network remembers of the tokens that it has read: tensors ``(B, …)``, so that rows can be chosen."""

Relaxation = Literal["straight-through", "soft"]
Feedback = Literal["hard", "straight-through", "soft"]


class Autoregressive(Protocol):
    """A network that reads embedded tokens one after another.

    Attributes:
        vocabulary: How many tokens there are.
        length: Positions of a sequence.
        relaxation: What a critic sees of a relaxed token.
        feedback: What the network reads of it.
        label: The classes' embeddings ``(K, E)``, which join the input of each step; None without classes.
    """

    vocabulary: int
    length: int
    relaxation: Relaxation
    feedback: Feedback
    label: nn.Embedding | None

    def embeddings(self) -> Tensor:
        """Return what it reads of each token, ``(V, E)``."""

    def begin(self, n: int) -> State:
        """Return the state of ``n`` rows before the first token."""

    def step(self, before_BE: Tensor, state: State) -> tuple[Tensor, State]:
        """Read one token; return the hidden values ``(B, W)`` after it, and the state."""

    def read(self, before_BTE: Tensor) -> Tensor:
        """Read whole sequences at once; return hidden values ``(B, T, W)``, each of a token and those before it."""

    def score(self, hidden: Tensor) -> Tensor:
        """Return ``(…, V)``, the logarithms of probabilities but for a constant, from hidden values ``(…, W)``."""


def log_prob(network: Autoregressive, tokens: Tensor, condition: Condition, lengths: Tensor | None) -> Tensor:
    """Return each token's log-probability given those before it: ``(B, T)``, 0 past the end."""
    hidden_BTW = _read_before(network, tokens, condition)
    counts_BT = within(lengths, tokens)
    # The vocabulary is by far the largest factor: scores are computed only where they count.
    scores_NV = network.score(hidden_BTW[counts_BT])
    log_prob_N = -functional.cross_entropy(scores_NV, tokens[counts_BT], reduction="none")
    return torch.zeros_like(counts_BT, dtype=log_prob_N.dtype).masked_scatter(counts_BT, log_prob_N)


def log_distribution(network: Autoregressive, tokens: Tensor, condition: Condition) -> Tensor:
    """Return every token's log-probability at each position, given those before: ``(B, T)`` -> ``(B, T, V)``."""
    return network.score(_read_before(network, tokens, condition)).log_softmax(2)


def sample(
    network: Autoregressive,
    n: int,
    condition: Condition,
    *,
    rng: torch.Generator,
    prefix: Tensor | None = None,
    max_length: int | None = None,
    temperature: float = 1.0,
) -> Generated:
    """Draw ``(n, T)`` tokens, where T is the network's length or ``max_length`` if that is less.

    A temperature below 1 prefers likely tokens; ``extras["log_probs"]`` is that of temperature 1 all the same. Of a
    prefix, which is read and not drawn, it is 0.
    """
    _check_temperature(temperature)
    length = min(network.length, network.length if max_length is None else max_length)
    _check_prefix(prefix, n, length)
    # In (0, 1]: at 0 a token of probability 0 could be drawn.
    uniform_BT = 1.0 - torch.rand(n, length, generator=rng, device=rng.device)
    table_VE, label_BE = network.embeddings(), label_rows(network.label, condition)
    tokens_BT = torch.full((n, length), PADDING, device=table_VE.device)
    log_probs_BT = torch.zeros(n, length, device=table_VE.device)
    lengths_B = torch.full((n,), length, device=table_VE.device)
    before_B, state = torch.full_like(lengths_B, START), network.begin(n)
    for place in range(length):
        before_BE = functional.embedding(before_B, table_VE)
        hidden_BW, state = network.step(before_BE if label_BE is None else before_BE + label_BE, state)
        if prefix is not None and place < prefix.shape[1]:
            # What is given needs no scores, and these are what costs.
            drawn_B, chosen_B = prefix[:, place].to(lengths_B), log_probs_BT[:, place]
        else:
            drawn_B, chosen_B = _choose(network, hidden_BW, uniform_BT[:, place], temperature)
        live_B = place < lengths_B
        before_B = torch.where(live_B, drawn_B, PADDING)
        tokens_BT[:, place] = before_B
        log_probs_BT[:, place] = torch.where(live_B, chosen_B, 0.0).to(log_probs_BT.dtype)
        lengths_B = torch.where(live_B & (drawn_B == END), place + 1, lengths_B)
        if bool((lengths_B <= place + 1).all()):
            break  # the rest is padding already
    return Generated(tokens_BT, lengths_B, {"log_probs": log_probs_BT})


def _choose(network: Autoregressive, hidden_BW: Tensor, uniform_B: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """Return drawn tokens ``(B,)``, and their log-probabilities at temperature 1."""
    rows, part = len(hidden_BW), max(1, CACHED // network.vocabulary)
    if hidden_BW.device.type == "cpu" and rows > part:
        # Each of these passes over the vocabulary waits for memory, where the scores of all rows do not fit a cache.
        found = [
            _choose(network, hidden_BW[each], uniform_B[each], temperature)
            for each in (slice(start, start + part) for start in range(0, rows, part))
        ]
        return torch.cat([drawn_B for drawn_B, _ in found]), torch.cat([chosen_B for _, chosen_B in found])
    scores_BV = network.score(hidden_BW)
    probability_BV = (scores_BV if temperature == 1 else scores_BV / temperature).softmax(1)
    drawn_B = draw(probability_BV, uniform_B)
    if temperature == 1:
        # What was drawn has a probability above 0, whose logarithm spares a pass over the vocabulary.
        return drawn_B, probability_BV.gather(1, drawn_B[:, None]).squeeze(1).log()
    return drawn_B, scores_BV.gather(1, drawn_B[:, None]).squeeze(1) - scores_BV.logsumexp(1)


def relax(
    network: Autoregressive, n: int, condition: Condition, *, temperature: float, rng: torch.Generator
) -> Generated:
    """Draw rows ``(n, T, V)`` over the vocabulary; a low temperature is nearer to one-hot rows."""
    _check_temperature(temperature)
    table_VE, label_NE = network.embeddings(), label_rows(network.label, condition)
    device = table_VE.device
    # Rows that have ended are taken out of the computation: with a large vocabulary that spares nearly half of it.
    live_N = torch.arange(n, device=device)
    lengths_B = torch.full((n,), network.length, device=device)
    before_NE, state = functional.embedding(torch.full_like(live_N, START), table_VE), network.begin(n)
    rows, numbers = [], []
    for place in range(network.length):
        hidden_NW, state = network.step(before_NE if label_NE is None else before_NE + label_NE, state)
        scores_NV = network.score(hidden_NW)
        row_NV, before_NE, drawn_N = _relaxed(network, scores_NV + gumbel(scores_NV, rng), temperature, table_VE)
        rows.append(row_NV)
        numbers.append(live_N * network.length + place)
        lengths_B[live_N[drawn_N == END]] = place + 1
        go_on_N = (drawn_N != END).nonzero().squeeze(1)
        if place == network.length - 1 or not len(go_on_N):
            break
        if len(go_on_N) < len(live_N):
            live_N, before_NE, state = live_N[go_on_N], before_NE[go_on_N], tuple(part[go_on_N] for part in state)
            label_NE = None if label_NE is None else label_NE[go_on_N]
    padding_V = functional.one_hot(torch.tensor(PADDING, device=device), network.vocabulary)
    padded_MV = padding_V.to(rows[0]).repeat(n * network.length, 1)
    made_MV = padded_MV.index_copy(0, torch.cat(numbers), torch.cat(rows))
    return Generated(made_MV.view(n, network.length, network.vocabulary), lengths_B)


def _read_before(network: Autoregressive, tokens: Tensor, condition: Condition) -> Tensor:
    """Return the hidden values from which each token is drawn, ``(B, T, W)``, given those before it."""
    before_BT = torch.cat([torch.full_like(tokens[:, :1], START), tokens[:, :-1]], dim=1)
    before_BTE = functional.embedding(before_BT, network.embeddings())
    label_BE = label_rows(network.label, condition)
    return network.read(before_BTE if label_BE is None else before_BTE + label_BE[:, None])


def _relaxed(
    network: Autoregressive, perturbed_NV: Tensor, temperature: float, table_VE: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return what a critic sees ``(N, V)``, what the network reads next ``(N, E)``, and the tokens ``(N,)`` drawn.

    Args:
        network: Says which of the kinds of rows either is.
        perturbed_NV: Scores with Gumbel noise.
        temperature: Of the softmax.
        table_VE: The tokens' embeddings.
    """
    drawn_N = perturbed_NV.detach().argmax(1)
    kinds, differentiable = {network.relaxation, network.feedback}, perturbed_NV.requires_grad
    soft_NV = hard_NV = perturbed_NV
    if "soft" in kinds or differentiable:
        soft_NV = (perturbed_NV / temperature).softmax(1)
    if "straight-through" in kinds:
        hard_NV = functional.one_hot(drawn_N, network.vocabulary).to(perturbed_NV)
        if differentiable:
            # Exactly one-hot: what is added is exactly 0, and has the softmax's gradient.
            hard_NV = hard_NV + (soft_NV - soft_NV.detach())
    row_NV = soft_NV if network.relaxation == "soft" else hard_NV
    if network.feedback == "hard":
        return row_NV, functional.embedding(drawn_N, table_VE), drawn_N
    return row_NV, (soft_NV if network.feedback == "soft" else hard_NV) @ table_VE, drawn_N


def score_tokens(
    hidden: Tensor, project: nn.Linear, embedding: nn.Embedding, bias: Tensor | None, never: Tensor
) -> Tensor:
    """Return the scores ``(…, V)`` of tokens, from hidden values ``(…, W)``.

    Args:
        hidden: Hidden values.
        project: To the vocabulary; or to the embedding's values where there is a ``bias``, so that a token's score is
            the product with its embedding (Press and Wolf 2017, arXiv:1608.05859).
        embedding: The tokens' embeddings.
        bias: ``(V,)``.
        never: ``(V,)``, as ``never_written`` gives it.
    """
    if bias is None:
        return functional.linear(hidden, project.weight, project.bias + never)
    return functional.linear(functional.linear(hidden, project.weight), embedding.weight, bias + never)


def never_written(space: TokenSpace) -> Tensor:
    """Return what is added to scores ``(V,)``, so that a space's unwritten tokens, such as padding, are never drawn."""
    never = torch.zeros(space.vocabulary)
    never[list(space.unwritten)] = NEVER
    return never


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


def refuse_latent(network: str) -> NoReturn:
    """Refuse to make sentences of a latent.

    Raises:
        TrainingError: Always.
    """
    raise TrainingError(
        f"{network} draws its sentences, and makes none of a latent", remedy="call sample, relax or log_prob"
    )


def _check_temperature(temperature: float) -> None:
    if temperature <= 0:
        raise TrainingError(f"a temperature of {temperature} is not above 0", remedy="give one such as 1.0")


def _check_prefix(prefix: Tensor | None, n: int, length: int) -> None:
    if prefix is not None and (prefix.dim() != 2 or len(prefix) != n or prefix.shape[1] > length):
        raise TrainingError(
            f"a prefix of shape {tuple(prefix.shape)} does not begin {n} sequences of {length} tokens",
            remedy="give tokens (n, P), where P is at most the sequences' length",
        )
