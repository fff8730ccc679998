"""Pairs of a real sound and the generated one that belongs to it, in whatever space they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from sparring.errors import DataError
from sparring.interfaces.data import Batch
from sparring.interfaces.space import Space


@runtime_checkable
class Audible(Protocol):
    """A space whose samples can be turned into waveforms."""

    sample_rate: int

    def synthesise(self, samples: Tensor) -> Tensor:
        """Turn samples ``(B, *shape)`` into waveforms ``(B, L)`` in [-1, 1]."""
        ...


def audible(space: Space, name: str) -> Audible:
    """Return a space of sounds.

    Raises:
        DataError: It is none.
    """
    if not isinstance(space, Audible):
        raise DataError(
            f"{name} measures sounds, and the samples are of {type(space).__name__}",
            remedy="use data in a space of sounds, such as audio/waveform or audio/log-mel",
        )
    return space


def pairs(space: Audible, real: Batch, fake: Batch) -> Iterator[tuple[Tensor, Tensor]]:
    """Return a real and a generated waveform at a time, ``(L,)`` each on the CPU, row by row.

    Rows that the other side lacks are passed over. What the generated side says is kept, NaN too; spectrograms are
    turned into sounds on both sides, so that what is lost on that way is not held against the generator.
    """
    count = min(len(real), len(fake))
    if not count:
        return
    sounds = []
    for batch in (real, fake):
        sample = batch.sample[:count].detach()
        waveforms = space.synthesise(sample).cpu()
        # A sample that is not finite makes no sound: it must not pass for silence that was meant.
        broken = ~sample.flatten(1).isfinite().all(1).cpu()
        sounds.append(torch.where(broken[:, None], torch.nan, waveforms))
    yield from zip(*sounds, strict=True)
