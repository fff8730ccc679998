"""Where the files of fetched corpora are."""

from __future__ import annotations

from pathlib import Path

from sparring.data.fetch import folder_of
from sparring.errors import DataError


def corpus_folder(name: str, path: Path | None, marks: tuple[str, ...]) -> Path:
    """Return the folder of a corpus's files.

    Args:
        name: The data component.
        path: The folder that the user names; by default where ``sparring data fetch`` unpacks the files.
        marks: Paths within the folder, of which the first that is there is the one that holds the files.

    Raises:
        DataError: It has none of them.
    """
    root = folder_of(name) if path is None else Path(path).expanduser()
    for mark in marks:
        if (root / mark).exists():
            return root / mark
    raise DataError(
        "the corpus is not on this machine",
        where=str(root / marks[0]),
        remedy=f"run `sparring data fetch {name}`, or set the data's `path` to the folder of its files",
    )


def read_bytes(file: Path, name: str) -> bytes:
    """Return the content of one of a corpus's files.

    Raises:
        DataError: It cannot be read.
    """
    try:
        return file.read_bytes()
    except OSError as cause:
        raise DataError(f"the file cannot be read: {cause.strerror}", where=str(file), remedy=again(name)) from cause


def again(name: str) -> str:
    """Say what to do about damaged files."""
    return f"remove the folder, and run `sparring data fetch {name}` again"
