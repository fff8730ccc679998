"""BLEU against held-out sentences, over words.

Papineni, Roukos, Ward and Zhu 2002, "BLEU: a Method for Automatic Evaluation of Machine Translation". Counts of n-grams
are clipped by the most that any one reference has; every held-out sentence is a reference for every generated one.
"""

from __future__ import annotations

import bisect
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Literal

from sparring.errors import DataError
from sparring.interfaces.data import Batch
from sparring.interfaces.metric import Metric
from sparring.interfaces.space import Space
from sparring_text.spaces import TokenSpace, token_space

ORDERS = (4, 3, 2)  # in the order in which values are given
SMOOTHING = 0.1  # what counts as matched where nothing is: method 1 of Chen and Cherry 2014

Words = Sequence[str]
Gram = tuple[str, ...]


class BLEU(Metric):
    """How many n-grams of generated sentences occur in held-out ones: ``bleu4``, ``bleu3`` and ``bleu2``, in [0, 1].

    Corpus BLEU over words: matches are summed over sentences before they are divided. Where an order has no match at
    all, 0.1 match is counted. More references give higher values: compare only with the same number of held-out
    sentences. It looks at what is written, not at what is missing: one good sentence repeated scores high, so read it
    beside ``text/self-bleu``.

    Args:
        space: The sentences' space.
    """

    better: ClassVar[Literal["higher", "lower"]] = "higher"

    def __init__(self, space: Space) -> None:
        self.space = token_space(space, "text/bleu")
        self.reset()

    def reset(self) -> None:
        self._references: list[Words] = []
        self._hypotheses: list[Words] = []

    def update(self, real: Batch, fake: Batch) -> None:
        self._references += words_of(real, self.space)
        self._hypotheses += words_of(fake, self.space)

    def compute(self) -> dict[str, float]:
        if not self._references or not self._hypotheses:
            raise DataError("text/bleu compares two sets of sentences, and one is empty", remedy="call `update` first")
        scores = corpus_bleu(self._hypotheses, self._references)
        return {f"bleu{order}": scores[order] for order in ORDERS}


def words_of(batch: Batch, space: TokenSpace) -> list[Words]:
    """Return the words of each row of tokens."""
    return [space.words(row) for row in batch.sample.cpu()]


def grams(words: Words, order: int) -> Counter[Gram]:
    """Count the n-grams of a sentence."""
    return Counter(tuple(words[start : start + order]) for start in range(len(words) - order + 1))


def corpus_bleu(hypotheses: Sequence[Words], references: Sequence[Words]) -> dict[int, float]:
    """Return corpus BLEU for each of ``ORDERS``; every reference is one for every hypothesis."""
    precision = {}
    for order in range(1, max(ORDERS) + 1):
        limits = largest(grams(words, order) for words in references)
        found = [grams(words, order) for words in hypotheses]
        matched = sum(min(count, limits.get(gram, 0)) for one in found for gram, count in one.items())
        precision[order] = (matched or SMOOTHING) / max(1, sum(map(Counter.total, found)))
    lengths = sorted({len(words) for words in references})
    written = sum(map(len, hypotheses))
    wanted = sum(nearest(len(words), lengths) for words in hypotheses)
    brevity = brevity_penalty(written, wanted)
    return {
        order: brevity * math.exp(sum(math.log(precision[n]) for n in range(1, order + 1)) / order) for order in ORDERS
    }


def largest(counts: Iterable[Counter[Gram]]) -> Mapping[Gram, int]:
    """Return the largest count that any one sentence has of each n-gram."""
    found: dict[Gram, int] = {}
    for one in counts:
        for gram, count in one.items():
            if count > found.get(gram, 0):
                found[gram] = count
    return found


def nearest(length: int, lengths: Sequence[int]) -> int:
    """Return the nearest of some sorted lengths; of two as near, the shorter."""
    place = bisect.bisect_left(lengths, length)
    return min(lengths[max(place - 1, 0) : place + 1], key=lambda one: (abs(one - length), one))


def brevity_penalty(written: int, wanted: int) -> float:
    """Return the factor for texts that are shorter than their references, in [0, 1]."""
    if written > wanted:
        return 1.0
    return math.exp(1 - wanted / written) if written else 0.0
