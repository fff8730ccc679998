"""How fast text is sampled: by inverse distribution functions, and with a cache of keys and values.

First the inverse of the distribution function against torch.multinomial. Both draw a token for each of 1,000 rows
(--rows 10000 takes minutes) from the same probabilities of 5,000 tokens, 20 times, as sampling sequences of 20 tokens
does; then whole sequences are sampled with either by the generator text/lstm, where the network and its softmax take
their time too. Then text/transformer as it is, against itself without its memory of keys and values, reading all
earlier tokens again for each new one: 200 sequences of 64 tokens out of 1,000. Runs are interleaved, a round of each in
turn, so that a machine that slows down slows all of them; what is reported is the median over rounds, and of the
rounds' ratios.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Mapping
from unittest.mock import patch

import torch
from torch import Tensor

from sparring_text import tokens
from sparring_text.networks import autoregressive
from sparring_text.networks.autoregressive import Autoregressive, State, draw
from sparring_text.networks.lstm import LSTMGenerator
from sparring_text.networks.transformer import TransformerGenerator
from sparring_text.spaces import TokenSpace

VOCABULARY, LENGTH = 5000, 20
CACHED_ROWS, CACHED_LENGTH, CACHED_VOCABULARY = 200, 64, 1000
WIDTH = 32  # values of an embedding and of the hidden state, as the usual oracle has


def main() -> None:
    """Measure, and print a table in Markdown."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks text_sampling", description=__doc__)
    parser.add_argument("--rows", type=int, default=1000, help="sequences that are drawn together")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    rows: int = arguments.rows
    print(f"{rows:,} sequences of {LENGTH} tokens out of {VOCABULARY:,}, {arguments.threads} threads; seconds\n")
    print("| what | ours | the other | ratio |\n| --- | --- | --- | --- |")
    show("drawing from probabilities, torch.multinomial", choices(rows), arguments.rounds)
    show("whole sequences by text/lstm, torch.multinomial", sequences(rows), arguments.rounds)
    show("whole sequences by text/transformer, uncached", cached(), arguments.rounds)


def choices(rows: int) -> dict[str, Callable[[], object]]:
    """Return both ways to draw ``LENGTH`` times a token for each row."""
    rng = torch.Generator().manual_seed(0)
    probability = (2 * torch.randn(rows, VOCABULARY, generator=rng)).softmax(1)

    def repeated(way: Callable[[Tensor, Tensor], Tensor]) -> None:
        for _ in range(LENGTH):
            way(probability, 1 - torch.rand(rows, generator=rng))

    return {"ours": lambda: repeated(draw), "torch.multinomial": lambda: repeated(multinomial(rng))}


def sequences(rows: int) -> dict[str, Callable[[], object]]:
    """Return both ways to sample whole sequences."""
    torch.manual_seed(0)
    network = LSTMGenerator(space_of(VOCABULARY, LENGTH), {}, width=WIDTH, embedding_dim=WIDTH).eval()
    rng = torch.Generator().manual_seed(0)

    @torch.no_grad()
    def whole() -> object:
        return network.sample(rows, {}, rng=rng)

    def replaced() -> object:
        with patch.object(autoregressive, "draw", multinomial(rng)):
            return whole()

    return {"ours": whole, "torch.multinomial": replaced}


def cached() -> dict[str, Callable[[], object]]:
    """Return both ways to sample whole sequences by a transformer."""
    torch.manual_seed(0)
    network = TransformerGenerator(space_of(CACHED_VOCABULARY, CACHED_LENGTH), {}).eval()

    @torch.no_grad()
    def whole(sampled: Autoregressive) -> object:
        return autoregressive.sample(sampled, CACHED_ROWS, {}, rng=torch.Generator().manual_seed(0))

    return {"cached": lambda: whole(network), "uncached": lambda: whole(Forgetful(network))}


class Forgetful:
    """A transformer that reads all earlier tokens again for each new one."""

    def __init__(self, network: TransformerGenerator) -> None:
        self.network = network
        self.vocabulary, self.length, self.label = network.vocabulary, network.length, network.label
        self.relaxation, self.feedback = network.relaxation, network.feedback
        self.embeddings, self.read, self.score = network.embeddings, network.read, network.score

    def begin(self, n: int) -> State:
        """Return the embeddings of no token yet, ``(n, 0, W)``."""
        return (self.embeddings().new_zeros(n, 0, self.embeddings().shape[1]),)

    def step(self, before: Tensor, state: State) -> tuple[Tensor, State]:
        """Read one token, and all before it."""
        everything = torch.cat([state[0], before[:, None]], dim=1)
        return self.read(everything)[:, -1], (everything,)


def space_of(vocabulary: int, length: int) -> TokenSpace:
    """Return the space of made-up words."""
    words = [f"w{number}" for number in range(vocabulary - len(tokens.SPECIAL))]
    return TokenSpace(tokens.train(words, size=vocabulary).to_str(), length)


def multinomial(rng: torch.Generator) -> Callable[[Tensor, Tensor], Tensor]:
    """Return torch's own way to draw a token a row, with the arguments of ours."""
    return lambda probability, _: torch.multinomial(probability, 1, generator=rng).squeeze(1)


def show(what: str, ways: Mapping[str, Callable[[], object]], rounds: int) -> None:
    """Time both ways in turn, and print a line of the table."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            started = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - started)
    ours, other = seconds.values()
    ratio = statistics.median(theirs / mine for mine, theirs in zip(ours, other, strict=True))
    print(f"| {what} | {statistics.median(ours):.2f} | {statistics.median(other):.2f} | {ratio:.1f} |")
