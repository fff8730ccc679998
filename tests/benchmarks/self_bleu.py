"""How long does exact Self-BLEU take, beside one that compares every sentence with every other?

The other one is written as NLTK's is: for each sentence, the n-grams of all others are counted and their largest counts
looked for. It takes a time that grows with the square of the number, and is measured on a part of the sentences. Both
give the same value there. Sentences are WordNet's examples, and sequences of 20 random words.
"""

from __future__ import annotations

import argparse
import math
import random
import time
from collections import Counter
from collections.abc import Sequence

import torch

from sparring.interfaces.data import Batch
from sparring_text.data.wordnet import sentences
from sparring_text.metrics.bleu import SMOOTHING, brevity_penalty, grams, nearest
from sparring_text.metrics.self_bleu import SelfBLEU, self_bleu
from sparring_text.spaces import TokenSpace
from sparring_text.tokens import train, words_of

ORDER = 4
WIDTH, VOCABULARY = 20, 5000


def main() -> None:
    """Time both, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks self_bleu", description=__doc__)
    parser.add_argument("--count", type=int, default=10_000, help="sentences")
    parser.add_argument("--part", type=int, default=200, help="sentences of the slow way")
    parser.add_argument("--repeat", type=int, default=5, help="times the fast way is measured; the median counts")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rng = random.Random(0)
    texts = sentences()
    rng.shuffle(texts)
    drawn = [[str(rng.randrange(VOCABULARY)) for _ in range(WIDTH)] for _ in range(arguments.count)]
    print(f"one thread; seconds for BLEU-2 to BLEU-4 of {arguments.count:,} sentences\n")
    print("| sentences | exact, all | exact, part | each by each, part | ratio on the part | its time for all |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, rows in (("WordNet's", [words_of(text) for text in texts[: arguments.count]]), ("random", drawn)):
        part = rows[: arguments.part]
        whole = timed(lambda rows=rows: self_bleu(rows, (4, 3, 2)), arguments.repeat)  # type: ignore[misc]
        small = timed(lambda part=part: self_bleu(part, (ORDER,)), arguments.repeat)  # type: ignore[misc]
        slow = timed(lambda part=part: each_by_each(part), 1)  # type: ignore[misc]
        assert math.isclose(each_by_each(part), self_bleu(part, (ORDER,))[ORDER], rel_tol=1e-9)
        predicted = slow * (len(rows) / len(part)) ** 2
        print(f"| {name} | {whole:.2f} | {small:.4f} | {slow:.2f} | {slow / small:,.0f} | {predicted:,.0f} |")
    print(f"\nthe whole metric, tokens to values: {metric_time(texts[: arguments.count], arguments.repeat):.2f} s")


def each_by_each(rows: Sequence[Sequence[str]]) -> float:
    """Compare every sentence with every other, one at a time."""
    total = 0.0
    for index, words in enumerate(rows):
        rest = [*rows[:index], *rows[index + 1 :]]
        logs = 0.0
        orders = min(ORDER, len(words))
        for order in range(1, orders + 1):
            mine, most = grams(words, order), Counter[tuple[str, ...]]()
            for other in rest:
                counts = grams(other, order)
                for gram in mine:
                    most[gram] = max(most[gram], counts[gram])
            matched = sum(min(count, most[gram]) for gram, count in mine.items())
            logs += math.log((matched or SMOOTHING) / mine.total())
        wanted = nearest(len(words), sorted({len(other) for other in rest}))
        total += brevity_penalty(len(words), wanted) * math.exp(logs / orders)
    return total / len(rows)


def metric_time(texts: Sequence[str], repeat: int) -> float:
    """Time the metric as an evaluation calls it."""
    space = TokenSpace(train(texts, size=20_000).to_str(), 24)
    rows = [(row + [0] * 24)[:24] for row in space.encode_lines(texts)]
    fake, metric = Batch(torch.tensor(rows)), SelfBLEU(space)

    def once() -> None:
        metric.reset()
        metric.update(fake.rows(slice(0)), fake)
        metric.compute()

    return timed(once, repeat)


def timed(action: object, repeat: int) -> float:
    """Return the median of several times, in seconds."""
    assert callable(action)
    found = []
    for _ in range(repeat):
        start = time.perf_counter()
        action()
        found.append(time.perf_counter() - start)
    return sorted(found)[len(found) // 2]
