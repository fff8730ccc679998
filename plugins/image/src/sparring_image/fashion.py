"""Fashion-MNIST: seventy thousand pictures of clothes, from a folder, the Debian package, or a download."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from sparring.data.memory import MemoryData
from sparring.errors import DataError
from sparring.interfaces.data import Source
from sparring.spaces.label import LabelSpace
from sparring_image.idx import read_idx
from sparring_image.spaces import ImageSpace, decompress

NAME = "image/fashion-mnist"
PACKAGE = "dataset-fashion-mnist"  # of Debian and Ubuntu
INSIDE_THE_PACKAGE = Path("usr/share/datasets/fashion-mnist")
SIDE = 28
CLASSES = ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")


class FashionMnist(MemoryData):
    """60,000 pictures of clothes in ten classes, grey, 28x28 pixels, and 10,000 more as the split ``test``.

    Xiao, Rasul and Vollgraf 2017, "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning
    Algorithms", arXiv:1708.07747. Both splits are the published ones; every class has the same share of each.

    Args:
        path: The folder of the four idx files, packed or not; by default where ``sparring data fetch`` unpacks them,
            or where the Debian package ``dataset-fashion-mnist`` installs them.
        labels: Whether the class is a condition, ``label``.
        per_class: How many training images of each class there are, for work with few labels; by default all 6,000.
        seed: Which images those are. A smaller choice is part of a larger one.
    """

    source: ClassVar[Source | None] = Source(
        client="apt",
        locator=PACKAGE,
        version="0.0~git20200523.55506a9-1",
        sha256="39e172fe32dd318ebb3e512220c3beea2fa47d7e20bab348fb4e0922d6beefc0",
        size=30_900_652,
        licence="MIT",
        credit="Han Xiao, Kashif Rasul and Roland Vollgraf, Zalando SE",
    )

    def __init__(
        self, path: Path | None = None, labels: bool = True, per_class: int | None = None, seed: int = 0
    ) -> None:
        folder = _folder(path)
        pixels, label = _read(folder, "train")
        if per_class is not None:
            chosen = _choose(label, per_class, seed)
            pixels, label = pixels[chosen], label[chosen]
        test_pixels, test_label = _read(folder, "t10k")
        label = torch.cat([label, test_label])
        super().__init__(
            ImageSpace(channels=1, height=SIDE, width=SIDE),
            torch.cat([pixels, test_pixels]),
            {"label": (LabelSpace(list(CLASSES)), label)} if labels else {},
            held_out={"test": torch.arange(len(pixels), len(pixels) + len(test_pixels))},
        )

    def decompress(self, raw: Tensor) -> Tensor:
        return decompress(raw)


def _folder(path: Path | None) -> Path:
    """Return the folder that holds the idx files."""
    if path is not None:
        path = Path(path).expanduser()
        inside = path / INSIDE_THE_PACKAGE
        return inside if inside.is_dir() else path
    from sparring.data.fetch import folder_of

    fetched, installed = folder_of(NAME) / INSIDE_THE_PACKAGE, Path("/") / INSIDE_THE_PACKAGE
    for folder in (fetched, installed):
        if folder.is_dir():
            return folder
    raise DataError(
        "Fashion-MNIST is not on this machine",
        where=str(fetched),
        remedy=f"run `sparring data fetch {NAME}`, install the package {PACKAGE}, or set the data's `path` to the "
        "folder of the four idx files",
    )


def _read(folder: Path, part: str) -> tuple[Tensor, Tensor]:
    """Read one of the two parts: pixels ``(N, 1, 28, 28)`` of uint8 and classes ``(N,)``."""
    pixel_file, label_file = _file(folder, f"{part}-images-idx3-ubyte"), _file(folder, f"{part}-labels-idx1-ubyte")
    pixels, label = read_idx(pixel_file, 3), read_idx(label_file, 1).long()
    if pixels.shape[1:] != (SIDE, SIDE):
        raise DataError(
            f"the pictures have {pixels.shape[1]}x{pixels.shape[2]} pixels instead of {SIDE}x{SIDE}",
            where=str(pixel_file),
            remedy="this is another data set: set `path` to the folder of Fashion-MNIST",
        )
    if len(label) != len(pixels):
        raise DataError(
            f"there are {len(pixels)} pictures and {len(label)} labels",
            where=str(label_file),
            remedy=f"the two files belong to different data sets: run `sparring data fetch {NAME}`",
        )
    if len(label) and int(label.max()) >= len(CLASSES):
        raise DataError(
            f"a label is {int(label.max())}, and there are {len(CLASSES)} classes",
            where=str(label_file),
            remedy="this is another data set: set `path` to the folder of Fashion-MNIST",
        )
    return pixels.unsqueeze(1), label


def _file(folder: Path, name: str) -> Path:
    for file in (folder / f"{name}.gz", folder / name):
        if file.is_file():
            return file
    raise DataError(
        f"the folder has neither {name}.gz nor {name}",
        where=str(folder),
        remedy=f"set `path` to the folder of the four idx files, or run `sparring data fetch {NAME}`",
    )


def _choose(label: Tensor, per_class: int, seed: int) -> Tensor:
    """Return the sorted rows of the first ``per_class`` of each class in an order that the seed draws."""
    fewest = int(label.bincount(minlength=len(CLASSES)).min())
    if not 1 <= per_class <= fewest:
        raise DataError(
            f"{per_class} images of each class cannot be chosen: the smallest class has {fewest}",
            where="data.per_class",
            remedy=f"choose from 1 to {fewest}",
        )
    order = torch.randperm(len(label), generator=torch.Generator().manual_seed(seed))
    shuffled = label[order]
    rows = [order[(shuffled == one).nonzero().flatten()[:per_class]] for one in range(len(CLASSES))]
    return torch.cat(rows).sort().values
