"""Where the stress of a Russian word is: by festvox-ru's dictionary, and beyond it by the words that end alike."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from sparring.errors import DataError
from sparring_audio.russian_text import STRESS, VOWELS

DICTIONARY = Path("dict") / "msu_ru_nsh_dict.scm"  # in the folder of the voice; 181,704 words
ENTRY = re.compile(r'\("([^"]+)" \S+ \((\d+)\)( fix_yo)?\)')  # ("окно" n (2)): the second vowel; 0: it has no stress
ALIKE = 2  # letters at the end of a word that another must share with it, at least
NEIGHBOURS = 40  # words of one ending that are asked


class Dictionary:
    """The stress of words.

    A word that is not in the dictionary is stressed as most of its words are that have the longest ending in common
    with it: Russian endings decline and conjugate, and take the stress along. Of words that were taken out of the
    dictionary one by one, 85 in a hundred were stressed rightly, often by another form of the same word.

    Args:
        stresses: For each word of small letters, which of its vowels is stressed, from 1; 0 where none is. A negative
            number says that this vowel is written as ``е`` and spoken as ``ё``.
    """

    def __init__(self, stresses: Mapping[str, int]) -> None:
        self.stresses = stresses
        self._reversed = sorted(word[::-1] for word in stresses)

    def stressed(self, word: str) -> str:
        """Return a word with its stress marked: ``окно`` as ``окн+о``, ``зеленый`` as ``зелёный``."""
        places = [place for place, letter in enumerate(word) if letter in VOWELS]
        number = self.stresses.get(word)
        if number is None:
            number = 1 if len(places) == 1 else self.guessed(word)
        if not places or not number or abs(number) > len(places):
            return word
        place = places[abs(number) - 1]
        if number < 0 and word[place] == "е":
            return f"{word[:place]}ё{word[place + 1 :]}"
        return f"{word[:place]}{STRESS}{word[place:]}"

    def guessed(self, word: str) -> int:
        """Return which vowel of a word is stressed, by other words that end alike; the last but one where none does."""
        vowels, backwards = sum(letter in VOWELS for letter in word), word[::-1]
        for shared in range(len(word), ALIKE - 1, -1):
            first = bisect_left(self._reversed, backwards[:shared])
            last = bisect_left(self._reversed, backwards[:shared] + "\uffff")
            found = self._reversed[first : min(last, first + NEIGHBOURS)]
            # Counted from the end, which is what the words share.
            ends = Counter(self._from_end(one[::-1]) for one in found if one != backwards)
            for place, _ in ends.most_common():
                if 0 < place <= vowels:
                    return vowels - place + 1
        return max(1, vowels - 1)

    def _from_end(self, word: str) -> int:
        return sum(letter in VOWELS for letter in word) - abs(self.stresses[word]) + 1 if self.stresses[word] else 0


@cache
def read_dictionary(voice: Path) -> Dictionary:
    """Read the dictionary of a voice's folder, once.

    Raises:
        DataError: It is not there, or has no words.
    """
    file = voice / DICTIONARY
    try:
        entries = ENTRY.findall(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as cause:
        raise DataError(
            f"the dictionary of stress cannot be read: {cause}",
            where=str(file),
            remedy="run `sparring data fetch audio/russian-speech`, or mark the stress of every word: 'окн+о'",
        ) from cause
    stresses: dict[str, int] = {}
    for word, vowel, yo in entries:  # of words that are written alike, the first
        stresses.setdefault(word, -int(vowel) if yo else int(vowel))
    if not stresses:
        raise DataError("the dictionary of stress has no words", where=str(file), remedy="fetch the data anew")
    return Dictionary(stresses)
