"""Read many sounds for training: resampled, freed of silence; those that cannot be used are listed, not fatal."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor

from sparring.errors import DataError
from sparring_audio.joined import quantised
from sparring_audio.sound_space import SoundSpace
from sparring_audio.sounds import Sound, sounding
from sparring_audio.transforms import resample

READERS = 8  # threads; libsndfile decodes without holding Python's lock
LEAD = 30.0  # seconds before a clip in which its first sound is looked for, where only a file's beginning is used
MOST_NOTES = 20
SMALLEST = 1e-6  # of a peak: a beginning that is all but silent is not magnified without end
Item = TypeVar("Item")


class Preparation(NamedTuple):
    """What is done to each sound.

    Attributes:
        resample: Whether another sample rate than the space's is changed, or refused.
        trim: Whether silence at both ends is cut away.
        whole: Whether all of a long sound is kept, or only a clip of its beginning.
        peak: The largest absolute value that it is brought to, in (0, 1]; None leaves loudness as it is.
    """

    resample: bool = True
    trim: bool = True
    whole: bool = False
    peak: float | None = None


class Prepared(NamedTuple):
    """A sound that was read.

    Attributes:
        waveform: ``(L,)`` at the space's sample rate, in 16 bits.
        cut: Seconds of silence that were cut from its beginning.
        shortened: Whether it has lost its end.
    """

    waveform: Tensor
    cut: float
    shortened: bool


class Collected(NamedTuple):
    """What was read.

    Attributes:
        sounds: Waveforms ``(L,)`` at the space's sample rate, in 16 bits.
        cuts: Seconds of silence that were cut from the beginning of each.
        owners: The index of the item that each comes from.
        unusable: The index of each item that cannot be used, with the reason.
        shortened: How many have lost their end.
    """

    sounds: list[Tensor]
    cuts: list[float]
    owners: list[int]
    unusable: list[tuple[int, str]]
    shortened: int

    def skipped(self, titles: Sequence[str]) -> list[str]:
        """Return a sentence for each item that cannot be used; for many, a few and how many more there are.

        Args:
            titles: What to call each item.
        """
        return skipped([(titles[index], reason) for index, reason in self.unusable], len(titles))

    def about_length(self, space: SoundSpace) -> list[str]:
        """Return what a user should know of sounds that lost their end."""
        if not self.shortened:
            return []
        note = f"of {self.shortened} sounds that last longer than {space.seconds:.3g} s only the beginning is used"
        remedy = "`cut: random` and `cut: pieces` use all of them, and a space of more `frames` or a greater `length`"
        return [f"{note}; {remedy} has longer clips"]


def skipped(unusable: Sequence[tuple[object, str]], count: int) -> list[str]:
    """Return a sentence for each file that cannot be used; for many, a few and how many more there are.

    Args:
        unusable: What each is called, and the reason.
        count: How many files there are in all.
    """
    notes = [f"skipped {title}: {reason}" for title, reason in unusable[:MOST_NOTES]]
    if len(unusable) > MOST_NOTES:
        notes.append(f"skipped {len(unusable) - MOST_NOTES} more that cannot be read, of {count} files")
    return notes


class Mismatch(DataError):
    """A sample rate that is refused: not one file's fault, but a disagreement about all of them."""


def collect(
    items: Sequence[Item],
    load: Callable[[Item, float | None], Sound],
    titles: Sequence[str],
    space: SoundSpace,
    preparation: Preparation,
) -> Collected:
    """Read every item once, in several threads.

    Args:
        items: What to read.
        load: Reads an item, or no more than so many seconds of its beginning; raises DataError where it cannot.
        titles: What to call each item in messages.
        space: The space that the sounds are for.
        preparation: What is done to each.

    Raises:
        DataError: A sample rate differs, and is not to be resampled.
    """
    sounds: list[Tensor] = []
    cuts: list[float] = []
    owners: list[int] = []
    unusable: list[tuple[int, str]] = []
    shortened = 0
    for index, result in enumerate(_prepared(items, load, titles, space, preparation)):
        if isinstance(result, DataError):
            unusable.append((index, result.what))
            continue
        sounds.append(result.waveform)
        cuts.append(result.cut)
        owners.append(index)
        shortened += result.shortened
    return Collected(sounds, cuts, owners, unusable, shortened)


def _prepared(
    items: Sequence[Item],
    load: Callable[[Item, float | None], Sound],
    titles: Sequence[str],
    space: SoundSpace,
    preparation: Preparation,
) -> Iterator[Prepared | DataError]:
    most = None if preparation.whole else LEAD + 2 * space.seconds

    def prepare(index: int) -> Prepared | DataError:
        try:
            return _prepare(load(items[index], most), titles[index], space, preparation)
        except Mismatch:
            raise
        except DataError as error:
            return error

    with ThreadPoolExecutor(min(READERS, os.cpu_count() or 1)) as pool:
        # In chunks, since `map` would hold the results of all files at once.
        for start in range(0, len(items), 1024):
            yield from pool.map(prepare, range(start, min(start + 1024, len(items))))


def _prepare(sound: Sound, title: str, space: SoundSpace, preparation: Preparation) -> Prepared:
    if not preparation.resample:
        try:
            space.refuse_rate(sound.sample_rate, title)
        except DataError as error:
            raise Mismatch(error.what, where=error.where, remedy=error.remedy) from error
    waveform = resample(torch.from_numpy(sound.waveform), sound.sample_rate, space.sample_rate)
    # Silence is refused in any case: a generator would learn to be silent.
    start, stop = sounding(waveform, space.sample_rate, title)
    if not preparation.trim:
        start, stop = 0, len(waveform)
    end = stop if preparation.whole else min(stop, start + space.length)
    kept = waveform[start:end]
    if preparation.peak is not None:
        kept = kept * (preparation.peak / kept.abs().amax().clamp_min(SMALLEST))
    return Prepared(quantised(kept), start / space.sample_rate, end < stop)
