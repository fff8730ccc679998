"""One's own text: a file with one sentence a line."""

from __future__ import annotations

import codecs
from pathlib import Path

from sparring.errors import DataError
from sparring_text.data.corpus import Corpus, TooLong, Unknown

UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Lines(Corpus):
    r"""Sentences of a UTF-8 text file, one a line, in any language.

    Lines may end in ``\n``, ``\r\n`` or ``\r``, also mixed; empty ones are passed over. What is left out or cut is
    counted in ``notes``. Text from right to left needs nothing special. Where a script puts no spaces between words,
    as Chinese does, ``word`` takes each character for a word, and ``bpe`` joins frequent ones.

    Args:
        path: The file; relative to where the program was started.
        length: Positions of a sequence in tokens, the end among them.
        tokens: ``word`` for words and marks; ``bpe`` for pieces of words, which leave hardly anything unknown; or the
            folder or hub name of a pretrained model, such as one for ``text/causal-lm``, whose tokens are then taken.
        vocabulary: The most tokens, four special ones included.
        minimum_count: How often a word, or a pair of pieces, must occur in training lines to become a token.
        lowercase: Whether capitals are written small.
        too_long: What happens to lines that do not fit: ``skip`` leaves them out, ``cut`` keeps their beginning.
        unknown: What happens to lines with words outside the vocabulary: ``keep`` puts one token for all such words,
            ``skip`` leaves the lines out.
        held_out: The share of the split ``test``, in [0, 1).
        seed: Which lines are held out.
    """

    def __init__(
        self,
        path: Path,
        length: int = 20,
        tokens: str = "word",
        vocabulary: int = 4000,
        minimum_count: int = 2,
        lowercase: bool = False,
        too_long: TooLong = "skip",
        unknown: Unknown = "keep",
        held_out: float = 0.1,
        seed: int = 0,
    ) -> None:
        file = Path(path).expanduser().absolute()
        super().__init__(
            read_lines(file),
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


def read_lines(path: Path) -> list[str]:
    """Return a file's lines that are not empty, without their ends.

    Raises:
        DataError: There is no such file, it has no text, or a line is not UTF-8; the line's number is given.
    """
    found = [line for line in text_lines(path) if line.strip()]
    if not found:
        raise DataError("the file has no text", where=str(path), remedy="put sentences into it, one a line")
    return found


def text_lines(path: Path) -> list[str]:
    """Return all lines of a UTF-8 file, without their ends.

    Raises:
        DataError: There is no such file, or a line is not UTF-8; the line's number is given.
    """
    try:
        content = path.read_bytes()
    except OSError as cause:
        what = "this is a folder, not a file" if path.is_dir() else f"the file cannot be read: {cause.strerror}"
        raise DataError(what, where=str(path), remedy="set the data's `path` to a file of text") from cause
    if content.startswith(UTF16_MARKS):
        raise DataError(
            "the file is UTF-16, not UTF-8",
            where=str(path),
            remedy=f"convert it: iconv -f UTF-16 -t UTF-8 '{path}' > new.txt",
        )
    # Of bytes, splitlines ends lines at \n, \r and \r\n alone, as editors count them.
    lines = content.removeprefix(codecs.BOM_UTF8).splitlines()
    return [_decoded(line, f"{path}, line {number}") for number, line in enumerate(lines, 1)]


def _decoded(line: bytes, where: str) -> str:
    if b"\0" in line:
        raise DataError(
            "the file is binary: it has a zero byte",
            where=where,
            remedy="give a plain text file; a document (.docx, .pdf) must be exported as text first",
        )
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as cause:
        raise DataError(
            f"the line is not UTF-8: byte 0x{line[cause.start]:02x} at place {cause.start + 1}",
            where=where,
            remedy="convert the file, for example from Windows' encoding: iconv -f WINDOWS-1252 -t UTF-8",
        ) from cause
