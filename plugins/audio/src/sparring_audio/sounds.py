"""Read any sound file into one channel of floats, find where its sound is, and fit it to a length."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray
from torch import Tensor

from sparring.errors import DataError

BLOCK = 0.02  # seconds over which loudness is measured
MARGIN = 0.02  # seconds kept before the first and after the last sound, where consonants begin and vowels die away
RELATIVE_SILENCE = -40.0  # dB below the loudest block
SILENCE = -70.0  # dBFS: what a 16-bit recorder hears of a quiet room


class Sound(NamedTuple):
    """A recording of one channel.

    Attributes:
        waveform: ``(L,)`` float32, at full scale in [-1, 1].
        sample_rate: In Hz.
    """

    waveform: NDArray[np.float32]
    sample_rate: int


def read_sound(source: Path | bytes, most_seconds: float | None = None) -> Sound:
    """Read a file of any format that libsndfile knows, and mix its channels into one.

    Args:
        source: The file, or its content.
        most_seconds: Read no more than so much of its beginning.

    Raises:
        DataError: The file is missing, empty, damaged or no sound, or has values that are not finite.
    """
    path = str(source) if isinstance(source, Path) else "the sound"
    if isinstance(source, Path) and not source.is_file():
        raise DataError("there is no such sound file", where=path, remedy="check the path")
    try:
        with soundfile.SoundFile(source if isinstance(source, Path) else io.BytesIO(source)) as file:
            rate = int(file.samplerate)
            frames = -1 if most_seconds is None else math.ceil(most_seconds * rate)
            channels = file.read(frames, dtype="float32", always_2d=True)
    except Exception as cause:  # a damaged file makes libsndfile's decoders fail in many ways
        raise DataError(
            f"the sound cannot be read: {_reason(source, cause)}",
            where=path,
            remedy="delete the file, or save it again as WAV or FLAC",
        ) from cause
    if not len(channels):
        raise DataError("the file holds no samples", where=path, remedy="delete the file, or record it again")
    waveform = channels.mean(axis=1, dtype=np.float32)
    if not np.isfinite(waveform).all():
        raise DataError(
            "the sound has samples that are not finite", where=path, remedy="delete the file, or save it again"
        )
    return Sound(waveform, rate)


def as_sound(raw: Any, sample_rate: int) -> Sound:
    """Turn a path, a ``Sound``, a pair of waveform and sample rate, or a waveform alone into a ``Sound``.

    Args:
        raw: The value; a waveform is ``(L,)`` floats.
        sample_rate: That of a waveform that comes without one, in Hz.

    Raises:
        DataError: It is none of these.
    """
    if isinstance(raw, (str, Path)):
        return read_sound(Path(raw))
    waveform, rate = raw if isinstance(raw, tuple) and len(raw) == 2 else (raw, sample_rate)
    if isinstance(waveform, Tensor):
        waveform = waveform.detach().cpu().numpy()
    if (
        not isinstance(waveform, np.ndarray)
        or waveform.ndim != 1
        or not len(waveform)
        or not np.issubdtype(waveform.dtype, np.floating)
        or not np.isfinite(waveform).all()
    ):
        shown = f"an array of {waveform.dtype} {waveform.shape}" if isinstance(waveform, np.ndarray) else f"{raw!r}"
        raise DataError(
            f"{shown} is no sound",
            remedy="give a path, one channel of finite floats (L,), or a pair of that and its sample rate",
        )
    return Sound(waveform.astype(np.float32), int(rate))


def trim(waveform: Tensor, sample_rate: int, where: str = "") -> Tensor:
    """Cut the silence before and after a sound.

    Args:
        waveform: ``(L,)`` in [-1, 1].
        sample_rate: In Hz.
        where: The file's name, for messages.

    Returns:
        What is within 40 dB of the loudest 20 ms, and 20 ms on either side.

    Raises:
        DataError: There is nothing but silence.
    """
    start, stop = sounding(waveform, sample_rate, where)
    return waveform[start:stop]


def sounding(waveform: Tensor, sample_rate: int, where: str = "") -> tuple[int, int]:
    """Return where ``trim`` cuts: the first sample that it keeps, and the first behind those."""
    block = max(1, round(BLOCK * sample_rate))
    padded = torch.nn.functional.pad(waveform, (0, -len(waveform) % block))
    power = padded.view(-1, block).square().mean(1)
    loudest = decibels(power.max())
    if loudest < SILENCE:
        level = f"its loudest part is at {float(loudest):.0f} dBFS" if power.any() else "every sample is zero"
        raise DataError(f"the sound is silent: {level}", where=where, remedy="delete the file, or record it again")
    heard = (decibels(power) >= loudest + RELATIVE_SILENCE).nonzero().flatten()
    margin = round(MARGIN * sample_rate)
    start = max(0, int(heard[0]) * block - margin)
    return start, min(len(waveform), (int(heard[-1]) + 1) * block + margin)


def fit(waveform: Tensor, length: int) -> Tensor:
    """Return ``(length,)``: a shorter sound gets silence on both sides, a longer one loses its end."""
    missing = length - len(waveform)
    if missing <= 0:
        return waveform[:length]
    return torch.nn.functional.pad(waveform, (missing // 2, missing - missing // 2))


def decibels(power: Tensor) -> Tensor:
    """Return 10 log₁₀ of powers, where zero is a very quiet −200 dB; a sine of full scale has −3 dB here."""
    return 10 * power.clamp_min(1e-20).log10()


def _reason(source: Path | bytes, cause: Exception) -> str:
    if (source.stat().st_size if isinstance(source, Path) else len(source)) == 0:
        return "the file is empty"
    said = str(getattr(cause, "error_string", "") or cause).rstrip(".")
    if "Format not recognised" in said or "unknown format" in said.lower():
        return "its content is no sound format that libsndfile knows"
    return said or type(cause).__name__
