"""A folder of one's own images, in whatever formats and sizes they are."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch

from sparring.data.memory import hold_out
from sparring.errors import DataError
from sparring.spaces.label import LabelSpace
from sparring_image.collection import Collection
from sparring_image.spaces import ImageSpace

SUFFIXES = (
    *(".avif", ".bmp", ".gif", ".jp2", ".jpeg", ".jpg", ".pbm", ".pgm"),
    *(".png", ".pnm", ".ppm", ".tga", ".tif", ".tiff", ".webp"),
)
SPLIT_NAMES = frozenset({"train", "training", "test", "testing", "val", "valid", "validation"})


class Folder(Collection):
    """Images below a folder; where they lie in sub-folders, the sub-folders' names are labels.

    Grey, colour, transparent and non-square images of any format that Pillow reads are cropped at the centre to the
    aspect ratio of ``height`` and ``width`` and resized. Every file is read once at the start: those that cannot be
    read are skipped and listed in ``notes``. The images are held in memory where they fit, and read again for each
    batch where they do not.

    Args:
        path: The folder; relative to where the program was started.
        height: Rows of pixels.
        width: Columns of pixels.
        channels: 3 for colour, 1 for grey.
        labels: Whether sub-folders are labels, given as the condition ``label``; by default where all images lie in
            two or more sub-folders.
        flip: Whether training mirrors a random half of each batch left to right.
        held_out: The share of the split ``test``, in [0, 1).
        memory: The most memory for images, in GiB, at one byte a pixel and channel.
        seed: Which images are held out.
    """

    def __init__(
        self,
        path: Path,
        height: int = 64,
        width: int = 64,
        channels: Literal[1, 3] = 3,
        labels: bool | None = None,
        flip: bool = False,
        held_out: float = 0.1,
        memory: float = 2.0,
        seed: int = 0,
    ) -> None:
        super().__init__(ImageSpace(channels, height, width), flip)
        root = Path(path).expanduser().absolute()
        self.take_in(_find(root), memory, str(root))
        classes, notes = _classes(self._items, root, labels)
        self.notes = [*self.notes, *notes]
        if classes:
            self.conditions = {"label": LabelSpace(classes)}
            self._labels = torch.tensor([classes.index(_top_folder(file, root)) for file in self._items])
        self.divide(hold_out(len(self._items), held_out, seed) if held_out else None)


def _find(root: Path) -> list[Path]:
    """Return every image file below a folder, hidden ones excepted, in the order of their paths."""
    if not root.is_dir():
        raise DataError(
            "there is no such folder" if not root.exists() else "this is a file, not a folder",
            where=str(root),
            remedy="put images into it, or set the data's `path` to the folder that has them",
        )
    files = []
    for place, folders, names in os.walk(root, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".") and not _leads_back(Path(place, name))]
        files += [Path(place, name) for name in names if not name.startswith(".")]
    images = sorted(
        (file for file in files if file.suffix.lower() in SUFFIXES), key=lambda file: file.relative_to(root).parts
    )
    if not images:
        raise DataError(
            f"there are no images among the {len(files)} files in this folder",
            where=str(root),
            remedy=f"put images there, with names that end in one of: {' '.join(SUFFIXES)}",
        )
    return images


def _leads_back(folder: Path) -> bool:
    """Whether a folder is a link to one that holds it, which would be walked again and again."""
    return folder.is_symlink() and folder.parent.resolve().is_relative_to(folder.resolve())


def _classes(files: Sequence[Path], root: Path, labels: bool | None) -> tuple[list[str], list[str]]:
    """Return the names of the classes, none where the images go unlabelled, and what the user should know of it."""
    if labels is False:
        return [], []
    folders = sorted({_top_folder(file, root) for file in files})
    named = [folder for folder in folders if folder]
    if labels is None and len(named) < 2:
        return [], []
    if named == folders and len(named) >= 2:
        if {folder.lower() for folder in named} <= SPLIT_NAMES:
            raise DataError(
                f"the sub-folders {', '.join(named)} look like splits, not classes",
                where=str(root),
                remedy=f"set `path` to {root / named[-1]}, or `labels: false` to use all images together",
            )
        return named, []
    if labels is None:
        return [], [f"the images are unlabelled: some lie in sub-folders of {root}, others beside them"]
    raise DataError(
        "labels need every image in one of two or more sub-folders: "
        + (f"there is only {named[0]}" if folders == named else "some lie in none"),
        where=str(root),
        remedy="sort the images into one folder for each class, or set `labels: false`",
    )


def _top_folder(file: Path, root: Path) -> str:
    """Return the name of the sub-folder of ``root`` that holds a file, or an empty string."""
    parts = file.relative_to(root).parts
    return parts[0] if len(parts) > 1 else ""
