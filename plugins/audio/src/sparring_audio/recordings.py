"""Whole recordings, from which training takes random segments."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from sparring.data.memory import hold_out
from sparring.errors import DataError
from sparring.interfaces.data import Batch, Data
from sparring.interfaces.space import Space
from sparring_audio.files import find_sounds
from sparring_audio.joined import Joined
from sparring_audio.reading import Preparation, collect
from sparring_audio.sounds import read_sound
from sparring_audio.waveform import WaveformSpace, waveform_space

FEWEST = 2  # recordings: one to learn from and one to hold out


class Recording(NamedTuple):
    """One recording as it is held in memory.

    Attributes:
        path: Its file.
        number: Its place among all sounds of the folder that can be used.
        length: Its number of samples.
        cut: Seconds of silence that were cut from its beginning.
    """

    path: Path
    number: int
    length: int
    cut: float


class Recordings(Data):
    """Recordings below a folder; samples are segments of them.

    In training each segment is cut anew from a random place of a recording, and long recordings are drawn more often;
    the split ``test`` has other recordings, cut into pieces that lie one behind the other. ``len`` counts such pieces.
    Files are mixed to one channel, resampled and freed of the silence at both ends; those that are damaged or silent
    are skipped and listed in ``notes``. All are held in memory, at two bytes a sample: 115 MB an hour at 16 kHz.

    Attributes:
        recordings: What is in this split.

    Args:
        path: The folder; relative to where the program was started.
        space: Of waveforms; by default 8,192 samples at 16 kHz. A shorter recording is laid in the middle of silence.
        resample: Whether sounds of another sample rate than the space's are resampled; otherwise they are refused.
        trim: Whether silence at the start and the end is cut away.
        peak: The largest absolute value that every recording is brought to, in (0, 1], as HiFi-GAN does with 0.95;
            None leaves loudness as it is.
        held_out: The share of recordings in the split ``test``, in [0, 1).
        seed: Which recordings are held out.
    """

    def __init__(
        self,
        path: Path,
        space: Space | None = None,
        resample: bool = True,
        trim: bool = True,
        peak: float | None = None,
        held_out: float = 0.05,
        seed: int = 0,
    ) -> None:
        if peak is not None and not 0 < peak <= 1:
            raise DataError(f"a peak of {peak} is not in (0, 1]", where="data.peak", remedy="HiFi-GAN has 0.95")
        root = Path(path).expanduser().absolute()
        self.space: WaveformSpace = waveform_space(space or WaveformSpace(length=8192), "audio/recordings")
        files = find_sounds(root)
        titles = [str(file) for file in files]
        found = collect(files, read_sound, titles, self.space, Preparation(resample, trim, True, peak))
        self.notes = found.skipped(titles)
        if len(found.sounds) < FEWEST:
            others = f" ({len(found.unusable)} more cannot be used)" if found.unusable else ""
            raise DataError(
                f"{len(found.sounds)} recordings are too few to train on and to hold out one{others}",
                where=str(root),
                remedy="add recordings, or split a long one into files",
            )
        self._sounds = Joined(found.sounds)
        self.recordings = tuple(
            Recording(files[owner], number, len(sound), cut)
            for number, (owner, sound, cut) in enumerate(zip(found.owners, found.sounds, found.cuts, strict=True))
        )
        self._test: tuple[Recording, ...] = ()
        if held_out:
            chosen = set(hold_out(len(self.recordings), held_out, seed).tolist())
            self._test = tuple(one for one in self.recordings if one.number in chosen)
            self.recordings = tuple(one for one in self.recordings if one.number not in chosen)
        self._random = True
        self._lay_out()

    def __len__(self) -> int:
        return len(self._owner)

    def gather(self, indices: Tensor, *, rng: torch.Generator) -> Batch:
        chosen, length = indices.cpu(), self.space.length
        owner_B, first_B = self._owner[chosen], self._first[chosen]
        if self._random:
            first_B = self._sounds.anywhere(owner_B, length, rng)
        return Batch(self._sounds.cut(owner_B, first_B, length)[:, None])

    def split(self, name: str) -> Recordings:
        """Return ``train``, or the held-out recordings as ``test``."""
        if name == "train":
            return self
        if name != "test" or not self._test:
            known = "train, test" if self._test else "train: nothing is held out"
            raise DataError(
                f"{type(self).__name__} has no split '{name}'", where="evaluate.split", remedy=f"use one of: {known}"
            )
        part = copy.copy(self)
        part.recordings, part._test, part._random = self._test, (), False
        part._lay_out()
        return part

    def place(self, device: torch.device) -> bool:
        return self._sounds.place(device)

    def waveform(self, index: int) -> Tensor:
        """Return a whole recording of this split, ``(L,)`` in [-1, 1]."""
        return self._sounds.waveform(self.recordings[index].number)

    def _lay_out(self) -> None:
        """Number the pieces of this split's recordings."""
        owner, first = self._sounds.pieces(self.space.length)
        ours = torch.isin(owner, torch.tensor([one.number for one in self.recordings]))
        self._owner, self._first = owner[ours], first[ours]
