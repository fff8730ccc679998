"""Pictures of any format and size that are read one by one: what a folder and a Hugging Face dataset share."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

import torch
from torch import Tensor

from sparring.data.memory import MemoryData
from sparring.errors import DataError
from sparring.interfaces.data import Batch, Data
from sparring_image.spaces import ImageSpace, decompress

FEWEST = 20  # a tenth of them held out is two images, and the spread of a feature needs two
READERS = 8  # threads; Pillow decodes without holding Python's lock
CHUNK = 1024  # pictures that may be decoded ahead of where they go
MOST_NOTES = 20
GIBIBYTE = 2**30


class Collection(Data):
    """Pictures that are held in memory where they fit, and read again for each batch where they do not.

    A subclass calls ``take_in``, then sets ``conditions`` and ``_labels`` where there are any, and last calls
    ``divide``. Every picture is read once at the start, so that one that cannot be read is known of before training.

    Args:
        space: What the pictures are made to be.
        flip: Whether training mirrors a random half of each batch left to right.
    """

    def __init__(self, space: ImageSpace, flip: bool) -> None:
        self.space: ImageSpace = space
        self._flip = flip
        self._items: list[Any] = []
        self._pixels: Tensor | None = None
        self._labels: Tensor | None = None
        self._rows = torch.empty(0, dtype=torch.long)
        self._held_out: Tensor | None = None

    def raw(self, item: Any) -> Any:
        """Return what the space can encode: a path, the bytes of a file. It may raise a DataError."""
        return item

    def title(self, item: Any) -> str:
        """Return what a note calls an item."""
        return str(item)

    def take_in(self, items: Sequence[Any], memory: float, where: str) -> None:
        """Read every item once: keep those that can be read, and note the others.

        Args:
            items: What ``raw`` understands.
            memory: The most memory for pictures, in GiB, at one byte a pixel and channel.
            where: Where they are, for messages.

        Raises:
            DataError: Too few can be read.
        """
        size = self.space.channels * self.space.height * self.space.width
        in_memory = len(items) * size <= memory * GIBIBYTE
        pixels = torch.empty((len(items) if in_memory else 0, *self.space.shape), dtype=torch.uint8)
        unreadable: list[str] = []
        for item, result in zip(items, self._encoded(items), strict=True):
            if isinstance(result, DataError):
                unreadable.append(f"skipped {self.title(item)}: {result.what}")
                continue
            if in_memory:
                pixels[len(self._items)] = result
            self._items.append(item)
        _check_count(len(self._items), len(unreadable), where)
        if in_memory:
            # The clone gives back the rows that unreadable pictures had been allotted.
            self._pixels = pixels[: len(self._items)].clone() if unreadable else pixels
        further = len(unreadable) - MOST_NOTES
        self.notes = unreadable[:MOST_NOTES] + (
            [f"skipped {further} more that cannot be read, of {len(items)} files"] if further > 0 else []
        )

    def divide(self, held_out: Tensor | None) -> None:
        """Take the held-out rows, of those that could be read, out of what training sees."""
        self._held_out = held_out
        self._rows = torch.arange(len(self._items))
        if held_out is not None:
            self._rows = self._rows[~torch.isin(self._rows, held_out)]

    def __len__(self) -> int:
        return len(self._rows)

    def gather(self, indices: Tensor, *, rng: torch.Generator) -> Batch:
        rows = self._rows[indices.cpu()]
        if self._pixels is None:
            pixels = torch.stack([self.space.encode_compact(self.raw(self._items[row])) for row in rows.tolist()])
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
                f"the images have no split '{name}'",
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

    def _encoded(self, items: Sequence[Any]) -> Iterator[Tensor | DataError]:
        def encode(item: Any) -> Tensor | DataError:
            try:
                return self.space.encode_compact(self.raw(item))
            except DataError as error:
                return error

        with ThreadPoolExecutor(min(READERS, os.cpu_count() or 1)) as pool:
            # In chunks, since `map` would hold the results of all items at once.
            for start in range(0, len(items), CHUNK):
                yield from pool.map(encode, items[start : start + CHUNK])


def _check_count(readable: int, unreadable: int, where: str) -> None:
    if readable >= FEWEST:
        return
    skipped = f" ({unreadable} more cannot be read)" if unreadable else ""
    raise DataError(
        f"{readable} images are too few to train on{skipped}: at least {FEWEST} are needed, so that a tenth of "
        "them can be held out for evaluation, where two are the fewest that have a spread",
        where=where,
        remedy="add images: hundreds give recognisable results, thousands give varied ones",
    )
