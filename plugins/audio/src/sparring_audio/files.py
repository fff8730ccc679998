"""Find files below a folder, and read labels off its sub-folders."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from sparring.errors import DataError

SUFFIXES = (
    *(".aif", ".aifc", ".aiff", ".au", ".caf", ".flac", ".mp3", ".nist", ".oga", ".ogg"),
    *(".opus", ".rf64", ".snd", ".sph", ".voc", ".w64", ".wav", ".wave", ".wv"),
)
SPLIT_NAMES = frozenset({"train", "training", "test", "testing", "val", "valid", "validation"})
METADATA = "metadata.csv"


def find_sounds(root: Path) -> list[Path]:
    """Return every sound file below a folder, hidden ones excepted, in the order of their paths.

    Raises:
        DataError: There is no such folder, or no sound in it.
    """
    if not root.is_dir():
        raise DataError(
            "there is no such folder" if not root.exists() else "this is a file, not a folder",
            where=str(root),
            remedy="put sounds into it, or set the data's `path` to the folder that has them",
        )
    files = []
    for place, folders, names in os.walk(root, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".") and not _leads_back(Path(place, name))]
        files += [Path(place, name) for name in names if not name.startswith(".")]
    sounds = [file for file in files if file.suffix.lower() in SUFFIXES]
    if not sounds:
        raise DataError(
            f"there are no sounds among the {len(files)} files in this folder",
            where=str(root),
            remedy=f"put sounds there, with names that end in one of: {' '.join(SUFFIXES)}",
        )
    return sorted(sounds, key=lambda file: file.relative_to(root).parts)


def read_transcripts(files: Sequence[Path], root: Path) -> tuple[list[str] | None, list[str]]:
    """Read what is said in each file from ``metadata.csv``, as LJSpeech lays it out.

    Args:
        files: All files.
        root: The folder that may have it.

    Returns:
        A text for each file, empty where there is none, or None where nothing is said; and what the user should know.
    """
    table = root / METADATA
    if not table.is_file():
        return None, []
    try:
        lines = table.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as cause:
        return None, [f"{table} cannot be read as text, and was left aside: {cause}"]
    # Texts have quotation marks of their own: this is no CSV with quoted fields.
    fields = [line.split("|") for line in lines if "|" in line]
    if not fields:
        return None, [f"{table} has no lines of the form name|text, and was left aside"]
    # The last field has numbers and abbreviations written out, where there are three.
    said = {field[0].strip(): field[-1].strip() for field in fields}
    texts = [said.get(file.stem, said.get(file.name, "")) for file in files]
    silent = sum(not text for text in texts)
    return texts, [f"{silent} of {len(files)} files have no transcript in {table}"] if silent else []


def classes_of_folders(files: Sequence[Path], root: Path, labels: bool | None) -> tuple[list[str], list[str]]:
    """Return the names of the classes, none where the sounds go unlabelled, and what the user should know of it.

    Args:
        files: All files.
        root: The folder that they are in.
        labels: Whether sub-folders are labels; None: where all files lie in two or more.
    """
    if labels is False:
        return [], []
    folders = sorted({top_folder(file, root) for file in files})
    named = [folder for folder in folders if folder]
    if labels is None and len(named) < 2:
        return [], []
    if named == folders and len(named) >= 2:
        if {folder.lower() for folder in named} <= SPLIT_NAMES:
            raise DataError(
                f"the sub-folders {', '.join(named)} look like splits, not classes",
                where=str(root),
                remedy=f"set `path` to {root / named[-1]}, or `labels: false` to use all sounds together",
            )
        return named, []
    if labels is None:
        return [], [f"the sounds are unlabelled: some lie in sub-folders of {root}, others beside them"]
    raise DataError(
        "labels need every sound in one of two or more sub-folders: "
        + (f"there is only {named[0]}" if named and folders == named else "some lie in none"),
        where=str(root),
        remedy="sort the sounds into one folder for each class, or set `labels: false`",
    )


def top_folder(file: Path, root: Path) -> str:
    """Return the name of the sub-folder of ``root`` that holds a file, or an empty string."""
    parts = file.relative_to(root).parts
    return parts[0] if len(parts) > 1 else ""


def _leads_back(folder: Path) -> bool:
    """Whether a folder is a link to one that holds it, which would be walked again and again."""
    return folder.is_symlink() and folder.parent.resolve().is_relative_to(folder.resolve())
