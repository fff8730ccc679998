"""Sounds held in memory as waveforms: a batch is cut from them, and brought into the space, when it is made.

Letters in names of tensors: B rows of the batch, L samples.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal, NamedTuple, Self

import torch
from torch import Tensor

from sparring.data.memory import hold_out
from sparring.errors import DataError
from sparring.interfaces.data import Batch, Data
from sparring.spaces.label import LabelSpace
from sparring_audio.sound_space import SoundSpace

Cut = Literal["beginning", "random", "pieces"]
FULL_SCALE = 32767  # of 16 bits
MOST_MEASURED = 2000  # clips, from which a space's statistics are taken: more would change them by less than rounding


class Rows(NamedTuple):
    """What the rows of a split are cut from.

    Attributes:
        start: ``(N,)`` the first sample of each row's stretch.
        extent: ``(N,)`` its length, in samples.
        owner: ``(N,)`` the index of the sound that it belongs to.
    """

    start: Tensor
    extent: Tensor
    owner: Tensor

    def chosen(self, rows: Tensor) -> Rows:
        """Return some of the rows."""
        return Rows(*(value[rows] for value in self))


class Clips(Data):
    """Sounds of any length, from which clips of the space's length are made.

    They are kept as 16-bit waveforms, two bytes a sample. A shorter sound is laid in the middle of silence.

    Attributes:
        place_limit: The most bytes that ``place`` moves to an accelerator.
        transcripts: What is said in each row's sound, empty where that is not known.

    Args:
        space: The space of the clips; where it needs statistics, the training clips give them.
        sounds: Waveforms ``(L,)`` in [-1, 1] at the space's sample rate.
        cut: What is made of a longer sound: ``beginning``, a clip of its beginning; ``random``, a clip from a place
            that is drawn anew for each batch; ``pieces``, as many clips as it fills.
        label: The classes and each sound's number among them, ``(len(sounds),)``; None: there are none.
        held_out: By name of the split, the indices of its sounds; they are taken out of ``train``.
        transcripts: What is said in each sound; None: not known.
    """

    place_limit: ClassVar[int] = 2 * 2**30

    def __init__(
        self,
        space: SoundSpace,
        sounds: Sequence[Tensor],
        *,
        cut: Cut = "beginning",
        label: tuple[LabelSpace, Tensor] | None = None,
        held_out: Mapping[str, Tensor] | None = None,
        transcripts: Sequence[str] | None = None,
    ) -> None:
        if not sounds:
            raise DataError("there are no sounds", remedy="give at least one")
        # A float file may go beyond full scale: it is made quieter, since clipping crackles.
        scaled = [sound / sound.abs().amax().clamp_min(1.0) * FULL_SCALE for sound in sounds]
        self._samples = torch.cat([sound.round().to(torch.int16) for sound in scaled])
        self._cut, self._said = cut, list(transcripts) if transcripts is not None else [""] * len(sounds)
        self._label = None if label is None else label[1]
        self.conditions = {} if label is None else {"label": label[0]}
        rows = _rows([len(sound) for sound in sounds], space.length, cut)
        apart = {name: torch.isin(rows.owner, chosen) for name, chosen in (held_out or {}).items()}
        self._held_out = {name: rows.chosen(chosen) for name, chosen in apart.items()}
        training = torch.ones(len(rows.owner), dtype=torch.bool)
        for chosen in apart.values():
            training &= ~chosen
        self._rows = rows = rows.chosen(training)
        self.space: SoundSpace = space
        measured = torch.linspace(0, len(rows.start) - 1, min(len(rows.start), MOST_MEASURED)).long()
        self.space = space.fitted(self._waveforms(measured, torch.zeros(len(measured), dtype=torch.long)))

    def __len__(self) -> int:
        return len(self._rows.start)

    @property
    def transcripts(self) -> list[str]:
        """What is said in each row's sound."""
        return [self._said[owner] for owner in self._rows.owner.tolist()]

    def gather(self, indices: Tensor, *, rng: torch.Generator) -> Batch:
        shift = torch.zeros(len(indices), dtype=torch.long)
        if self._cut == "random":
            spare = (self._rows.extent[indices] - self.space.length).clamp_min(0)
            shift = (torch.rand(len(indices), generator=rng, dtype=torch.float64) * (spare + 1)).long()
        sample = self.space.analyse(self._waveforms(indices, shift))
        if self._label is None:
            return Batch(sample)
        return Batch(sample, {"label": self._label[self._rows.owner[indices]].to(sample.device)})

    def split(self, name: str) -> Self:
        if name == "train":
            return self
        if name not in self._held_out:
            known = ", ".join(["train", *self._held_out])
            raise DataError(
                f"{type(self).__name__} has no split '{name}'", where="evaluate.split", remedy=f"use one of: {known}"
            )
        part = copy.copy(self)
        part._rows, part._held_out = self._held_out[name], {}
        return part

    def place(self, device: torch.device) -> bool:
        if device.type != "cpu" and self._samples.numel() * self._samples.element_size() > self.place_limit:
            return False
        self._samples = self._samples.to(device)
        return True

    def _waveforms(self, indices: Tensor, shift: Tensor) -> Tensor:
        """Cut clips ``(B, length)`` from the rows' stretches, each from so many samples behind its start."""
        length, device = self.space.length, self._samples.device
        extent_B = self._rows.extent[indices] - shift
        before_B = (length - extent_B).clamp_min(0) // 2
        place_BL = torch.arange(length) - before_B[:, None]
        inside_BL = (place_BL >= 0) & (place_BL < extent_B[:, None])
        index_BL = (self._rows.start[indices] + shift)[:, None] + place_BL.clamp_min(0).minimum(extent_B[:, None] - 1)
        values_BL = self._samples[index_BL.to(device)].float() / FULL_SCALE
        return values_BL * inside_BL.to(device)


def _rows(lengths: Sequence[int], length: int, cut: Cut) -> Rows:
    """Return the rows of sounds that lie one behind the other."""
    start, extent, owner = [], [], []
    place = 0
    for index, size in enumerate(lengths):
        for piece in range(max(1, size // length) if cut == "pieces" else 1):
            start.append(place + piece * length)
            extent.append(size if cut == "random" else min(size, length))
            owner.append(index)
        place += size
    return Rows(*(torch.tensor(values, dtype=torch.long) for values in (start, extent, owner)))


def hold_out_sounds(count: int, fraction: float, seed: int) -> dict[str, Tensor]:
    """Choose sounds for the split ``test``, with all of their clips: neighbouring clips of one resemble another."""
    return {"test": hold_out(count, fraction, seed)} if fraction else {}
