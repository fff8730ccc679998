"""The Bible in the Authorized (King James) version of 1611, verse by verse."""

from __future__ import annotations

import itertools
import re
import struct
from pathlib import Path
from typing import ClassVar

from sparring.errors import DataError
from sparring.interfaces.data import Source
from sparring_text.data.corpus import Corpus, TooLong, Unknown
from sparring_text.data.fetched import again, corpus_folder, read_bytes

NAME = "text/bible"
FILE = "usr/lib/bible.data"
REFERENCE = re.compile(r"[1-3]?[A-Za-z]+[0-9]+:[0-9]+ ")  # such as "Ge1:1 " before the first verse
# The file: the mark, the numbers of bytes in a window and of windows, where each begins and the last ends, all as
# big-endian 32-bit numbers; then the windows, each compressed by itself; the first is preceded by compress's header.
MARK = b"EC02"
NUMBERS = 0x54
COMPRESSED = b"\x1f\x9d"
FEWEST_BITS, MOST_BITS = 9, 16  # of a code
CLEAR = 256  # the code that empties the table


class Bible(Corpus):
    """31,102 verses of the King James Bible, each a sentence of its own; an English of one narrow style.

    The text is in the public domain. It is read from the data file of Debian's package ``bible-kjv-text`` as it is,
    without the program that belongs to it.

    Args:
        path: The folder into which the package is unpacked; by default where ``sparring data fetch`` does so, or the
            system's own, where the package is installed.
        length: Positions of a sequence in tokens, the end among them.
        tokens: ``word`` for words and marks; ``bpe`` for pieces of words, which leave hardly anything unknown; or the
            folder or hub name of a pretrained model, such as one for ``text/causal-lm``, whose tokens are then taken.
        vocabulary: The most tokens, four special ones included.
        minimum_count: How often a word, or a pair of pieces, must occur in training verses to become a token.
        lowercase: Whether capitals are written small.
        too_long: What happens to verses that do not fit: ``skip`` leaves them out, ``cut`` keeps their beginning.
        unknown: What happens to verses with words outside the vocabulary: ``skip`` leaves them out, ``keep`` puts one
            token for all such words.
        held_out: The share of the split ``test``, in [0, 1).
        seed: Which verses are held out.
    """

    source: ClassVar[Source | None] = Source(
        client="apt",
        locator="bible-kjv-text",
        version="4.38",
        sha256="d61b6aad4c51ba9e2800b825325fa6a09e99a0d02a9bb6dc4724fcc4995a1b7a",
        size=2_445_000,
        licence="public domain; the package GPL-2+",
        credit="the translators of 1611; digital edition by Chip Chapin",
    )

    def __init__(
        self,
        path: Path | None = None,
        length: int = 24,
        tokens: str = "word",
        vocabulary: int = 4000,
        minimum_count: int = 2,
        lowercase: bool = False,
        too_long: TooLong = "skip",
        unknown: Unknown = "skip",
        held_out: float = 0.1,
        seed: int = 0,
    ) -> None:
        installed = Path("/") if path is None and Path("/", FILE).is_file() else path
        file = corpus_folder(NAME, installed, (FILE,))
        super().__init__(
            read_verses(file),
            where=str(file),
            length=length,
            kind=tokens,
            size=vocabulary,
            minimum_count=minimum_count,
            lowercase=lowercase,
            too_long=too_long,
            unknown=unknown,
            held_out=held_out,
            seed=seed,
        )


def read_verses(file: Path) -> list[str]:
    """Return the verses, without their references.

    Raises:
        DataError: The file is not the package's.
    """
    content = read_bytes(file, NAME)
    try:
        size, count = struct.unpack_from(">II", content, NUMBERS)
        starts = struct.unpack_from(f">{count + 1}I", content, NUMBERS + 8)
        if content[:4] != MARK or content[starts[0] - 3 : starts[0] - 1] != COMPRESSED or starts[-1] != len(content):
            raise ValueError("its header is another")
        windows = [decompressed(content[first:last]) for first, last in itertools.pairwise(starts)]
        if any(len(window) != size for window in windows[:-1]):
            raise ValueError("a part of it has another length than it says")
        lines = b"".join(windows).decode("ascii").splitlines()
    except (struct.error, ValueError, IndexError) as cause:
        raise DataError(f"this is no text of the package: {cause}", where=str(file), remedy=again(NAME)) from cause
    return [line[match.end() :] for line in lines if (match := REFERENCE.match(line))]


def decompressed(content: bytes) -> bytes:
    """Undo the compression of the Unix program compress (Welch 1984, "A Technique for High-Performance Compression").

    Codes are packed from the lowest bit on, eight at a time in as many bytes as a code has bits; where their size
    changes, what is left of the eight is skipped.
    """
    table = [bytes([value]) for value in range(256)] + [b""]
    found: list[bytes] = []
    bits, place, before = FEWEST_BITS, 0, b""
    while place < len(content):
        group = content[place : place + bits]
        place += len(group)
        packed = int.from_bytes(group, "little")
        for number in range(8 * len(group) // bits):
            code = packed >> (number * bits) & ((1 << bits) - 1)
            if code == CLEAR:
                del table[CLEAR + 1 :]
                bits, before = FEWEST_BITS, b""
                break
            # A code may stand for the entry that is only now being made: what came before, and its first byte again.
            entry = table[code] if code < len(table) else before + before[:1]
            found.append(entry)
            if before and len(table) < 1 << MOST_BITS:
                table.append(before + entry[:1])
            before = entry
            if len(table) >= 1 << bits and bits < MOST_BITS:
                bits += 1
                break
    return b"".join(found)
