"""Fortunes: quotations, jokes and definitions that the program fortune shows, by topic."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from sparring.errors import DataError
from sparring.interfaces.data import Source
from sparring_text.data.corpus import Corpus, TooLong, Unknown
from sparring_text.data.fetched import again, corpus_folder, read_bytes

NAME = "text/fortunes"
INSIDE = Path("usr/share/games/fortunes")
PACKAGES = ("fortunes", "fortunes-min")
VERSION = "1:1.99.1-7.3"
LICENCE = "BSD for the program; the texts as packaged by Debian"
INDEX = (".dat", ".u8")  # of a topic's file: where its entries begin, and a second name
OVERSTRUCK = re.compile(".\b")  # a sign that a printer would print another one upon
AUTHOR = re.compile(r"\s*--")  # begins the last lines of a quotation


class Fortunes(Corpus):
    """Short quotations and jokes of 43 topics, with the topic as the condition ``label``; some of them are crude.

    15,204 entries of Debian's packages ``fortunes`` and ``fortunes-min`` (Ken Arnold, Amy A. Lewis and many
    contributors). The line that names an author is left out, and an entry's lines are joined.

    Args:
        path: The folder of the packages' files, or that holds both packages' folders; by default where ``sparring data
            fetch`` unpacks them.
        topics: Which topics, by the names of their files; by default all.
        labels: Whether the topic is a condition, ``label``.
        length: Positions of a sequence in tokens, the end among them.
        tokens: ``word`` for words and marks; ``bpe`` for pieces of words, which leave hardly anything unknown; or the
            folder or hub name of a pretrained model, such as one for ``text/causal-lm``, whose tokens are then taken.
        vocabulary: The most tokens, four special ones included.
        minimum_count: How often a word, or a pair of pieces, must occur in training entries to become a token.
        lowercase: Whether capitals are written small.
        too_long: What happens to entries that do not fit: ``skip`` leaves them out, ``cut`` keeps their beginning.
        unknown: What happens to entries with words outside the vocabulary: ``keep`` puts one token for all such words,
            ``skip`` leaves the entries out.
        held_out: The share of the split ``test``, in [0, 1).
        seed: Which entries are held out.
    """

    source: ClassVar[Source | None] = Source(
        client="apt",
        locator="fortunes",
        version=VERSION,
        sha256="41d0551dc0ff52f875a2ecef7c39da2f672ab468c37e170119f7e0245a9d63c5",
        size=848_988,
        licence=LICENCE,
        credit="Ken Arnold, Amy A. Lewis and many contributors",
        further=(
            Source(
                client="apt",
                locator="fortunes-min",
                version=VERSION,
                sha256="9eed5b45064e41133dae0967cf3a17588ad77c014fcc7bf1527fa3ea48e44d07",
                size=56_492,
                licence=LICENCE,
                credit="the same",
            ),
        ),
    )

    def __init__(
        self,
        path: Path | None = None,
        topics: Sequence[str] | None = None,
        labels: bool = True,
        length: int = 30,
        tokens: str = "word",
        vocabulary: int = 4000,
        minimum_count: int = 2,
        lowercase: bool = False,
        too_long: TooLong = "skip",
        unknown: Unknown = "keep",
        held_out: float = 0.1,
        seed: int = 0,
    ) -> None:
        marks = tuple(str(Path(package) / INSIDE) for package in PACKAGES)
        folders = [corpus_folder(NAME, path, (mark, str(INSIDE), ".")) for mark in marks]
        lines, found = read_fortunes(list(dict.fromkeys(folders)), topics)
        super().__init__(
            lines,
            where=str(folders[0]),
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


def read_fortunes(folders: Sequence[Path], topics: Sequence[str] | None = None) -> tuple[list[str], list[str]]:
    """Return the entries of some topics, and each one's topic.

    Raises:
        DataError: There is no such topic, or a file is damaged.
    """
    files = {
        file.name: file
        for folder in folders
        for file in sorted(folder.iterdir())
        if file.is_file() and file.suffix not in INDEX
    }
    wanted = sorted(files) if topics is None else list(topics)
    strange = [name for name in wanted if name not in files]
    if strange or not wanted:
        raise DataError(
            f"there is no topic '{strange[0]}'" if strange else "no topic is there",
            where=str(folders[0]),
            remedy=f"use some of: {', '.join(sorted(files)) or 'none'}; or {again(NAME)}",
        )
    lines, labels = [], []
    for topic in wanted:
        try:
            content = read_bytes(files[topic], NAME).decode("utf-8")
        except UnicodeDecodeError as cause:
            raise DataError(
                "the file is not as it was published", where=str(files[topic]), remedy=again(NAME)
            ) from cause
        found = [entry(text) for text in re.split(r"^%\n?", content, flags=re.MULTILINE)]
        found = [text for text in found if text]
        lines += found
        labels += [topic] * len(found)
    return lines, labels


def entry(text: str) -> str:
    """Return an entry as one line, without its author."""
    kept = []
    for line in OVERSTRUCK.sub("", text).split("\n"):
        if AUTHOR.match(line):
            break
        kept.append(line)
    return " ".join(" ".join(kept).split())
