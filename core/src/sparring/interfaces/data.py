"""Batches, and the data that they come from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from sparring.errors import DataError
from sparring.interfaces.space import Space

Condition = Mapping[str, Tensor]
"""What a sample is asked to be: ``{"label": (B,)}``, ``{"mel": (B, M, T)}``, or ``{}``."""


@dataclass
class Batch:
    """What data gives, and what metrics and rewards see.

    Attributes:
        sample: ``(B, *space.shape)``, in the range that the data's space states.
        condition: Named tensors of B rows each.
        lengths: ``(B,)`` integers for sequences: how many leading positions of each row count.
        extras: What a generator said beside its samples, such as the codes that it drew: named tensors of B rows
            each. Empty for real samples.
    """

    sample: Tensor
    condition: Condition = field(default_factory=dict)
    lengths: Tensor | None = None
    extras: Mapping[str, Tensor] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.sample)

    def rows(self, chosen: slice | Tensor) -> Batch:
        """Return the chosen rows of every tensor."""
        condition = {name: value[chosen] for name, value in self.condition.items()}
        extras = {name: value[chosen] for name, value in self.extras.items()}
        return Batch(self.sample[chosen], condition, None if self.lengths is None else self.lengths[chosen], extras)

    def to(self, device: torch.device) -> Batch:
        """Return the batch on a device; the copy does not wait where the memory is pinned."""
        if self.sample.device == device:
            return self
        condition = {name: value.to(device, non_blocking=True) for name, value in self.condition.items()}
        extras = {name: value.to(device, non_blocking=True) for name, value in self.extras.items()}
        lengths = None if self.lengths is None else self.lengths.to(device, non_blocking=True)
        return Batch(self.sample.to(device, non_blocking=True), condition, lengths, extras)

    @staticmethod
    def concatenate(batches: Sequence[Batch]) -> Batch:
        """Join batches along their rows; sequences must share one padded length."""
        first = batches[0]
        condition = {name: torch.cat([batch.condition[name] for batch in batches]) for name in first.condition}
        extras = {name: torch.cat([batch.extras[name] for batch in batches]) for name in first.extras}
        lengths = [batch.lengths for batch in batches if batch.lengths is not None]
        sample = torch.cat([batch.sample for batch in batches])
        return Batch(sample, condition, torch.cat(lengths) if lengths else None, extras)


@dataclass(frozen=True)
class Source:
    """Where a data component's files come from when they do not ship with a plugin.

    Attributes:
        client: The ordinary client that brings them.
        locator: A package name, a URL, or a hub id.
        version: The exact version, where the client has versions.
        sha256: The checksum of the download; required for a URL.
        size: The download's size in bytes.
        licence: The licence's name.
        credit: Who made the data.
        further: More downloads that belong to the same data. Where there are any, each one, this included, is unpacked
            into a sub-folder that has the last part of its locator as name; plain files lie side by side.
    """

    client: Literal["pip", "npm", "apt", "url", "hub"]
    locator: str
    licence: str
    size: int
    version: str = ""
    sha256: str = ""
    credit: str = ""
    further: tuple[Source, ...] = ()

    @property
    def downloads(self) -> tuple[Source, ...]:
        """List this download and the further ones."""
        return (self, *self.further)


class Data(ABC):
    """A finite collection of samples, read by index.

    Which rows make a batch is decided by the training loop as a pure function of seed, stage, step and update,
    so data keep no place and need no state in a checkpoint.

    Attributes:
        space: The set that samples live in.
        conditions: The space of each named condition that batches carry.
        source: Where the files come from, for data that ``sparring data fetch`` can bring.
        notes: What a user should be told about the data: files that were skipped, and why.
    """

    space: Space
    conditions: Mapping[str, Space] = {}
    source: ClassVar[Source | None] = None
    notes: Sequence[str] = ()

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of samples."""

    @abstractmethod
    def gather(self, indices: Tensor, *, rng: torch.Generator) -> Batch:
        """Return the samples at some indices.

        Args:
            indices: ``(B,)`` integers on the CPU, each in ``[0, len(self))``.
            rng: A CPU generator for random crops, flips and the like. The same indices and
                generator state give the same batch.
        """

    def split(self, name: str) -> Data:
        """Return a named, disjoint part; ``"train"`` is what training sees.

        Raises:
            DataError: The data have no such part.
        """
        if name == "train":
            return self
        raise DataError(
            f"{type(self).__name__} has no split '{name}'",
            where="evaluate.split",
            remedy="name the split 'train', or use data with held-out samples",
        )

    def place(self, device: torch.device) -> bool:
        """Keep the samples on a device as compact tensors, if they fit.

        Returns:
            Whether ``gather`` now answers on that device at once. Otherwise the loop reads ahead in the background.
        """
        return False


class StreamingData(ABC):
    """Data larger than memory, read in their own order. Their place is part of every checkpoint."""

    space: Space
    conditions: Mapping[str, Space] = {}
    source: ClassVar[Source | None] = None
    notes: Sequence[str] = ()

    @abstractmethod
    def batches(self, size: int, rank: int, world: int) -> Iterator[Batch]:
        """Yield batches of ``size`` rows without end, disjoint over ranks, from the place that was loaded."""

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Return the place after the last batch that was handed out, as plain values."""

    @abstractmethod
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Return to a place."""

    def split(self, name: str) -> Data:
        """Return a held-out part as finite data, for metrics."""
        raise DataError(
            f"{type(self).__name__} has no split '{name}'",
            where="evaluate.split",
            remedy="give the stream a held-out part, or evaluate without metrics",
        )
