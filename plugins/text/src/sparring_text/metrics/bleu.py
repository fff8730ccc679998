"""BLEU against held-out sentences, and exact Self-BLEU, over words.

BLEU: Papineni, Roukos, Ward and Zhu 2002. Self-BLEU: Zhu et al. 2018 (Texygen, arXiv:1802.01886). Counts of n-grams are
clipped by the most that any one reference has; every held-out sentence is a reference for every generated one.
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


class SelfBLEU(Metric):
    """How alike generated sentences are: the mean BLEU of each against all others, in [0, 1]; 1 where all are the same.

    Exact: every sentence is judged by all others and never by itself. Each value depends on the number of sentences;
    ``real_self_bleu4`` is that of as many held-out sentences, and what to compare with: much less means words at
    random, much more means repetition.

    Args:
        space: The sentences' space.
    """

    better: ClassVar[Literal["higher", "lower"]] = "lower"

    def __init__(self, space: Space) -> None:
        self.space = token_space(space, "text/self-bleu")
        self.reset()

    def reset(self) -> None:
        self._real: list[Words] = []
        self._fake: list[Words] = []

    def update(self, real: Batch, fake: Batch) -> None:
        self._real += words_of(real, self.space)
        self._fake += words_of(fake, self.space)

    def compute(self) -> dict[str, float]:
        if len(self._fake) < 2:
            raise DataError("text/self-bleu needs two sentences or more", remedy="raise `evaluate.count`")
        values = {f"self_bleu{order}": self_bleu(self._fake, order) for order in ORDERS}
        if len(self._real) >= 2:
            count = min(len(self._real), len(self._fake))
            values["real_self_bleu4"] = self_bleu(self._real[:count], 4)
        return values


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


def self_bleu(sentences: Sequence[Words], order: int) -> float:
    """Return the mean BLEU of each sentence against all others, without a quadratic number of comparisons.

    The others' largest count of an n-gram is the largest of all sentences, or, for the one sentence that has it, the
    second largest; so the two largest counts of each n-gram suffice. A sentence shorter than ``order`` is judged by the
    orders that it has.
    """
    found = [[grams(words, n) for words in sentences] for n in range(1, order + 1)]
    limits = [two_largest(counts) for counts in found]
    counted = Counter(map(len, sentences))
    lengths = sorted(counted)
    total = 0.0
    for index, words in enumerate(sentences):
        orders = range(min(order, len(words)))
        if not orders:
            total += counted[0] > 1  # an empty sentence is like another empty one, and like nothing else
            continue
        logs = 0.0
        for n in orders:
            mine = found[n][index]
            matched = sum(min(count, others(limits[n][gram], count)) for gram, count in mine.items())
            logs += math.log((matched or SMOOTHING) / mine.total())
        other_lengths = lengths if counted[len(words)] > 1 else [length for length in lengths if length != len(words)]
        total += brevity_penalty(len(words), nearest(len(words), other_lengths)) * math.exp(logs / len(orders))
    return total / len(sentences)


def largest(counts: Iterable[Counter[Gram]]) -> Mapping[Gram, int]:
    """Return the largest count that any one sentence has of each n-gram."""
    found: dict[Gram, int] = {}
    for one in counts:
        for gram, count in one.items():
            if count > found.get(gram, 0):
                found[gram] = count
    return found


def two_largest(counts: Iterable[Counter[Gram]]) -> dict[Gram, tuple[int, int]]:
    """Return the two largest counts that sentences have of each n-gram; they are equal where two sentences share it."""
    found: dict[Gram, tuple[int, int]] = {}
    for one in counts:
        for gram, count in one.items():
            first, second = found.get(gram, (0, 0))
            found[gram] = (count, first) if count > first else (first, max(second, count))
    return found


def others(limits: tuple[int, int], mine: int) -> int:
    """Return the largest count among the others, given the two largest of all and one's own."""
    return limits[1] if mine == limits[0] else limits[0]


def nearest(length: int, lengths: Sequence[int]) -> int:
    """Return the nearest of some sorted lengths; of two as near, the shorter."""
    place = bisect.bisect_left(lengths, length)
    return min(lengths[max(place - 1, 0) : place + 1], key=lambda one: (abs(one - length), one))


def brevity_penalty(written: int, wanted: int) -> float:
    """Return the factor for texts that are shorter than their references, in [0, 1]."""
    if written > wanted:
        return 1.0
    return math.exp(1 - wanted / written) if written else 0.0
