"""Exact Self-BLEU, in time that grows as sorting does: every sentence against all others, and none left out.

Self-BLEU: Zhu et al. 2018 (Texygen, arXiv:1802.01886). Letters in names of arrays: I words of all sentences, P n-grams
at their places, E pairs of a sentence and an n-gram that it has, S sentences.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from sparring.errors import DataError
from sparring.interfaces.data import Batch
from sparring.interfaces.metric import Metric
from sparring.interfaces.space import Space
from sparring_text.metrics.bleu import ORDERS, SMOOTHING, Words, brevity_penalty, nearest, words_of
from sparring_text.spaces import token_space

Numbers = NDArray[np.int64]
Reals = NDArray[np.float64]


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
        found = self_bleu(self._fake, ORDERS)
        values = {f"self_bleu{order}": found[order] for order in ORDERS}
        if len(self._real) >= 2:
            count = min(len(self._real), len(self._fake))
            values["real_self_bleu4"] = self_bleu(self._real[:count], (4,))[4]
        return values


def self_bleu(sentences: Sequence[Words], orders: Sequence[int]) -> dict[int, float]:
    """Return, for each order, the mean BLEU of each sentence against all others.

    The others' largest count of an n-gram is the largest of all sentences, or, for the one sentence that has it, the
    second largest; so the two largest counts of each n-gram suffice. A sentence shorter than the order is judged by
    the n-grams that it has, and an empty one is like another empty one and like nothing else.
    """
    length_S = np.array([len(words) for words in sentences], dtype=np.int64)
    log_precision = _log_precisions(sentences, length_S, max(orders))
    brevity_S = _brevity(length_S)
    found = {}
    for order in orders:
        used_S = np.minimum(length_S, order)
        score_S = brevity_S * np.exp(log_precision[:order].sum(0) / np.maximum(used_S, 1))
        empty_S = length_S == 0
        score_S[empty_S] = float(empty_S.sum() > 1)
        found[order] = float(score_S.mean())
    return found


def _log_precisions(sentences: Sequence[Words], length_S: Numbers, highest: int) -> Reals:
    """Return the logarithms of clipped precisions, ``(highest, S)``; 0 where a sentence has no n-gram of an order."""
    numbers: dict[str, int] = {}
    word_I = np.array([numbers.setdefault(word, len(numbers)) for words in sentences for word in words], dtype=np.int64)
    owner_I = np.repeat(np.arange(len(sentences)), length_S)
    found = np.zeros((highest, len(sentences)))
    gram_P = np.zeros(len(word_I), dtype=np.int64)
    for order in range(1, highest + 1):
        places = len(word_I) - order + 1
        if places <= 0:
            break
        # An n-gram is the one before with a word more; numbering them anew keeps the products small.
        _, gram_P = np.unique(gram_P[:places] * len(numbers) + word_I[order - 1 :], return_inverse=True)
        whole = owner_I[:places] == owner_I[order - 1 :]
        matched_S, total_S = _matched(owner_I[:places][whole], gram_P[whole], len(sentences))
        has = total_S > 0
        found[order - 1, has] = np.log(np.where(matched_S > 0, matched_S, SMOOTHING)[has] / total_S[has])
    return found


def _matched(owner_P: Numbers, gram_P: Numbers, sentences: int) -> tuple[Reals, Numbers]:
    """Return how many n-grams of each sentence others have too, clipped, and how many it has."""
    pair_E, count_E = np.unique(gram_P * sentences + owner_P, return_counts=True)
    gram_E, owner_E = np.divmod(pair_E, sentences)
    # In each n-gram's run the largest count comes last, and the second largest before it.
    order = np.lexsort((count_E, gram_E))
    gram_E, owner_E, count_E = gram_E[order], owner_E[order], count_E[order]
    last = np.flatnonzero(np.append(np.diff(gram_E) != 0, True)) if len(gram_E) else np.zeros(0, dtype=np.int64)
    size = np.diff(last, prepend=-1)
    second = np.where(size > 1, count_E[last - 1], 0)
    first_E, second_E = np.repeat(count_E[last], size), np.repeat(second, size)
    clipped_E = np.minimum(count_E, np.where(count_E == first_E, second_E, first_E))
    matched: Any = np.bincount(owner_E, weights=clipped_E, minlength=sentences)
    return matched, np.bincount(owner_P, minlength=sentences)


def _brevity(length_S: Numbers) -> Reals:
    """Return each sentence's penalty for being shorter than the nearest of the others."""
    lengths, place_S, times = np.unique(length_S, return_inverse=True, return_counts=True)
    known = lengths.tolist()
    found = []
    for length, count in zip(known, times.tolist(), strict=True):
        others = known if count > 1 else [one for one in known if one != length]
        found.append(brevity_penalty(length, nearest(length, others)) if others else math.nan)
    return np.array(found)[place_S]
