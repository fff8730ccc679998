"""One's own text in a table: a CSV file, or a file with one JSON object a line."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sparring.errors import DataError
from sparring_text.data.corpus import Corpus, TooLong, Unknown
from sparring_text.data.lines import text_lines

JSON_LINES = (".jsonl", ".ndjson")
DELIMITERS: Mapping[str, tuple[str, ...]] = {".csv": (",", ";", "\t"), ".tsv": ("\t",)}  # spreadsheets use all three
LARGEST_FIELD = 2**31 - 1  # characters; the csv module stops at 131,072 unless it is told otherwise

Entry = tuple[int, Mapping[str, Any]]


class Table(Corpus):
    """Sentences of a table in UTF-8: ``.csv`` or ``.tsv`` with a header, or ``.jsonl`` with one object a line.

    Fields of a CSV file may be quoted, and then hold line ends; they are parted by commas, semicolons or tabs. Rows
    whose text is empty are passed over. What is left out or cut is counted in ``notes``.

    Args:
        path: The file; relative to where the program was started.
        column: The column, or the objects' field, that holds the sentences.
        label: The column or field of classes, which are then the condition ``label``; by default there is none.
        length: Positions of a sequence in tokens, the end among them.
        tokens: ``word`` for words and marks; ``bpe`` for pieces of words, which leave hardly anything unknown; or the
            folder or hub name of a pretrained model, such as one for ``text/causal-lm``, whose tokens are then taken.
        vocabulary: The most tokens, four special ones included.
        minimum_count: How often a word, or a pair of pieces, must occur in training rows to become a token.
        lowercase: Whether capitals are written small.
        too_long: What happens to sentences that do not fit: ``skip`` leaves them out, ``cut`` keeps their beginning.
        unknown: What happens to sentences with words outside the vocabulary: ``keep`` puts one token for all such
            words, ``skip`` leaves the sentences out.
        held_out: The share of the split ``test``, in [0, 1).
        seed: Which sentences are held out.
    """

    def __init__(
        self,
        path: Path,
        column: str = "text",
        label: str | None = None,
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
        lines, labels = read_table(file, column, label)
        super().__init__(
            lines,
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
            labels=labels,
        )


def read_table(path: Path, column: str, label: str | None) -> tuple[list[str], list[str] | None]:
    """Return the sentences of a table that are not empty, and their classes where a column of them is named.

    Raises:
        DataError: The file cannot be read or lacks a column; the line's number is given.
    """
    suffix = path.suffix.lower()
    if suffix not in (*DELIMITERS, *JSON_LINES):
        raise DataError(
            f"a file that ends in '{suffix}' is no table that can be read",
            where=str(path),
            remedy="give a .csv or .tsv file, or .jsonl with one JSON object a line; text/lines reads plain text",
        )
    entries = _objects(path) if suffix in JSON_LINES else _rows(path, DELIMITERS[suffix], column)
    wanted = [column] if label is None else [column, label]
    sentences, labels = [], []
    for line, entry in entries:
        for name in wanted:
            if name not in entry:
                known = ", ".join(map(str, entry)) or "none"
                raise DataError(
                    f"there is no '{name}'",
                    where=f"{path}, line {line}",
                    remedy=f"set `column` and `label` to names that every row has; this one has: {known}",
                )
        text = entry[column]
        if not isinstance(text, str):
            raise DataError(
                f"the field '{column}' holds {type(text).__name__}, not text",
                where=f"{path}, line {line}",
                remedy="set `column` to the field of the sentences",
            )
        if text.strip():
            sentences.append(text)
            labels.append("" if label is None else _class(entry[label], label, f"{path}, line {line}"))
    if not sentences:
        raise DataError("the file has no text", where=str(path), remedy="put rows with sentences into it")
    return sentences, None if label is None else labels


def _class(value: Any, label: str, where: str) -> str:
    if isinstance(value, (str, int, float)) and str(value).strip():
        return str(value)
    raise DataError(
        f"the field '{label}' names no class", where=where, remedy="give each row a class, as text or as a number"
    )


def _objects(path: Path) -> Iterator[Entry]:
    for number, line in enumerate(text_lines(path), 1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            found = json.loads(line)
        except (ValueError, RecursionError) as cause:
            raise DataError(
                f"the line is no JSON: {cause}", where=where, remedy="write one whole JSON object on each line"
            ) from cause
        if not isinstance(found, dict):
            raise DataError(
                f"the line holds {type(found).__name__}, not an object", where=where, remedy='write {"text": "…"}'
            )
        yield number, found


def _rows(path: Path, delimiters: tuple[str, ...], column: str) -> list[Entry]:
    """Return each row by the header's names, with the line that it begins on."""
    # Lines keep an end, since a quoted field may go on in the next one.
    lines = [f"{line}\n" for line in text_lines(path)]
    first = next((number for number, line in enumerate(lines) if line.strip()), None)
    if first is None:
        return []
    begun, header, found = first + 1, None, []
    before = csv.field_size_limit(LARGEST_FIELD)
    try:
        fitting = [mark for mark in delimiters if column in next(csv.reader([lines[first]], delimiter=mark), [])]
        reader = csv.reader(lines[first:], delimiter=(fitting or delimiters)[0], strict=True)
        for row in reader:
            if header is None:
                header = row
            elif row:
                found.append((begun, _named(header, row, f"{path}, line {begun}")))
            begun = first + 1 + reader.line_num
    except csv.Error as cause:
        raise DataError(
            f"the row cannot be read: {cause}",
            where=f"{path}, line {begun}",
            remedy='close each quoted field with a quotation mark, and double those within: "say ""so"""',
        ) from cause
    finally:
        csv.field_size_limit(before)
    return found


def _named(header: list[str], row: list[str], where: str) -> Mapping[str, str]:
    if len(row) != len(header):
        raise DataError(
            f"the row has {len(row)} fields, and the header {len(header)}",
            where=where,
            remedy="quote fields that hold the character by which fields are parted",
        )
    return dict(zip(header, row, strict=True))
