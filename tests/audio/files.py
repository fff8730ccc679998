"""Sound files that the tests read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from sparring_audio.spaces import LogMelSpace


def tone(frequency: float = 440.0, seconds: float = 0.5, rate: int = 8000, level: float = 0.5) -> NDArray[np.float32]:
    """A sine: ``(L,)``."""
    return (level * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def write(path: Path, waveform: NDArray[np.float32], rate: int = 8000, subtype: str = "PCM_16") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, waveform, rate, subtype=subtype)
    return path


def fill(folder: Path, count: int, *, lowest: float = 300.0, rate: int = 8000, seconds: float = 0.5) -> None:
    """Write tones of different pitch."""
    for index in range(count):
        write(folder / f"{index:03d}.wav", tone(lowest + 20 * index, seconds, rate), rate)


def small_space() -> LogMelSpace:
    return LogMelSpace(8000, window=256, hop=128, mels=16, frames=16, lowest=100.0, highest=4000.0)


SMALL = {
    "use": "audio/log-mel",
    "sample_rate": 8000,
    "window": 256,
    "hop": 128,
    "mels": 16,
    "frames": 16,
    "lowest": 100.0,
    "highest": 4000.0,
}
