"""Sound files that the tests read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from sparring_audio.mels import MelSpace
from sparring_audio.spaces import LogMelSpace
from sparring_audio.waveform import WaveformSpace


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


WAVEFORM = {"use": "audio/waveform", "sample_rate": 8000, "length": 1024}
MEL = {
    "use": "audio/mel",
    "sample_rate": 8000,
    "window": 256,
    "hop": 64,
    "mels": 20,
    "frames": 16,
    "highest": 4000.0,
}


def small_waveform() -> WaveformSpace:
    return WaveformSpace(8000, length=1024)


def small_mel() -> MelSpace:
    return MelSpace(8000, window=256, hop=64, mels=20, frames=16, highest=4000.0)


def write_voice(folder: Path, count: int = 6) -> Path:
    """Write a voice laid out as festvox-ru's: recordings, texts, and the times of phones."""
    root = folder / "usr/share/festival/voices/russian/msu_ru_nsh_clunits"
    quiet = np.zeros(3200, dtype=np.float32)
    lines = []
    for index in range(1, count + 1):
        name = f"ru_{index:04d}"
        sound = np.concatenate([quiet, tone(200.0 + 30 * index, 0.5, 16000), quiet])
        write(root / "wav" / f"{name}.wav", sound, 16000)
        lines.append(f'( {name} "Слово н+омер {index}." )')
        phones = "#\n0.20000 125 pau\n0.45000 125 aa\n0.70000 125 b\n0.90000 125 pau\n"
        (root / "lab").mkdir(exist_ok=True)
        (root / "lab" / f"{name}.lab").write_text(phones, encoding="utf-8")
    (root / "etc").mkdir()
    (root / "etc" / "txt.done.data").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder
