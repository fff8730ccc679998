"""The share of different n-grams among all that are written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from sparring.errors import DataError
from sparring.interfaces.data import Batch
from sparring.interfaces.metric import Metric
from sparring.interfaces.space import Space
from sparring_text.metrics.bleu import Words, words_of
from sparring_text.spaces import token_space

ORDERS = (2, 1, 3)  # in the order in which values are given


class Distinct(Metric):
    """How varied generated sentences are: different n-grams divided by all, in [0, 1] (Li et al. 2016, section 5.2).

    Li, Galley, Brockett, Gao and Dolan, "A Diversity-Promoting Objective Function for Neural Conversation Models",
    arXiv:1510.03055. ``distinct2``, the main value, counts pairs of words; ``distinct_sentences`` whole sentences. All
    shrink as the number of sentences grows, and words at random have the highest: compare with
    ``real_distinct2``, that of as many held-out sentences, and read it beside ``text/bleu``.

    Args:
        space: The sentences' space.
    """

    better: ClassVar[Literal["higher", "lower"]] = "higher"

    def __init__(self, space: Space) -> None:
        self.space = token_space(space, "text/distinct")
        self.reset()

    def reset(self) -> None:
        self._real: list[Words] = []
        self._fake: list[Words] = []

    def update(self, real: Batch, fake: Batch) -> None:
        self._real += words_of(real, self.space)
        self._fake += words_of(fake, self.space)

    def compute(self) -> dict[str, float]:
        if not self._fake:
            raise DataError("text/distinct has seen no generated sentence", remedy="call `update` first")
        values = {f"distinct{order}": distinct(self._fake, order) for order in ORDERS}
        values["distinct_sentences"] = len(set(map(tuple, self._fake))) / len(self._fake)
        if self._real:
            values["real_distinct2"] = distinct(self._real[: len(self._fake)], 2)
        return values


def distinct(sentences: Sequence[Words], order: int) -> float:
    """Return the share of different n-grams among those of all sentences; 0 where there is none."""
    found = [tuple(words[start : start + order]) for words in sentences for start in range(len(words) - order + 1)]
    return len(set(found)) / len(found) if found else 0.0
