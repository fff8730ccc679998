"""The space of Russian texts that are to be spoken, with as much of how as is known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from sparring.errors import DataError
from sparring.interfaces.space import Space
from sparring_audio.russian import voice_folder
from sparring_audio.russian_text import NUMBERS, STRESS, SYMBOLS, VOWELS, symbols_of, text_of
from sparring_audio.stress import read_dictionary

UNKNOWN = -100.0  # in the place of a duration or a pitch that is to be predicted
MOST_SYMBOLS = 4096  # of one text: a page and a half


class SpokenText(Space):
    """Russian sentences: ``(3, symbols)``.

    The first row has the numbers of symbols: letters, vowels with stress, marks between words, and 0 past the end. The
    second has how many frames of a spectrogram each lasts, and the third its pitch in octaves above 100 Hz; both are
    ``UNKNOWN`` in a text that a user gives, and then the network's own choice.

    A text is given as a string. Its words need no marks where festvox-ru's dictionary is at hand, which comes with
    ``audio/russian-speech``; a ``+`` ahead of a vowel, or an accent above it, says where the stress is otherwise.

    Args:
        symbols: How many there are in a sample of data; a text of a user may be longer.
    """

    called: ClassVar[str] = "sentences"

    def __init__(self, symbols: int = 96) -> None:
        if symbols < 1:
            raise DataError(f"a text of {symbols} symbols says nothing", remedy="set `symbols` above 0")
        self.symbols = symbols
        self.shape = (3, symbols)

    def encode(self, raw: Any) -> Tensor:
        """Turn a text into ``(3, N)``, N at least ``symbols``.

        Raises:
            DataError: It is no text, or has something that cannot be read aloud.
        """
        if not isinstance(raw, str):
            raise DataError(f"{raw!r} is no text", remedy="give a sentence in Russian letters")
        found = symbols_of(raw, _stressed)
        if len(found) > MOST_SYMBOLS:
            raise DataError(
                f"the text has {len(found)} letters and marks, and at most {MOST_SYMBOLS} are spoken at once",
                remedy="give it in parts",
            )
        return self.pack(found)

    def pack(
        self, symbols: Sequence[str], durations: Sequence[int] | None = None, pitch: Sequence[float] | None = None
    ) -> Tensor:
        """Lay symbols, their durations in frames and their pitch in octaves into ``(3, N)``."""
        text_3N = torch.full((3, max(self.symbols, len(symbols))), UNKNOWN)
        text_3N[0] = 0
        for row, values in enumerate(([NUMBERS[one] for one in symbols], durations, pitch)):
            if values is not None:
                text_3N[row, : len(symbols)] = torch.tensor(values, dtype=torch.float32)
                if row:  # what is known of the text is known of the emptiness after it
                    text_3N[row, len(symbols) :] = 0
        return text_3N

    def decode(self, sample: Tensor) -> str:
        """Return the text, with an accent above every stressed vowel."""
        numbers = sample[0].round().long().clamp(0, len(SYMBOLS) - 1).tolist()
        return text_of([SYMBOLS[number] for number in numbers])

    def save(self, samples: Tensor, folder: Path) -> list[Path]:
        """Write all texts into ``texts.txt``, one a line."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "texts.txt"
        path.write_text("".join(f"{self.decode(sample)}\n" for sample in samples), encoding="utf-8")
        return [path]

    def preview(self, samples: Tensor) -> str:
        return "\n".join(self.decode(sample) or "(nothing)" for sample in samples)


def _stressed(word: str) -> str:
    """Look a word's stress up; a word of one vowel or none needs no dictionary where there is none."""
    try:
        return read_dictionary(voice_folder()).stressed(word)
    except DataError as error:
        places = [place for place, letter in enumerate(word) if letter in VOWELS]
        if len(places) > 1:
            raise DataError(
                f"where the stress of '{word}' is, is not known: {error.what}",
                where=error.where,
                remedy="mark it with a + ahead of the vowel, as in 'окн+о', or run `sparring data fetch "
                "audio/russian-speech`",
            ) from error
        return f"{word[: places[0]]}{STRESS}{word[places[0] :]}" if len(word) > 2 else word
