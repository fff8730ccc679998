"""Sounds held in memory as waveforms: a batch is cut from them, and brought into the space, when it is made."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, Self

import torch
from torch import Tensor

from sparring.data.memory import hold_out
from sparring.errors import DataError
from sparring.interfaces.data import Batch, Data
from sparring.spaces.label import LabelSpace
from sparring_audio.joined import Joined
from sparring_audio.sound_space import SoundSpace

Cut = Literal["beginning", "random", "pieces"]
MOST_MEASURED = 2000  # clips, from which a space's statistics are taken: more would change them by less than rounding


class Rows(NamedTuple):
    """What the rows of a split are cut from.

    Attributes:
        owner: ``(N,)`` the index of each row's sound.
        first: ``(N,)`` the first sample of the clip in it, where that is not drawn.
    """

    owner: Tensor
    first: Tensor

    def chosen(self, rows: Tensor) -> Rows:
        """Return some of the rows."""
        return Rows(*(value[rows] for value in self))


class Clips(Data):
    """Sounds of any length, from which clips of the space's length are made.

    They are kept at two bytes a sample. A shorter sound is laid in the middle of silence.

    Attributes:
        transcripts: What is said in each row's sound, empty where that is not known.

    Args:
        space: The space of the clips; where it needs statistics, the training clips give them.
        sounds: Waveforms ``(L,)`` at the space's sample rate, in 16 bits, as ``collect`` reads them.
        cut: What is made of a longer sound: ``beginning``, a clip of its beginning; ``random``, a clip from a place
            that is drawn anew for each batch; ``pieces``, as many clips as it fills.
        label: The classes and each sound's number among them, ``(len(sounds),)``; None: there are none.
        held_out: By name of the split, the indices of its sounds; they are taken out of ``train``.
        transcripts: What is said in each sound; None: not known.
    """

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
        self._sounds = Joined(sounds)
        self._cut, self._said = cut, list(transcripts) if transcripts is not None else [""] * len(sounds)
        self._label = None if label is None else label[1]
        self.conditions = {} if label is None else {"label": label[0]}
        rows = self._all_rows(len(sounds), space.length)
        apart = {name: torch.isin(rows.owner, chosen) for name, chosen in (held_out or {}).items()}
        self._held_out = {name: rows.chosen(chosen) for name, chosen in apart.items()}
        training = torch.ones(len(rows.owner), dtype=torch.bool)
        for chosen in apart.values():
            training &= ~chosen
        self._rows = rows = rows.chosen(training)
        self.space: SoundSpace = space
        measured = torch.linspace(0, len(rows.owner) - 1, min(len(rows.owner), MOST_MEASURED)).long()
        self.space = space.fitted(self._sounds.cut(*rows.chosen(measured), space.length))

    def __len__(self) -> int:
        return len(self._rows.owner)

    @property
    def transcripts(self) -> list[str]:
        """What is said in each row's sound."""
        return [self._said[owner] for owner in self._rows.owner.tolist()]

    def gather(self, indices: Tensor, *, rng: torch.Generator) -> Batch:
        owner, first = self._rows.chosen(indices)
        if self._cut == "random":
            first = self._sounds.anywhere(owner, self.space.length, rng)
        sample = self.space.analyse(self._sounds.cut(owner, first, self.space.length))
        if self._label is None:
            return Batch(sample)
        return Batch(sample, {"label": self._label[owner].to(sample.device)})

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
        return self._sounds.place(device)

    def waveform(self, index: int) -> Tensor:
        """Return the sound that a row of this split is cut from, ``(L,)`` in [-1, 1], as far as it was read."""
        return self._sounds.waveform(int(self._rows.owner[index]))

    def _all_rows(self, sounds: int, length: int) -> Rows:
        if self._cut == "pieces":
            return Rows(*self._sounds.pieces(length))
        return Rows(torch.arange(sounds), torch.zeros(sounds, dtype=torch.long))


def hold_out_sounds(count: int, fraction: float, seed: int) -> dict[str, Tensor]:
    """Choose sounds for the split ``test``, with all of their clips: neighbouring clips of one resemble another."""
    return {"test": hold_out(count, fraction, seed)} if fraction else {}
