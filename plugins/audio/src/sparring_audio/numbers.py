"""Spoken number words that come with the plugin: real recordings that need no download."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import as_file, files

import torch
from torch import Tensor

from sparring.data.memory import MemoryData, hold_out
from sparring.errors import DataError
from sparring.interfaces.space import Space
from sparring.spaces.label import LabelSpace
from sparring_audio.sounds import compact, decompressed, read_sound, trim
from sparring_audio.spaces import LogMelSpace
from sparring_audio.variation import Variation, vary
from sparring_audio.waveform import WaveformSpace

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
RATE = 8000  # Hz, of the recordings
FEWEST = 10  # variants of a word: two of them held out have a spread, and eight are something to learn


class SpokenNumbers(MemoryData):
    """The words zero to nine, each spoken once by one voice and varied by small changes of pitch, tempo and place.

    The voice is Allison Smith's, the recordings are Asterisk's, under CC-BY-SA-3.0: ``numbers_data/CREDITS.md``. There
    is one take of a word, at 8 kHz. The split ``test`` holds variants that training never sees, but variants of the
    same takes: it shows whether a generator repeats its examples, not whether it knows other voices.

    Args:
        space: Of log-mel spectrograms or waveforms, at 8,000 Hz; by default 64 mels and 32 frames of 25 ms.
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
        sample, label = _clips(type(space), tuple(space.options().items()), variants, variation, seed)
        chosen = [
            word * variants + hold_out(variants, held_out, seed + word) for word in range(len(WORDS)) if held_out > 0
        ]
        super().__init__(
            space,
            sample,
            {"label": (LabelSpace(list(WORDS)), label)} if labels else {},
            held_out={"test": torch.cat(chosen)} if chosen else {},
        )
        self.notes = [f"one recorded take of each word: the {variants} variants of it differ in small ways"]

    def decompress(self, raw: Tensor) -> Tensor:
        return decompressed(raw)


def recordings() -> list[Tensor]:
    """Return the ten recordings at 8,000 Hz, without the silence around them, ``(L,)`` each."""
    found = []
    for word in WORDS:
        with as_file(files("sparring_audio") / "numbers_data" / f"{word}.flac") as path:
            waveform = trim(torch.from_numpy(read_sound(path).waveform), RATE, where=str(path))
        found.append(waveform)
    return found


def _checked(space: Space | None) -> LogMelSpace | WaveformSpace:
    if space is None:
        return LogMelSpace(RATE, window=512, hop=200, mels=64, frames=32, lowest=60.0, highest=4000.0)
    if not isinstance(space, (LogMelSpace, WaveformSpace)):
        raise DataError(
            f"audio/spoken-numbers makes sounds, and {type(space).__name__} is no space of them",
            where="data.space",
            remedy="use audio/log-mel or audio/waveform",
        )
    if space.sample_rate != RATE:
        raise DataError(
            f"the recordings have a sample rate of {RATE} Hz, and the space has {space.sample_rate} Hz",
            where="data.space.sample_rate",
            remedy=f"set it to {RATE}",
        )
    return space


@lru_cache(maxsize=4)
def _clips(
    kind: type[LogMelSpace | WaveformSpace],
    options: tuple[tuple[str, int | float], ...],
    variants: int,
    variation: Variation,
    seed: int,
) -> tuple[Tensor, Tensor]:
    """Return all variants, word by word: ``(N, *shape)``, at two bytes a value, and ``(N,)``."""
    space = kind(**dict(options))  # type: ignore[arg-type]
    draw = torch.Generator().manual_seed(seed)
    # Remembered for whoever asks next, so that neither must depend on the mode in which the first one asked.
    with torch.inference_mode(False), torch.autocast("cpu", enabled=False):
        made = [vary(word, RATE, space.length, variants, variation, draw) for word in recordings()]
        label = torch.arange(len(WORDS)).repeat_interleave(variants)
        return compact(space.analyse(torch.cat(made))), label
