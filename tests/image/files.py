"""Folders of files that the tests read."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
from PIL import Image

from sparring_image.mnist import INSIDE_THE_WHEEL


def fill(folder: Path, count: int, *, seed: int = 0, mode: str = "RGB", size: tuple[int, int] = (12, 10)) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    for index in range(count):
        pixels = random.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        Image.fromarray(pixels).convert(mode).save(folder / f"{index:03d}.png")


def write_mnist(folder: Path, count: int = 40) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    pixels, labels = random.integers(0, 256, (count, 784)), np.arange(count) % 10
    file = folder / INSIDE_THE_WHEEL
    file.parent.mkdir(parents=True)
    with gzip.open(file, "wt") as lines:
        np.savetxt(lines, np.column_stack([pixels, labels]), fmt="%d", delimiter=",")
    return pixels, labels
