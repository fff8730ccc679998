"""How far generated sentences are from held-out ones in their n-grams, and what the order of their words has in it."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from typing import ClassVar, Literal

from sparring.errors import DataError
from sparring.interfaces.data import Batch
from sparring.interfaces.metric import Metric
from sparring.interfaces.space import Space
from sparring_text.metrics.bleu import Words, grams, words_of
from sparring_text.spaces import token_space

ORDERS = (2, 3)  # single words are the same however they are shuffled; longer n-grams hardly occur twice
BEGIN, FINISH = "\n<", "\n>"  # no word has a line end in it


class NGrams(Metric):
    """How far the n-grams of generated sentences are from those of held-out ones; with their words shuffled, how far.

    The distance of two sets of sentences is the total variation between the relative frequencies of their n-grams, the
    ends of sentences among them, as a mean of bigrams and trigrams: 0 where they are the same, 1 where they share no
    n-gram. It counts both what is written and should not be, and what is missing: a generator that repeats a few good
    sentences is far away. ``ngram_distance``, the main value, is that of the generated sentences;
    ``shuffled_distance`` that of the same sentences with the words of each in another order; and ``ngram_margin`` by
    how much the latter exceeds the former: 0 for words in no order.

    Two samples of one text are at a distance too, which shrinks as they grow: compare only the same numbers of
    sentences.

    Args:
        space: The sentences' space.
        seed: Which shuffling.
    """

    better: ClassVar[Literal["higher", "lower"]] = "lower"

    def __init__(self, space: Space, seed: int = 0) -> None:
        self.space, self.seed = token_space(space, "text/ngrams"), seed
        self.reset()

    def reset(self) -> None:
        self._real: list[Words] = []
        self._fake: list[Words] = []

    def update(self, real: Batch, fake: Batch) -> None:
        self._real += words_of(real, self.space)
        self._fake += words_of(fake, self.space)

    def compute(self) -> dict[str, float]:
        if not self._real or not self._fake:
            raise DataError(
                "text/ngrams compares two sets of sentences, and one is empty", remedy="call `update` first"
            )
        near = distance(self._real, self._fake)
        far = distance(self._real, shuffled(self._fake, self.seed))
        return {"ngram_distance": near, "shuffled_distance": far, "ngram_margin": far - near}


def distance(one: Sequence[Words], other: Sequence[Words]) -> float:
    """Return the mean total variation between two texts' n-gram frequencies, in [0, 1]."""
    return sum(_total_variation(_counts(one, order), _counts(other, order)) for order in ORDERS) / len(ORDERS)


def shuffled(sentences: Sequence[Words], seed: int) -> list[Words]:
    """Return the sentences with the words of each in another order."""
    rng = random.Random(seed)
    return [rng.sample(words, len(words)) for words in sentences]


def _counts(sentences: Sequence[Words], order: int) -> Counter[tuple[str, ...]]:
    counts = Counter[tuple[str, ...]]()
    for words in sentences:
        counts.update(grams([BEGIN, *words, FINISH], order))
    return counts


def _total_variation(one: Counter[tuple[str, ...]], other: Counter[tuple[str, ...]]) -> float:
    size, other_size = one.total(), other.total()
    if not size or not other_size:
        return float(size != other_size)
    # Half the sum of absolute differences is 1 less what the two have in common.
    return 1.0 - sum(min(count / size, other[gram] / other_size) for gram, count in one.items())
