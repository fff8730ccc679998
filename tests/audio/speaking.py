"""A small voice laid out as festvox-ru's, whose texts, phones and tones belong together, and data of it."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from sparring_audio.mels import MelSpace
from sparring_audio.russian import RussianSpeech
from sparring_audio.spoken_sentences import SpokenSentences
from tests.audio.files import write

RATE = 16000
PHONE, PAUSE = 0.064, 0.16  # seconds: 8 and 20 frames of `small`
SENTENCES = {
    "Мама мыла раму, а пап+а ел.": "pau m aa m ay m yy l ay r aa m u pau a p a p aa j ee l pau",
    "Яма, и ёлка!": "pau j aa m ay pau i j oo l k ay pau",
    "День.": "pau dd ee nn pau",
    "Окно - дом?": "pau a k n oo pau d oo m pau",
    "Мы ели.": "pau m yy j ee ll i pau",
    "Ты мой.": "pau t yy m oo j pau",
}
WORDS = {
    "мама": 1,
    "мыла": 1,
    "раму": 1,
    "ел": 1,
    "яма": 1,
    "окно": 2,
    "ели": 1,
    "в": 0,
    "и": 0,
    "молоко": 3,
    "зеленый": -2,
}
FILES = TemporaryDirectory()  # removed when the process ends


def write_speaker(folder: Path) -> Path:
    """Write recordings in which each vowel is a tone of its own and each consonant another."""
    root = folder / "usr/share/festival/voices/russian/msu_ru_nsh_clunits"
    lines = []
    for index, (text, phones) in enumerate(SENTENCES.items(), 1):
        name, time, sound, labels = f"ru_{index:04d}", 0.0, [], ["#"]
        for place, phone in enumerate(phones.split()):
            seconds = PAUSE if phone == "pau" else PHONE
            time += seconds
            labels.append(f"{time:.5f} 125 {phone}")
            sound.append(hum(0.0 if phone == "pau" else 100.0 + 5 * place, seconds))
        write(root / "wav" / f"{name}.wav", np.concatenate(sound), RATE)
        (root / "lab").mkdir(exist_ok=True)
        (root / "lab" / f"{name}.lab").write_text("\n".join(labels) + "\n", encoding="utf-8")
        lines.append(f'( {name} "{text}" )')
    (root / "etc").mkdir()
    (root / "etc" / "txt.done.data").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (root / "dict").mkdir()
    entries = (f'("{word}" n ({abs(vowel)}){" fix_yo" if vowel < 0 else ""})\n' for word, vowel in WORDS.items())
    (root / "dict" / "msu_ru_nsh_dict.scm").write_text("MNCL\n" + "".join(entries), encoding="utf-8")
    return folder


def hum(frequency: float, seconds: float) -> NDArray[np.float32]:
    """A tone with overtones, or silence."""
    time = np.arange(round(seconds * RATE)) / RATE
    tones = [np.sin(2 * np.pi * frequency * overtone * time) / overtone for overtone in (1, 2, 3, 4)]
    return (0.2 * np.sum(tones, axis=0)).astype(np.float32)


def small_speech() -> MelSpace:
    return MelSpace(RATE, window=512, hop=128, mels=20, frames=160)


def speech() -> SpokenSentences:
    """Sentences at 16 kHz in spectrograms of 20 bands and 160 frames of 128 samples, two of five sentences held out."""
    if not any(Path(FILES.name).iterdir()):
        write_speaker(Path(FILES.name))
    return SpokenSentences(RussianSpeech(Path(FILES.name), trim=False, held_out=0.4), small_speech(), symbols=40)
