"""Read any sound file into one channel of floats, find where its sound is, and fit it to a length."""

from __future__ import annotations

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
FULL_SCALE = 32767  # of 16 bits
SILENCE = -70.0  # dBFS: what a 16-bit recorder hears of a quiet room


class Sound(NamedTuple):
    """A recording of one channel.

    Attributes:
        waveform: ``(L,)`` float32, at full scale in [-1, 1].
        sample_rate: In Hz.
    """

    waveform: NDArray[np.float32]
    sample_rate: int


def read_sound(path: Path, most_seconds: float | None = None) -> Sound:
    """Read a file of any format that libsndfile knows, and mix its channels into one.

    Args:
        path: The file.
        most_seconds: Read no more than so much of its beginning.

    Raises:
        DataError: The file is missing, empty, damaged or no sound, or has values that are not finite.
    """
    if not path.is_file():
        raise DataError("there is no such sound file", where=str(path), remedy="check the path")
    try:
        with soundfile.SoundFile(path) as file:
            rate = int(file.samplerate)
            frames = -1 if most_seconds is None else math.ceil(most_seconds * rate)
            channels = file.read(frames, dtype="float32", always_2d=True)
    except Exception as cause:  # a damaged file makes libsndfile's decoders fail in many ways
        raise DataError(
            f"the sound cannot be read: {_reason(path, cause)}",
            where=str(path),
            remedy="delete the file, or save it again as WAV or FLAC",
        ) from cause
    if not len(channels):
        raise DataError("the file holds no samples", where=str(path), remedy="delete the file, or record it again")
    waveform = channels.mean(axis=1, dtype=np.float32)
    if not np.isfinite(waveform).all():
        raise DataError(
            "the sound has samples that are not finite", where=str(path), remedy="delete the file, or save it again"
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
    return waveform[start : (int(heard[-1]) + 1) * block + margin]


def fit(waveform: Tensor, length: int) -> Tensor:
    """Return ``(length,)``: a shorter sound gets silence on both sides, a longer one loses its end."""
    missing = length - len(waveform)
    if missing <= 0:
        return waveform[:length]
    return torch.nn.functional.pad(waveform, (missing // 2, missing - missing // 2))


def compact(samples: Tensor) -> Tensor:
    """Turn samples in [-1, 1] into two bytes a value: a waveform's steps are even, as those of a recording are.

    Args:
        samples: Spectrograms ``(B, 1, M, T)``, which become float16, or waveforms ``(B, 1, L)``, which become int16.
    """
    return (samples * FULL_SCALE).round().to(torch.int16) if samples.dim() == 3 else samples.half()


def decompressed(raw: Tensor) -> Tensor:
    """Undo ``compact``: floats in [-1, 1]."""
    return raw.float() / FULL_SCALE if raw.dtype == torch.int16 else raw.float()


def decibels(power: Tensor) -> Tensor:
    """Return 10 log₁₀ of powers, where zero is a very quiet −200 dB; a sine of full scale has −3 dB here."""
    return 10 * power.clamp_min(1e-20).log10()


def _reason(path: Path, cause: Exception) -> str:
    if path.stat().st_size == 0:
        return "the file is empty"
    said = str(getattr(cause, "error_string", "") or cause).rstrip(".")
    if "Format not recognised" in said or "unknown format" in said.lower():
        return "its content is no sound format that libsndfile knows"
    return said or type(cause).__name__
