"""Which phones belong to which letter, where the phones of a sentence are known.

It is dynamic programming over both in their order, as in the alignment of strings (Needleman and Wunsch 1970): a letter
takes no phone, one, or two, such as the two of ``я`` in ``яма``.

Letters in names of arrays: P phones, and one more place for their end.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sparring_audio.russian_text import BETWEEN, STRESS, VOWELS

PAUSE = "pau"
GLIDE = "j"
VOICES = {"б": "п", "в": "ф", "г": "к", "д": "т", "ж": "ш", "з": "с"}  # a letter, and the one that it may sound like
HARD = dict(zip("бвгдзклмнпрстфх", "bvgdzklmnprstfh", strict=True))  # the phone of each consonant, where it is hard
OTHER = {
    "ж": {"zh", "sh"},
    "ш": {"sh", "zh"},
    "щ": {"sch", "sh"},
    "ч": {"ch", "sh", "sch"},
    "ц": {"c"},
    "й": {"j"},
}
REDUCED = {"a", "e", "i", "y", "ae", "ay"}  # what unstressed а, е, и, о, ы, э and я become
SOUNDS = {"а": "aa", "е": "ee", "ё": "oo", "и": "ii", "о": "oo", "у": "uu", "ы": "yy", "э": "ee", "ю": "uu", "я": "aa"}
STRESSED = frozenset(SOUNDS.values())
WRONG, SILENT_CONSONANT, SILENT_VOWEL, UNEXPECTED_PAUSE = 2.0, 1.0, 3.0, 0.5  # costs: whole sentences fit at about 3


def align(symbols: Sequence[str], phones: Sequence[str]) -> tuple[list[int], float]:
    """Share the phones of a sentence out among its symbols.

    Args:
        symbols: Of ``russian_text.SYMBOLS``.
        phones: In order, as festvox-ru writes them.

    Returns:
        How many phones each symbol takes, which together are all of them; and the cost, 0 where all is as expected.
    """
    count = len(phones)
    best_P = np.full(count + 1, np.inf)
    best_P[0] = 0.0
    taken = []
    for symbol in symbols:
        one_P, two_P, none = _costs(symbol, phones)
        ways = np.full((3, count + 1), np.inf)
        ways[0] = best_P + none
        ways[1, 1:] = best_P[:-1] + one_P
        ways[2, 2:] = best_P[:-2] + two_P
        choice_P = ways.argmin(0)
        taken.append(choice_P)
        best_P = ways[choice_P, np.arange(count + 1)]
    shares, place = [], count
    for choice_P in reversed(taken):
        shares.append(int(choice_P[place]))
        place -= shares[-1]
    return shares[::-1], float(best_P[-1])


def as_spoken(symbols: Sequence[str], phones: Sequence[str], shares: Sequence[int]) -> list[str]:
    """Return symbols with the stress that the phones have, and ``ё`` where it is spoken and ``е`` is written."""
    found, place = [], 0
    for symbol, share in zip(symbols, shares, strict=True):
        own, letter = phones[place : place + share], symbol.removeprefix(STRESS)
        place += share
        if letter not in VOWELS or not share:
            found.append(letter)
        elif letter == "ё" or (letter == "е" and own[-1] == "oo"):
            found.append("ё")
        else:
            found.append(STRESS + letter if own[-1] in STRESSED else letter)
    return found


def _costs(symbol: str, phones: Sequence[str]) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Return what it costs a symbol to take each phone, each phone and the next, or none."""
    if symbol in BETWEEN:
        unexpected = UNEXPECTED_PAUSE if symbol == " " else 0.0
        one_P = np.array([unexpected if phone == PAUSE else np.inf for phone in phones])
        return one_P, np.full(max(0, len(phones) - 1), np.inf), 0.0 if symbol == " " else UNEXPECTED_PAUSE
    letter = symbol.removeprefix(STRESS)
    expected, vowel = expected_phones(letter), letter in VOWELS
    one_P = np.array([np.inf if phone == PAUSE else WRONG * (phone not in expected) for phone in phones])
    glides_P = np.array([0.0 if phone == GLIDE and vowel else WRONG for phone in phones])
    glides_P[[phone == PAUSE for phone in phones]] = np.inf
    none = 0.0 if letter in "ьъ" else SILENT_VOWEL if vowel else SILENT_CONSONANT
    return one_P, glides_P[:-1] + one_P[1:], none


def expected_phones(letter: str) -> frozenset[str]:
    """Return the phones that a letter may be spoken as: hard or soft, voiced or not, stressed or reduced."""
    if letter in VOWELS:
        full = SOUNDS[letter]
        return frozenset({"uu", "u", "ur"} if full == "uu" else {full, *REDUCED} | ({"oo"} if letter == "е" else set()))
    if letter in OTHER:
        return frozenset(OTHER[letter])
    pairs = {**VOICES, **{soft: hard for hard, soft in VOICES.items()}}
    hard = {HARD[one] for one in (letter, pairs.get(letter, letter)) if one in HARD}
    special = {"т": {"c", "ch"}, "д": {"c", "ch"}, "с": {"sh", "zh", "sch"}, "з": {"sh", "zh", "sch"}}
    special |= {"г": {"v", "h", "hh"}, "к": {"h"}}
    return frozenset(hard | {phone + phone for phone in hard} | special.get(letter, set()))
