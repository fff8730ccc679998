"""Pairs of a real sound and the generated one that belongs to it, in whatever space they are."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from sparring.errors import DataError
from sparring.interfaces.data import Batch
from sparring.interfaces.space import Space
from sparring_audio.sound_space import SoundSpace


class Pairs(NamedTuple):
    """Waveforms on the CPU, row by row.

    Attributes:
        real: ``(B, L)`` in [-1, 1].
        fake: ``(B, L)`` in [-1, 1]; a row of NaN where a generated sample was not finite.
    """

    real: Tensor
    fake: Tensor

    @property
    def mended(self) -> Pairs:
        """The same, with silence in the place of what was not finite."""
        return Pairs(self.real.nan_to_num(nan=0.0), self.fake.nan_to_num(nan=0.0))


def audible(space: Space, name: str) -> SoundSpace:
    """Return a space of sounds.

    Raises:
        DataError: It is none.
    """
    if not isinstance(space, SoundSpace):
        raise DataError(
            f"{name} measures sounds, and the samples are of {type(space).__name__}",
            remedy="use data in a space of sounds, such as audio/waveform or audio/log-mel",
        )
    return space


def pairs(space: SoundSpace, real: Batch, fake: Batch) -> Pairs:
    """Return real and generated waveforms; rows that the other side lacks are passed over.

    Spectrograms are turned into sounds on both sides, so that what is lost on that way is not held against the
    generator.
    """
    count = min(len(real), len(fake))
    if not count:
        return Pairs(torch.empty(0, 1), torch.empty(0, 1))
    sounds = []
    for batch in (real, fake):
        sample = batch.sample[:count].detach()
        waveforms = space.synthesise(sample).cpu()
        # A sample that is not finite makes no sound: it must not pass for silence that was meant.
        broken = ~sample.flatten(1).isfinite().all(1).cpu()
        sounds.append(torch.where(broken[:, None], torch.nan, waveforms))
    return Pairs(*sounds)


class Mean:
    """The mean over all pairs that a metric has seen.

    Args:
        name: The metric's, for messages.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._values: list[Tensor] = []

    def add(self, values_B: Tensor) -> None:
        """Take in one value for each pair, ``(B,)``."""
        self._values.append(values_B.double())

    def value(self) -> float:
        """Return the mean.

        Raises:
            DataError: There was no pair.
        """
        if not sum(len(values) for values in self._values):
            raise DataError(
                f"no pairs of real and generated sounds were given to {self._name}", remedy="call `update` first"
            )
        return float(torch.cat(self._values).mean())
