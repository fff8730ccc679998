"""Small folders in the form of the fetched corpora."""

from __future__ import annotations

import struct
from pathlib import Path

from sparring_text.data.bible import COMPRESSED, MARK, NUMBERS
from sparring_text.data.brown import GENRES
from sparring_text.data.fortunes import INSIDE
from tests.text.corpora import SENTENCES

WINDOW = 600  # bytes before compression; the real file has 65,536


def brown(folder: Path) -> Path:
    """Write the sentences as tagged text of all genres, and return the folder."""
    package = folder / "brown" / "package"
    package.mkdir(parents=True)
    for number, letter in enumerate(GENRES):
        lines = [" ".join(f"{word}/nn" for word in text.split()) for text in SENTENCES[number::15]]
        (package / f"c{letter}01").write_text("\n\n\t" + "\n\n\t".join(lines) + "\n", encoding="ascii")
    (package / "categories.pickle").write_bytes(b"not to be read")
    (package / "README").write_text("not a text of the corpus", encoding="ascii")
    return folder / "brown"


def bible(folder: Path) -> Path:
    """Write the sentences as verses of the compressed file, and return the folder."""
    verses = [f"Ge{number // 30 + 1}:{number % 30 + 1} {text}" for number, text in enumerate(SENTENCES)]
    content = "\n".join(["Title", *verses, ""]).encode()
    windows = [compressed(content[start : start + WINDOW]) for start in range(0, len(content), WINDOW)]
    start = NUMBERS + 8 + 4 * (len(windows) + 1) + 3
    starts = [start]
    for window in windows:
        starts.append(starts[-1] + len(window))
    header = MARK.ljust(NUMBERS, b"\0") + struct.pack(f">II{len(starts)}I", WINDOW, len(windows), *starts)
    file = folder / "bible" / "usr" / "lib" / "bible.data"
    file.parent.mkdir(parents=True)
    file.write_bytes(header + COMPRESSED + b"\x90" + b"".join(windows))
    return folder / "bible"


def fortunes(folder: Path) -> Path:
    """Write the sentences as entries of three topics in two packages, and return the folder."""
    for package, topics in (("fortunes", ("art", "zippy")), ("fortunes-min", ("riddles",))):
        inside = folder / "fortunes" / package / INSIDE
        inside.mkdir(parents=True)
        for topic in topics:
            entries = SENTENCES[("art", "zippy", "riddles").index(topic) :: 3]
            text = "".join(f"{one}\n\t\t-- Some Author\n%\n" for one in entries)
            (inside / topic).write_text(text, encoding="utf-8")
            (inside / f"{topic}.dat").write_bytes(b"\0\1\2")
            (inside / f"{topic}.u8").symlink_to(topic)
    return folder / "fortunes"


def compressed(content: bytes) -> bytes:
    """Compress as the Unix program compress does, in blocks of 9 to 16 bits, without ever clearing the table."""
    table = {bytes([value]): value for value in range(256)}
    size, bits = 257, 9
    written, group = bytearray(), list[int]()
    before = b""

    def flush() -> None:
        packed = sum(code << (place * bits) for place, code in enumerate(group))
        written.extend(packed.to_bytes(-(-len(group) * bits // 8), "little"))
        group.clear()

    def put(code: int) -> None:
        group.append(code)
        if len(group) == 8:
            flush()

    for value in content:
        longer = before + bytes([value])
        if longer in table:
            before = longer
            continue
        put(table[before])
        if size < 1 << 16:
            table[longer] = size
            size += 1
            # The reader is one entry behind. What is left of a group of eight is filled up where codes grow wider.
            if size > 1 << bits and bits < 16:
                if group:
                    group.extend([0] * (8 - len(group)))
                    flush()
                bits += 1
        before = bytes([value])
    if before:
        put(table[before])
    flush()
    return bytes(written)
