"""Sound files that the tests read."""

from __future__ import annotations

import gzip
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


def fill_kits(folder: Path, each: int) -> None:
    """Write strokes of every kind into two kits, and a few that are of none."""
    names = {"kick": "Kick", "snare": "EE_Snare", "hat": "hihat-closed", "tom": "PearlTom", "cymbal": "CrashRide"}
    for kind, (pitch, name) in enumerate(names.items()):
        for index in range(each):
            place = folder / ("acoustic" if index % 2 else "electronic") / f"{name}-{index}.wav"
            write(place, tone(200.0 + 300 * kind + 10 * index, 0.05 + 0.01 * len(pitch), level=0.1 + 0.01 * index))
    write(folder / "acoustic" / "Cowbell-1.wav", tone())
    write(folder / "acoustic" / "Kick_Tom.wav", tone())


def fill_prompts(root: Path, count: int) -> None:
    """Lay tones out as the packages of prompts do, at 8 kHz, with what they say."""
    voice = root / "asterisk-core-sounds-en-wav" / "usr/share/asterisk/sounds/en_US_f_Allison"
    fill(voice / "digits", count)
    write(voice / "beep.wav", tone())
    write(voice / "silence" / "1.wav", np.zeros(8000, dtype=np.float32))
    lines = ["; Prompts", "", "beep: [a beep]", "silence/1: (one second of silence)"]
    lines += [f"digits/{index:03d}: number {index}" for index in range(count)]
    texts = root / "asterisk-core-sounds-en" / "usr/share/doc/asterisk-core-sounds-en/core-sounds-en.txt.gz"
    texts.parent.mkdir(parents=True)
    texts.write_bytes(gzip.compress("\n".join(lines).encode()))


def write_dataset(folder: Path, count: int = 40) -> None:
    """Save a Hugging Face dataset of tones of two classes, with texts. It needs the package datasets."""
    import datasets

    fill(folder / "sounds", count)
    table = datasets.Dataset.from_dict(
        {
            "sound": [str(folder / "sounds" / f"{index:03d}.wav") for index in range(count)],
            "kind": [index % 2 for index in range(count)],
            "said": [f"number {index}" for index in range(count)],
        },
    )
    # Cast without decoding: the library's own decoder of sounds is not needed, and need not be installed.
    table = table.cast_column("sound", datasets.Audio(decode=False))
    table = table.cast_column("kind", datasets.ClassLabel(names=["even", "odd"]))
    table.save_to_disk(str(folder / "saved"))


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
