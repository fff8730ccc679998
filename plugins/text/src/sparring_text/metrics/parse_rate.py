"""How many generated expressions the arithmetic grammar accepts."""

from __future__ import annotations

from typing import ClassVar, Literal

from sparring.errors import DataError
from sparring.interfaces.data import Batch
from sparring.interfaces.metric import Metric
from sparring.interfaces.space import Space
from sparring_text.data.grammar import parses
from sparring_text.spaces import token_space
from sparring_text.tokens import END


class ParseRate(Metric):
    """The share of generated sequences that are expressions of ``text/grammar``, in [0, 1].

    ``parse_rate``, the main value, counts sequences that end and parse. One expression over and over has the rate 1:
    so ``distinct_parse_rate`` stands beside it, the number of different ones among them, divided by that of all
    sequences, and ``real_distinct_parse_rate``, the same of as many held-out sequences. The latter two shrink as the
    number of sequences grows: compare only the same numbers.

    Args:
        space: The expressions' space.
    """

    better: ClassVar[Literal["higher", "lower"]] = "higher"

    def __init__(self, space: Space) -> None:
        self.space = token_space(space, "text/parse-rate")
        self.reset()

    def reset(self) -> None:
        self._real: list[str] = []
        self._fake: list[str] = []

    def update(self, real: Batch, fake: Batch) -> None:
        self._real += self._parsed(real)
        self._fake += self._parsed(fake)

    def compute(self) -> dict[str, float]:
        if not self._fake:
            raise DataError("text/parse-rate has seen no generated sequence", remedy="call `update` first")
        parsed = [text for text in self._fake if text]
        values = {
            "parse_rate": len(parsed) / len(self._fake),
            "distinct_parse_rate": len(set(parsed)) / len(self._fake),
        }
        real = self._real[: len(self._fake)]
        if real:
            values["real_distinct_parse_rate"] = len({text for text in real if text}) / len(real)
        return values

    def _parsed(self, batch: Batch) -> list[str]:
        """Return the text of each row that is an expression, and an empty one of each other row."""
        found = []
        for row in batch.sample.cpu():
            symbols = self.space.words(row) if bool((row == END).any()) else []
            found.append(" ".join(symbols) if parses(symbols) else "")
        return found
