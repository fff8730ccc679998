"""A folder of one's own images, in whatever formats and sizes they are."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal, Self

import torch
from torch import Tensor

from sparring.data.memory import MemoryData, hold_out
from sparring.errors import DataError
from sparring.interfaces.data import Batch, Data
from sparring.spaces.label import LabelSpace
from sparring_image.spaces import ImageSpace, decompress

SUFFIXES = (
    *(".avif", ".bmp", ".gif", ".jp2", ".jpeg", ".jpg", ".pbm", ".pgm"),
    *(".png", ".pnm", ".ppm", ".tga", ".tif", ".tiff", ".webp"),
)
SPLIT_NAMES = frozenset({"train", "training", "test", "testing", "val", "valid", "validation"})
FEWEST = 20  # a tenth of them held out is two images, and the spread of a feature needs two
READERS = 8  # threads; Pillow decodes without holding Python's lock
MOST_NOTES = 20
GIBIBYTE = 2**30


class Folder(Data):
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
        root = Path(path).expanduser().absolute()
        self.space: ImageSpace = ImageSpace(channels, height, width)
        files = _find(root)
        in_memory = len(files) * channels * height * width <= memory * GIBIBYTE
        self._files, self._pixels, unreadable = _read_all(files, self.space, in_memory)
        _check_count(self._files, unreadable, root)
        notes = _notes(unreadable, len(files))
        classes, note = _classes(self._files, root, labels)
        self.notes = notes + note
        self._labels: Tensor | None = None
        if classes:
            self.conditions = {"label": LabelSpace(classes)}
            self._labels = torch.tensor([classes.index(_top_folder(file, root)) for file in self._files])
        self._flip = flip
        self._rows = torch.arange(len(self._files))
        self._held_out: Tensor | None = None
        if held_out:
            self._held_out = hold_out(len(self._files), held_out, seed)
            self._rows = self._rows[~torch.isin(self._rows, self._held_out)]

    def __len__(self) -> int:
        return len(self._rows)

    def gather(self, indices: Tensor, *, rng: torch.Generator) -> Batch:
        rows = self._rows[indices.cpu()]
        if self._pixels is None:
            pixels = torch.stack([self.space.encode_compact(self._files[row]) for row in rows.tolist()])
        else:
            pixels = self._pixels.index_select(0, rows.to(self._pixels.device))
        sample = decompress(pixels)
        if self._flip:
            mirrored = torch.rand(len(rows), generator=rng).lt(0.5).to(sample.device)
            sample = torch.where(mirrored[:, None, None, None], sample.flip(-1), sample)
        if self._labels is None:
            return Batch(sample)
        return Batch(sample, {"label": self._labels.index_select(0, rows.to(self._labels.device))})

    def split(self, name: str) -> Self:
        if name == "train":
            return self
        if name != "test" or self._held_out is None:
            known = "train" if self._held_out is None else "train, test"
            raise DataError(
                f"the folder has no split '{name}'",
                where="evaluate.split",
                remedy=f"use one of: {known}" + ("; or set `held_out` above 0" if self._held_out is None else ""),
            )
        part = copy.copy(self)
        part._rows, part._held_out, part._flip = self._held_out, None, False
        return part

    def place(self, device: torch.device) -> bool:
        if self._pixels is None:
            return False
        if device.type != "cpu" and self._pixels.numel() > MemoryData.place_limit:
            return False
        self._pixels = self._pixels.to(device)
        self._labels = None if self._labels is None else self._labels.to(device)
        return True


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


def _read_all(
    files: Sequence[Path], space: ImageSpace, in_memory: bool
) -> tuple[list[Path], Tensor | None, list[tuple[Path, str]]]:
    """Read every file once.

    Returns:
        The files that can be read; their pixels ``(N, C, H, W)`` of uint8, if they are to be kept; and the other
        files, each with the reason.
    """
    pixels = torch.empty((len(files) if in_memory else 0, *space.shape), dtype=torch.uint8)
    readable: list[Path] = []
    unreadable: list[tuple[Path, str]] = []
    for file, result in zip(files, _encoded(files, space), strict=True):
        if isinstance(result, DataError):
            unreadable.append((file, result.what))
            continue
        if in_memory:
            pixels[len(readable)] = result
        readable.append(file)
    # The clone gives back the rows that unreadable files had been allotted.
    return readable, (pixels[: len(readable)].clone() if unreadable else pixels) if in_memory else None, unreadable


def _encoded(files: Sequence[Path], space: ImageSpace) -> Iterator[Tensor | DataError]:
    def encode(file: Path) -> Tensor | DataError:
        try:
            return space.encode_compact(file)
        except DataError as error:
            return error

    with ThreadPoolExecutor(min(READERS, os.cpu_count() or 1)) as pool:
        # In chunks, since `map` would hold the results of all files at once.
        for start in range(0, len(files), 1024):
            yield from pool.map(encode, files[start : start + 1024])


def _check_count(readable: Sequence[Path], unreadable: Sequence[tuple[Path, str]], root: Path) -> None:
    if len(readable) >= FEWEST:
        return
    skipped = f" ({len(unreadable)} more cannot be read)" if unreadable else ""
    raise DataError(
        f"{len(readable)} images are too few to train on{skipped}: at least {FEWEST} are needed, so that a tenth of "
        "them can be held out for evaluation, where two are the fewest that have a spread",
        where=str(root),
        remedy="add images: hundreds give recognisable results, thousands give varied ones",
    )


def _notes(unreadable: Sequence[tuple[Path, str]], total: int) -> list[str]:
    notes = [f"skipped {file}: {reason}" for file, reason in unreadable[:MOST_NOTES]]
    if len(unreadable) > MOST_NOTES:
        notes.append(f"skipped {len(unreadable) - MOST_NOTES} more that cannot be read, of {total} files")
    return notes


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
