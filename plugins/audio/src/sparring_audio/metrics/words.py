"""Word error rate: what a recogniser of speech makes of generated sounds."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from sparring.errors import DataError
from sparring.interfaces.data import Batch
from sparring.interfaces.metric import Metric
from sparring.interfaces.space import Space
from sparring_audio.metrics.pairs import audible
from sparring_audio.transforms import resample

RATE = 16000  # Hz, of the recogniser
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
FIGURES = frozenset("0123456789")


class WordErrors(Metric):
    """The word error rate of generated speech, by Whisper (Radford et al. 2022, arXiv:2212.04356).

    ``word_error_rate`` is the number of words that are wrong, missing or too many, over the number of words that should
    be said; ``real_word_error_rate``, that of real sounds, is what the recogniser itself gets wrong. What should be
    said is a condition: a class's name, or a text. Case, accents and punctuation do not count, and Whisper's single
    digits count as English words. It needs the extra ``recognition``, and about a second a sound on a processor core.

    Args:
        space: Of the sounds.
        conditions: The data's.
        model: The folder of a Whisper model in the format of CTranslate2, such as faster-whisper's tiny.en: it is
            read from there, and never downloaded.
        text: The condition that says what is spoken; its space turns a value into text.
        language: What is spoken, by its code in Whisper.
    """

    better: ClassVar[Literal["higher", "lower"]] = "lower"

    def __init__(
        self, space: Space, conditions: Mapping[str, Space], model: Path, text: str = "label", language: str = "en"
    ) -> None:
        self.space = audible(space, "audio/word-errors")
        if text not in conditions:
            raise DataError(
                f"audio/word-errors compares with the condition '{text}', which the data do not have",
                remedy=f"name one of the data's conditions: {', '.join(conditions) or 'there are none'}",
            )
        self.text, self._spoken = text, conditions[text]
        self._recognise = whisper(Path(model).expanduser(), language)
        self.reset()

    def reset(self) -> None:
        self._counts = {"word_error_rate": [0, 0], "real_word_error_rate": [0, 0]}

    def update(self, real: Batch, fake: Batch) -> None:
        for name, batch in (("word_error_rate", fake), ("real_word_error_rate", real)):
            if not len(batch):
                continue
            waveforms = self.space.synthesise(batch.sample.detach()).cpu()
            for waveform, value in zip(waveforms, batch.condition[self.text].cpu(), strict=True):
                wanted = words(str(self._spoken.decode(value)))
                heard = words(self._recognise(resample(waveform, self.space.sample_rate, RATE)))
                self._counts[name][0] += edits(wanted, heard)
                self._counts[name][1] += len(wanted)

    def compute(self) -> dict[str, float]:
        if not self._counts["word_error_rate"][1]:
            raise DataError("audio/word-errors was given no generated sounds with words", remedy="call `update` first")
        return {name: wrong / total for name, (wrong, total) in self._counts.items() if total}


def words(text: str) -> list[str]:
    """Split a text into words, without case, accents and punctuation; a digit by itself becomes an English word."""
    plain = "".join(one for one in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(one))
    found = re.findall(r"[^\W_]+(?:['\u2019][^\W_]+)*", plain)
    return [DIGITS[int(word)] if word in FIGURES else word for word in found]


def edits(wanted: Sequence[str], heard: Sequence[str]) -> int:
    """Return how many words must be put in, taken out or exchanged to turn one text into the other (Levenshtein)."""
    row = list(range(len(heard) + 1))
    for count, word in enumerate(wanted, 1):
        before, row[0] = row[0], count
        for index, other in enumerate(heard, 1):
            before, row[index] = row[index], min(row[index] + 1, row[index - 1] + 1, before + (word != other))
    return row[-1]


@cache
def whisper(folder: Path, language: str) -> Callable[[Tensor], str]:
    """Return a recogniser of waveforms ``(L,)`` at 16 kHz; a model is read once.

    Raises:
        DataError: The package is missing, or the folder holds no model.
    """
    try:
        from faster_whisper import WhisperModel
    except ImportError as cause:
        raise DataError(
            "the package faster-whisper is not installed, without which speech cannot be recognised",
            remedy='pip install "sparring-audio[recognition]"',
        ) from cause
    if not (folder / "model.bin").is_file():
        raise DataError(
            "the folder holds no Whisper model",
            where=str(folder),
            remedy="name a folder with model.bin, config.json and a tokenizer, as CTranslate2 writes it",
        )
    try:
        model: Any = WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=torch.get_num_threads())
    except Exception as cause:  # what CTranslate2 says of a damaged file
        raise DataError(f"the Whisper model cannot be read: {cause}", where=str(folder)) from cause

    def recognise(waveform: Tensor) -> str:
        # Greedy, and without what it heard before: the same sound is always heard alike.
        segments, _ = model.transcribe(
            waveform.numpy(), language=language, beam_size=1, temperature=0.0, condition_on_previous_text=False
        )
        return " ".join(segment.text for segment in segments)

    return recognise
