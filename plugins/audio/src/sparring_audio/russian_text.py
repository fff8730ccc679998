"""Russian text as what is spoken: letters, stressed vowels, and the signs between words.

A letter sounds by its neighbours and by the stress, both of which a network can see; so there are no rules from
letters to sounds here. What cannot be seen is where the stress is: a ``+`` ahead of the vowel says so, as in
festvox-ru's texts, or an acute accent above it, and words without either are looked up.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence

from sparring.errors import DataError

LETTERS = "абвгдеёжзийклмнопрстуфхцчшщъыьэюя"
VOWELS = "аеёиоуыэюя"
ALWAYS_STRESSED = "ё"
STRESS = "+"
BETWEEN = " ,.?!"  # what may lie between words; a pause does so where the speaker makes one
SYMBOLS: tuple[str, ...] = (
    "",  # padding
    *BETWEEN,
    *LETTERS,
    *(STRESS + vowel for vowel in VOWELS if vowel not in ALWAYS_STRESSED),
)
NUMBERS = {symbol: number for number, symbol in enumerate(SYMBOLS)}
STRONGEST = "?!., "  # of several marks in a row the first of these is kept
ACUTE = "\u0301"
COMMAS, STOPS, SILENT = ";:()[]\u2013\u2014", "\u2026", "\"'\u00ab\u00bb\u201e\u201c\u201d\u2019\u0300"

Stressed = Callable[[str], str]
"""Maps a word of letters without any mark to the same with its stress marked: ``окно`` to ``окн+о``."""


def symbols_of(text: str, stressed: Stressed) -> list[str]:
    """Split a text into the symbols of ``SYMBOLS``, from a space to the mark that ends it.

    Case does not matter. Dashes, colons, semicolons and brackets count as commas, quotation marks as nothing; a hyphen
    parts words. A text that does not end with a mark ends with a full stop.

    Args:
        text: In Russian letters.
        stressed: Finds the stress of words that have no mark.

    Raises:
        DataError: There are no letters, or there is something that has no sound here, such as a figure; it is named.
    """
    plain = _plain(text)
    unknown = sorted(set(plain) - set(LETTERS + BETWEEN + STRESS))
    if unknown:
        raise DataError(
            f"the text has {', '.join(map(repr, unknown))}, which cannot be read aloud",
            where=_shortened(text),
            remedy="write in Russian letters, numbers and foreign names too: 'двадцать', 'Вашингтон'",
        )
    if not any(one in LETTERS for one in plain):
        raise DataError("the text has no words", where=repr(_shortened(text)), remedy="give a sentence in Russian")
    found = [" "]
    for piece in re.findall(rf"[{LETTERS}{re.escape(STRESS)}]+|[{re.escape(BETWEEN)}]+", plain):
        if piece[0] not in BETWEEN:
            found += _word(piece, stressed)
        elif len(found) > 1:  # a mark ahead of the first word has nothing to end
            found.append(next(mark for mark in STRONGEST if mark in piece))
    return found if found[-1] in BETWEEN else [*found, "."]


def text_of(symbols: Sequence[str]) -> str:
    """Return the text of symbols, with an accent above every stressed vowel."""
    written = "".join(f"{one[1:]}{ACUTE}" if one.startswith(STRESS) else one for one in symbols)
    return re.sub(r"([,.?!])(?=\S)", r"\1 ", written).strip()


def _plain(text: str) -> str:
    """Return a text in small letters, with ``+`` for accents and the few marks that are told apart."""
    composed = unicodedata.normalize("NFC", text.lower())
    accented = re.sub(f"([{VOWELS}]){ACUTE}", rf"{STRESS}\1", composed)
    parted = re.sub(r"\s-+\s|--+", ",", accented).replace("-", " ")
    marks = {**dict.fromkeys(COMMAS, ","), **dict.fromkeys(STOPS, "."), **dict.fromkeys(SILENT, "")}
    return re.sub(r"\s+", " ", "".join(marks.get(one, one) for one in parted)).strip()


def _word(word: str, stressed: Stressed) -> list[str]:
    if STRESS not in word and ALWAYS_STRESSED not in word and any(one in VOWELS for one in word):
        word = stressed(word)
    return [
        STRESS + letter if mark and STRESS + letter in NUMBERS else letter
        for mark, letter in re.findall(rf"({re.escape(STRESS)}?)([{LETTERS}])", word)
    ]


def _shortened(text: str, most: int = 60) -> str:
    return text if len(text) <= most else f"{text[:most]}…"
