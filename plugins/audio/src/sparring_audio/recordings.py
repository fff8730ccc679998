"""Whole recordings, from which training takes random segments."""

from __future__ import annotations

import copy
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from sparring.data.memory import hold_out
from sparring.errors import DataError
from sparring.interfaces.data import Batch, Data
from sparring.interfaces.space import Space
from sparring_audio.files import find_sounds
from sparring_audio.reading import READERS, Mismatch, skipped
from sparring_audio.sounds import read_sound, sounding
from sparring_audio.transforms import resample
from sparring_audio.waveform import WaveformSpace, waveform_space

FEWEST = 2  # recordings: one to learn from and one to hold out
STEPS = 32768  # of a 16-bit sample, from 0 to full scale
PLACE_LIMIT = 2 * 2**30  # bytes that are moved to an accelerator


class Recording(NamedTuple):
    """One recording as it is held in memory.

    Attributes:
        path: Its file.
        first: Its first sample in the joined waveform.
        length: Its number of samples.
        cut: Seconds of silence that were cut from its beginning.
    """

    path: Path
    first: int
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
        preparation = _Preparation(self.space, resample, trim, peak)
        self._joined, self.recordings, unreadable = _read_all(files, preparation)
        self.notes = skipped(unreadable, len(files))
        if len(self.recordings) < FEWEST:
            others = f" ({len(unreadable)} more cannot be used)" if unreadable else ""
            raise DataError(
                f"{len(self.recordings)} recordings are too few to train on and to hold out one{others}",
                where=str(root),
                remedy="add recordings, or split a long one into files",
            )
        self._test: tuple[Recording, ...] = ()
        if held_out:
            chosen = set(hold_out(len(self.recordings), held_out, seed).tolist())
            self._test = tuple(one for index, one in enumerate(self.recordings) if index in chosen)
            self.recordings = tuple(one for index, one in enumerate(self.recordings) if index not in chosen)
        self._random = True
        self._lay_out()

    def __len__(self) -> int:
        return len(self._piece_first)

    def gather(self, indices: Tensor, *, rng: torch.Generator) -> Batch:
        chosen = indices.cpu()
        first_B, length_B = self._first[self._owner[chosen]], self._length[self._owner[chosen]]
        spare_B = (length_B - self.space.length).clamp_min(0)
        if self._random:
            share_B = torch.rand(len(chosen), generator=rng, dtype=torch.float64)
            start_B = (share_B * (spare_B + 1)).long().clamp(max=spare_B)
        else:
            start_B = self._piece_first[chosen]
        # A recording that is too short starts before it begins, and so lies in the middle.
        start_B = start_B - (self.space.length - length_B).clamp_min(0) // 2
        place_BL = start_B[:, None] + torch.arange(self.space.length)
        inside_BL = (place_BL >= 0) & (place_BL < length_B[:, None])
        index_BL = (first_B[:, None] + place_BL).clamp(0, len(self._joined) - 1).to(self._joined.device)
        waveform_BL = self._joined[index_BL].float() / STEPS
        return Batch((waveform_BL * inside_BL.to(waveform_BL.device))[:, None])

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
        if device.type != "cpu" and self._joined.numel() * self._joined.element_size() > PLACE_LIMIT:
            return False
        self._joined = self._joined.to(device)
        return True

    def waveform(self, index: int) -> Tensor:
        """Return a whole recording of this split, ``(L,)`` in [-1, 1]."""
        one = self.recordings[index]
        return self._joined[one.first : one.first + one.length].float() / STEPS

    def _lay_out(self) -> None:
        """Number the pieces of all recordings."""
        self._first = torch.tensor([one.first for one in self.recordings])
        self._length = torch.tensor([one.length for one in self.recordings])
        pieces = (self._length // self.space.length).clamp_min(1)
        self._owner = torch.arange(len(pieces)).repeat_interleave(pieces)
        before = pieces.cumsum(0) - pieces
        self._piece_first = (torch.arange(len(self._owner)) - before[self._owner]) * self.space.length


class _Preparation(NamedTuple):
    space: WaveformSpace
    resample: bool
    trim: bool
    peak: float | None


def _read_all(
    files: Sequence[Path], preparation: _Preparation
) -> tuple[Tensor, tuple[Recording, ...], list[tuple[Path, str]]]:
    """Read every file: the joined waveform of int16, what it consists of, and the files that cannot be used."""

    def read(file: Path) -> tuple[Tensor, float] | DataError:
        try:
            return _read(file, preparation)
        except Mismatch:
            raise
        except DataError as error:
            return error

    parts: list[Tensor] = []
    recordings: list[Recording] = []
    unreadable: list[tuple[Path, str]] = []
    first = 0
    with ThreadPoolExecutor(min(READERS, os.cpu_count() or 1)) as pool:
        for file, result in zip(files, pool.map(read, files), strict=True):
            if isinstance(result, DataError):
                unreadable.append((file, result.what))
                continue
            waveform, cut = result
            recordings.append(Recording(file, first, len(waveform), cut))
            parts.append(waveform)
            first += len(waveform)
    joined = torch.cat(parts) if parts else torch.zeros(0, dtype=torch.int16)
    return joined, tuple(recordings), unreadable


def _read(file: Path, preparation: _Preparation) -> tuple[Tensor, float]:
    """Return a file's waveform ``(L,)`` of int16, and the seconds that were cut from its beginning."""
    sound, space = read_sound(file), preparation.space
    if not preparation.resample:
        try:
            space.refuse_rate(sound.sample_rate, str(file))
        except DataError as error:
            raise Mismatch(error.what, where=error.where, remedy=error.remedy) from error
    waveform = resample(torch.from_numpy(sound.waveform), sound.sample_rate, space.sample_rate)
    # Silence is refused in any case: a generator would learn to be silent.
    start, stop = sounding(waveform, space.sample_rate, str(file))
    if preparation.trim:
        waveform = waveform[start:stop]
    if preparation.peak is not None:
        waveform = waveform * (preparation.peak / waveform.abs().amax())
    cut = start / space.sample_rate if preparation.trim else 0.0
    return (waveform * STEPS).round().clamp(-STEPS, STEPS - 1).to(torch.int16), cut
