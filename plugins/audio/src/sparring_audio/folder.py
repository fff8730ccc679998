"""A folder of one's own sounds, in whatever formats, sample rates and lengths they are."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from sparring.data.memory import MemoryData, hold_out
from sparring.errors import DataError
from sparring.interfaces.space import Space
from sparring.spaces.label import LabelSpace
from sparring_audio.files import classes_of_folders, find_sounds, notes_of, top_folder
from sparring_audio.sounds import compact, decompressed, fit, read_sound, trim
from sparring_audio.spaces import LogMelSpace
from sparring_audio.transforms import resample
from sparring_audio.waveform import WaveformSpace

Sounds = LogMelSpace | WaveformSpace

FEWEST = 20  # a tenth of them held out is two sounds, and the spread of a feature needs two
READERS = 8  # threads; libsndfile decodes without holding Python's lock
LEAD = 30.0  # seconds before a clip in which its first sound is looked for, where only a file's beginning is used


class Folder(MemoryData):
    """Sounds below a folder; where they lie in sub-folders, the sub-folders' names are labels.

    Files of any format that libsndfile reads (WAV, FLAC, Ogg, MP3, AIFF and more) are mixed to one channel, resampled
    and freed of the silence at both ends; shorter ones are laid in the middle of a clip, longer ones cut. All are read
    once at the start: those that are damaged or silent are skipped and listed in ``notes``. They are held in memory,
    at two bytes a value.

    Args:
        path: The folder; relative to where the program was started.
        space: Of log-mel spectrograms, or of waveforms; by default ``audio/log-mel`` as it is, with clips of a second
            at 16 kHz.
        labels: Whether sub-folders are labels, given as the condition ``label``; by default where all sounds lie in two
            or more sub-folders.
        resample: Whether sounds of another sample rate than the space's are resampled; otherwise they are refused.
        trim: Whether silence at the start and the end is cut away.
        cut: Whether a longer sound is cut into as many clips as it fills; by default only its beginning is used.
        held_out: The share of files in the split ``test``, in [0, 1).
        seed: Which files are held out.
    """

    def __init__(
        self,
        path: Path,
        space: Space | None = None,
        labels: bool | None = None,
        resample: bool = True,
        trim: bool = True,
        cut: bool = False,
        held_out: float = 0.1,
        seed: int = 0,
    ) -> None:
        root = Path(path).expanduser().absolute()
        mel = _checked(space)
        files = find_sounds(root)
        clips, owners, unreadable, shortened = _read_all(files, mel, _Preparation(resample, trim, cut))
        readable = [files[owner] for owner in sorted(set(owners.tolist()))]
        _check_count(len(readable), len(unreadable), root)
        classes, about_labels = classes_of_folders(readable, root, labels)
        top = {index: top_folder(file, root) for index, file in enumerate(files)}
        label = torch.tensor([classes.index(top[owner]) for owner in owners.tolist()] if classes else [])
        super().__init__(
            mel,
            clips,
            {"label": (LabelSpace(classes), label)} if classes else {},
            held_out=_hold_out_files(owners, held_out, seed),
        )
        self.notes = notes_of(unreadable, len(files)) + about_labels + _about_length(shortened, mel)

    def decompress(self, raw: Tensor) -> Tensor:
        return decompressed(raw)


class _Preparation(NamedTuple):
    resample: bool
    trim: bool
    cut: bool


def _checked(space: Space | None) -> Sounds:
    if space is None:
        return LogMelSpace()
    if not isinstance(space, Sounds):
        raise DataError(
            f"audio/folder makes sounds, and {type(space).__name__} is no space of them",
            where="data.space",
            remedy="use audio/log-mel or audio/waveform",
        )
    return space


def _read_all(
    files: Sequence[Path], space: Sounds, preparation: _Preparation
) -> tuple[Tensor, Tensor, list[tuple[Path, str]], int]:
    """Read every file once.

    Returns:
        Spectrograms ``(N, 1, M, T)`` of float16; the file's index that each comes from, ``(N,)``; the files that cannot
        be used, each with the reason; and how many have lost their end.
    """
    spectrograms: list[Tensor] = []
    owners: list[int] = []
    unreadable: list[tuple[Path, str]] = []
    shortened = 0
    for index, result in enumerate(_prepared(files, space, preparation)):
        if isinstance(result, DataError):
            unreadable.append((files[index], result.what))
            continue
        clips, lost = result
        spectrograms.append(clips)
        owners += [index] * len(clips)
        shortened += lost
    joined = torch.cat(spectrograms) if spectrograms else torch.empty(0, *space.shape)
    return joined, torch.tensor(owners, dtype=torch.long), unreadable, shortened


def _prepared(
    files: Sequence[Path], space: Sounds, preparation: _Preparation
) -> Iterator[tuple[Tensor, bool] | DataError]:
    def prepare(file: Path) -> tuple[Tensor, bool] | DataError:
        try:
            return _prepare(file, space, preparation)
        except _Mismatch:
            raise
        except DataError as error:
            return error

    with ThreadPoolExecutor(min(READERS, os.cpu_count() or 1)) as pool:
        # In chunks, since `map` would hold the results of all files at once.
        for start in range(0, len(files), 1024):
            yield from pool.map(prepare, files[start : start + 1024])


class _Mismatch(DataError):
    """A sample rate that is refused: not one file's fault, but a disagreement about all of them."""


def _prepare(file: Path, space: Sounds, preparation: _Preparation) -> tuple[Tensor, bool]:
    """Return a file's clips as spectrograms ``(N, 1, M, T)`` of float16, and whether its end was lost."""
    sound = read_sound(file, None if preparation.cut else LEAD + 2 * space.seconds)
    if not preparation.resample:
        try:
            space.refuse_rate(sound.sample_rate, str(file))
        except DataError as error:
            raise _Mismatch(error.what, where=error.where, remedy=error.remedy) from error
    waveform = resample(torch.from_numpy(sound.waveform), sound.sample_rate, space.sample_rate)
    # Silence is refused in any case: a generator would learn to be silent.
    heard = trim(waveform, space.sample_rate, where=str(file))
    waveform = heard if preparation.trim else waveform
    count = max(1, len(waveform) // space.length) if preparation.cut else 1
    pieces = [fit(waveform[index * space.length :], space.length) for index in range(count)]
    lost = not preparation.cut and len(waveform) > space.length
    return compact(space.analyse(torch.stack(pieces))), lost


def _hold_out_files(owners: Tensor, fraction: float, seed: int) -> dict[str, Tensor]:
    """Choose files for the split ``test``, with all of their clips: neighbouring clips of one file resemble another."""
    if not fraction:
        return {}
    used = torch.tensor(sorted(set(owners.tolist())))
    chosen = used[hold_out(len(used), fraction, seed)]
    return {"test": torch.isin(owners, chosen).nonzero().flatten()}


def _check_count(readable: int, unreadable: int, root: Path) -> None:
    if readable >= FEWEST:
        return
    skipped = f" ({unreadable} more cannot be used)" if unreadable else ""
    raise DataError(
        f"{readable} sounds are too few to train on{skipped}: at least {FEWEST} files are needed, so that a tenth of "
        "them can be held out for evaluation, where two are the fewest that have a spread",
        where=str(root),
        remedy="add sounds, or split long ones into files: hundreds give recognisable results, thousands varied ones",
    )


def _about_length(shortened: int, space: Sounds) -> list[str]:
    if not shortened:
        return []
    note = f"of {shortened} sounds that last longer than {space.seconds:.3g} s only the beginning is used"
    return [f"{note}; `cut: true` makes several clips of each, and more `frames` longer clips"]
