"""Rewards that read what is written: BLEU, words, patterns."""

from __future__ import annotations

import math
import re

import torch
from torch import Tensor

from sparring.errors import DataError
from sparring.interfaces.data import Batch, Data
from sparring.interfaces.space import Space
from sparring_text.metrics.bleu import SMOOTHING, Words, brevity_penalty, grams, largest, nearest, words_of
from sparring_text.spaces import token_space

ORDER = 4


class BLEUReward:
    """How much of each sentence real ones have: sentence BLEU up to four words, in [0, 1].

    References are training sentences; a count of n-grams is clipped by the most that any one of them has (Papineni et
    al. 2002), and where an order has no match 0.1 is counted (Chen and Cherry 2014, method 1). It knows nothing of
    variety: one sentence copied is worth 1.

    Args:
        space: The sentences' space.
        data: Where references come from: their first rows.
        references: How many.
    """

    def __init__(self, space: Space, data: Data, references: int = 1000) -> None:
        if references < 1:
            raise ValueError(f"references is {references}, and must be at least 1")
        self.space = token_space(space, "text/bleu")
        rows = data.split("train").gather(torch.arange(min(references, len(data))), rng=torch.Generator())
        known = words_of(rows, self.space)
        self._lengths = sorted({len(words) for words in known})
        self._limits = {order: largest(grams(words, order) for words in known) for order in range(1, ORDER + 1)}

    def __call__(self, samples: Batch, reference: Batch | None) -> Tensor:
        """Return ``(B,)`` in [0, 1]."""
        return torch.tensor([self._score(words) for words in words_of(samples, self.space)])

    def _score(self, words: Words) -> float:
        if not words:
            return 0.0
        total = 0.0
        # A sentence of two words has pairs, and nothing longer.
        orders = range(1, min(ORDER, len(words)) + 1)
        for order in orders:
            found = grams(words, order)
            matched = sum(min(count, self._limits[order].get(gram, 0)) for gram, count in found.items())
            total += math.log((matched or SMOOTHING) / found.total())
        return brevity_penalty(len(words), nearest(len(words), self._lengths)) * math.exp(total / len(orders))


class WordsReward:
    """The share of a sentence's words that are wanted, less the share of those that are not, in [-1, 1].

    Words are compared without regard to capitals; marks are words too. An empty sentence gets 0.

    Args:
        space: The sentences' space.
        wanted: The words to write more of.
        unwanted: The words to write less of.
        most: How large a share of either is enough: what is above counts no more, so that one word repeated gains
            nothing.
    """

    def __init__(
        self,
        space: Space,
        wanted: list[str] = [],  # noqa: B006 - never changed
        unwanted: list[str] = [],  # noqa: B006 - never changed
        most: float = 1.0,
    ) -> None:
        self.space = token_space(space, "text/words")
        if not wanted and not unwanted:
            raise ValueError("there are no words: give `wanted` or `unwanted`")
        if not 0 < most <= 1:
            raise ValueError(f"most is {most}, and must be in (0, 1]")
        self.wanted, self.unwanted = ({word.casefold() for word in words} for words in (wanted, unwanted))
        if both := sorted(self.wanted & self.unwanted):
            raise ValueError(f"'{both[0]}' is both wanted and unwanted")
        self.most = most

    def __call__(self, samples: Batch, reference: Batch | None) -> Tensor:
        """Return ``(B,)`` in [-1, 1]."""
        return torch.tensor([self._score(words) for words in words_of(samples, self.space)])

    def _score(self, words: Words) -> float:
        written = [word.casefold() for word in words]
        wanted, unwanted = (
            min(self.most, sum(word in those for word in written) / max(1, len(written)))
            for those in (self.wanted, self.unwanted)
        )
        return wanted - unwanted


class PatternReward:
    """1 where a regular expression is found in a sentence, else 0.

    Anchor it by ``^`` and ``$`` for whole sentences; it is Python's.

    Args:
        space: The sentences' space.
        pattern: The regular expression.
    """

    def __init__(self, space: Space, pattern: str) -> None:
        self.space = token_space(space, "text/pattern")
        try:
            self.pattern = re.compile(pattern)
        except re.error as cause:
            raise DataError(
                f"'{pattern}' is no regular expression: {cause}", remedy="write one of Python's module re"
            ) from cause

    def __call__(self, samples: Batch, reference: Batch | None) -> Tensor:
        """Return ``(B,)``, each 0 or 1."""
        found = [self.pattern.search(self.space.decode(row)) is not None for row in samples.sample.cpu()]
        return torch.tensor(found).float()
