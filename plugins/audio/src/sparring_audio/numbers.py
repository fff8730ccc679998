"""Spoken number words that come with the plugin: real recordings that need no download."""

from __future__ import annotations

import json
from functools import lru_cache
from importlib.resources import as_file, files
from typing import NamedTuple

import torch
from torch import Tensor

from sparring.data.memory import MemoryData, hold_out
from sparring.errors import DataError
from sparring.interfaces.space import Space
from sparring.spaces.label import LabelSpace
from sparring_audio.sound_space import SoundSpace, checked
from sparring_audio.sounds import read_sound, trim
from sparring_audio.spaces import LogMelSpace
from sparring_audio.variation import Variation, vary

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
RATE = 8000  # Hz, of the recordings
FEWEST = 10  # variants of a word: two of them held out have a spread, and eight are something to learn


class SpokenNumbers(MemoryData):
    """The words zero to nine, each spoken once by one voice and varied by small changes of pitch, tempo and place.

    The voice is Allison Smith's, the recordings are Asterisk's, under CC-BY-SA-3.0: ``numbers_data/CREDITS.md``. There
    is one take of a word, at 8 kHz. The split ``test`` holds variants that training never sees, but variants of the
    same takes: it shows whether a generator repeats its examples, not whether it knows other voices.

    Args:
        space: Of sounds at 8,000 Hz; by default log-mel spectrograms of 40 mels and 64 frames of 12.5 ms.
        variants: How many a word has.
        labels: Whether the word is a condition, ``label``.
        pitch: The largest change of pitch, up or down, in semitones.
        tempo: The largest change of tempo, faster or slower, as a share.
        level: The largest change of loudness, up or down, in dB.
        place: The largest shift from the middle of the clip, as a share of the silence on either side.
        held_out: The share of each word's variants in the split ``test``, in [0, 1).
        seed: Which variants, and which of them are held out.
    """

    def __init__(
        self,
        space: Space | None = None,
        variants: int = 100,
        labels: bool = True,
        pitch: float = 1.0,
        tempo: float = 0.08,
        level: float = 3.0,
        place: float = 0.5,
        held_out: float = 0.2,
        seed: int = 0,
    ) -> None:
        space = _checked(space)
        if variants < FEWEST:
            raise DataError(f"{variants} variants of a word are too few", remedy=f"make at least {FEWEST}")
        variation = Variation(pitch, tempo, level, place)
        chosen = [
            word * variants + hold_out(variants, held_out, seed + word) for word in range(len(WORDS)) if held_out > 0
        ]
        apart = torch.cat(chosen) if chosen else torch.empty(0, dtype=torch.long)
        sounds = _Sounds(type(space), json.dumps(space.options()), variants, variation, seed, tuple(apart.tolist()))
        space, sample, label = _samples(sounds)
        super().__init__(
            space,
            sample,
            {"label": (LabelSpace(list(WORDS)), label)} if labels else {},
            held_out={"test": apart} if chosen else {},
        )
        self.notes = [f"one recorded take of each word: the {variants} variants of it differ in small ways"]

    def decompress(self, raw: Tensor) -> Tensor:
        return raw.float()


def recordings() -> list[Tensor]:
    """Return the ten recordings at 8,000 Hz, without the silence around them, ``(L,)`` each."""
    found = []
    for word in WORDS:
        with as_file(files("sparring_audio") / "numbers_data" / f"{word}.flac") as path:
            waveform = trim(torch.from_numpy(read_sound(path).waveform), RATE, where=str(path))
        found.append(waveform)
    return found


def _checked(space: Space | None) -> SoundSpace:
    # Short windows, for plosives: docs/explanation/results-audio.md has what a recogniser hears through others.
    default = LogMelSpace(RATE, window=256, hop=100, mels=40, frames=64, lowest=60.0, highest=4000.0, floor=-80.0)
    wanted = checked(space, default, "audio/spoken-numbers")
    if wanted.sample_rate != RATE:
        raise DataError(
            f"the recordings have a sample rate of {RATE} Hz, and the space has {wanted.sample_rate} Hz",
            where="data.space.sample_rate",
            remedy=f"set it to {RATE}",
        )
    return wanted


class _Sounds(NamedTuple):
    """What the samples depend on, in a form that can be looked up."""

    space: type[SoundSpace]
    options: str
    variants: int
    variation: Variation
    seed: int
    held_out: tuple[int, ...]


@lru_cache(maxsize=4)
def _samples(sounds: _Sounds) -> tuple[SoundSpace, Tensor, Tensor]:
    """Return the space, all variants in it, word by word, as float16 ``(N, *shape)``, and their words ``(N,)``.

    Of levels float16 keeps 0.01 dB, of waveforms 66 dB below their peak.
    """
    space = sounds.space(**json.loads(sounds.options))
    draw = torch.Generator().manual_seed(sounds.seed)
    # Remembered for whoever asks next, so that neither must depend on the mode in which the first one asked.
    with torch.inference_mode(False), torch.autocast("cpu", enabled=False):
        made = torch.cat(
            [vary(word, RATE, space.length, sounds.variants, sounds.variation, draw) for word in recordings()]
        )
        training = torch.ones(len(made), dtype=torch.bool)
        training[list(sounds.held_out)] = False
        space = space.fitted(made[training])
        return space, space.analyse(made).half(), torch.arange(len(WORDS)).repeat_interleave(sounds.variants)
