"""The feed brings each update its batch: at once where the data lie on the device, else read ahead."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import torch

from sparring.errors import DataError
from sparring.interfaces.context import Rows
from sparring.interfaces.data import Batch, Data, StreamingData
from sparring.training.randomness import generator_at, mix

READ_AHEAD = 4


class Place(NamedTuple):
    """Which update a batch is for: its step in the stage, its name, and which of its repetitions."""

    step: int
    update: str
    repeat: int


class Feed:
    """Give batches by place, a pure function of seed, stage and place.

    Rows are drawn with replacement, for the global batch; each process gathers its own. What ``gather`` itself draws
    (crops, flips) is drawn for a process's rows.

    Args:
        data: Finite data, or a stream.
        seed: The run's seed.
        stage: The stage's index.
        batch: Rows of the global batch.
        parts: This process's rows, one for each accumulated part.
        device: Where batches are wanted.
        following: Yields the places from a given one on, for reading ahead.
        memory_format: How samples of images are laid out.
        world: How many processes train together.
        rank: Which of them this is.
    """

    def __init__(
        self,
        data: Data | StreamingData,
        *,
        seed: int,
        stage: int,
        batch: int,
        parts: list[Rows],
        device: torch.device,
        following: Callable[[Place], Iterator[Place]],
        memory_format: torch.memory_format = torch.contiguous_format,
        world: int = 1,
        rank: int = 0,
    ) -> None:
        self.data, self.device, self.parts = data, device, parts
        self._memory_format, self._world, self._rank = memory_format, world, rank
        self._key, self._batch, self._following = (seed, stage), batch, following
        self._ahead: deque[tuple[Place, Future[list[Batch]]]] = deque()
        self._pool: ThreadPoolExecutor | None = None
        self._stream: Iterator[Batch] | None = None
        if isinstance(data, StreamingData):
            self._stream = self._open()
        else:
            if len(data) == 0:
                raise DataError("the data are empty", where="data", remedy="give at least one sample")
            if not data.place(device):
                workers = max(1, min(4, (os.cpu_count() or 1) - 1))
                self._pool = ThreadPoolExecutor(workers, thread_name_prefix="sparring-feed")

    def batches(self, place: Place) -> list[Batch]:
        """Return this process's batch for a place, in its accumulated parts, on the device."""
        return [self._laid_out(batch.to(self.device)) for batch in self._found(place)]

    def _found(self, place: Place) -> list[Batch]:
        if self._stream is not None:
            return [self._next_of_stream() for _ in self.parts]
        if self._pool is None:
            return self._gather(place)
        if not self._ahead or self._ahead[0][0] != place:
            self._restart(place)
        _, ready = self._ahead.popleft()
        self._read_ahead()
        return ready.result()

    def _next_of_stream(self) -> Batch:
        assert self._stream is not None
        try:
            return next(self._stream)
        except StopIteration as cause:
            raise DataError(
                "the stream has ended, and training has not",
                where="data",
                remedy="have its `batches` yield without end",
            ) from cause

    def _laid_out(self, batch: Batch) -> Batch:
        if batch.sample.dim() == 4:
            batch.sample = batch.sample.contiguous(memory_format=self._memory_format)
        return batch

    def close(self) -> None:
        """Stop reading ahead."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._ahead.clear()

    def state_dict(self) -> dict[str, Any]:
        """Return a stream's place; finite data have none."""
        return self.data.state_dict() if isinstance(self.data, StreamingData) else {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Return a stream to its place."""
        if isinstance(self.data, StreamingData):
            self.data.load_state_dict(state)
            self._stream = self._open()

    def _open(self) -> Iterator[Batch]:
        assert isinstance(self.data, StreamingData)
        return self.data.batches(self._batch // self._world // len(self.parts), self._rank, self._world)

    def _gather(self, place: Place) -> list[Batch]:
        assert isinstance(self.data, Data)
        generator = generator_at("cpu", *self._key, *place)
        indices = torch.randint(len(self.data), (self._batch,), generator=generator)
        found = []
        for rows in self.parts:
            generator.manual_seed(mix(*self._key, *place, "gather", rows.start))
            found.append(self.data.gather(rows.of(indices), rng=generator))
        return found

    def _load(self, place: Place) -> list[Batch]:
        batches = self._gather(place)
        if self.device.type != "cuda":
            return batches
        # Pinned memory lets the copy to the device go on beside the computation.
        return [_pinned(batch) for batch in batches]

    def _restart(self, place: Place) -> None:
        for _, future in self._ahead:
            future.cancel()
        self._ahead.clear()
        self._places = self._following(place)
        self._read_ahead()

    def _read_ahead(self) -> None:
        assert self._pool is not None
        while len(self._ahead) < READ_AHEAD:
            upcoming = next(self._places, None)
            if upcoming is None:
                return
            self._ahead.append((upcoming, self._pool.submit(self._load, upcoming)))


def _pinned(batch: Batch) -> Batch:
    condition = {name: value.pin_memory() for name, value in batch.condition.items()}
    extras = {name: value.pin_memory() for name, value in batch.extras.items()}
    lengths = None if batch.lengths is None else batch.lengths.pin_memory()
    return Batch(batch.sample.pin_memory(), condition, lengths, extras)
