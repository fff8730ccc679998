"""How far are a text run's sentences from held-out ones in their n-grams? Shuffled and real sentences beside them.

The distance is that of the metric text/ngrams. It depends on how many sentences are compared, so that all of them are
compared in the same number.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch

import sparring
from sparring.interfaces.data import Data
from sparring.plugins.registry import Registry
from sparring_text.metrics.ngrams import distance, shuffled
from sparring_text.spaces import TokenSpace, token_space


def main() -> None:
    """Generate, compare, and print a table and a few sentences that nobody has chosen."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks sentences", description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="the folder of a run on text")
    parser.add_argument("--count", type=int, default=1300, help="sentences of each kind")
    parser.add_argument("--seed", type=int, default=1, help="the run's own samples have 0")
    parser.add_argument("--shown", type=int, default=20, help="sentences of each kind that are printed")
    arguments = parser.parse_args()
    trained = sparring.load(arguments.run)
    space = token_space(trained.space, "this benchmark")
    data: Any = Registry().build("data", trained.recipe.data, "data")
    count = min(arguments.count, len(data.split("test")))
    held_out, training = (drawn(part, count, arguments.seed, space) for part in (data.split("test"), data))
    generated = [space.words(row) for row in trained.generate(count, seed=arguments.seed).sample]
    mixed = shuffled(generated, arguments.seed)
    print(f"{count} sentences of each kind, seed {arguments.seed}\n")
    print("| sentences | distance to held-out ones |\n| --- | --- |")
    for name, sentences in (
        ("generated", generated),
        ("generated, words shuffled", mixed),
        ("real, of training", training),
        ("real, of training, words shuffled", shuffled(training, arguments.seed)),
    ):
        print(f"| {name} | {distance(held_out, sentences):.3f} |")
    for name, sentences in (("generated", generated), ("the same, words shuffled", mixed), ("held out", held_out)):
        print(f"\n{name}:\n")
        print("\n".join(" ".join(words) for words in sentences[: arguments.shown]))


def drawn(data: Data, count: int, seed: int, space: TokenSpace) -> list[list[str]]:
    """Return the words of sentences that chance has chosen."""
    rng = torch.Generator().manual_seed(seed)
    rows = torch.randperm(len(data), generator=rng)[:count]
    return [space.words(row) for row in data.gather(rows, rng=rng).sample]
