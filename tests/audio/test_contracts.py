"""Every component of the plugin keeps its interface's promises."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from sparring.testing import (
    DataContract,
    DiscriminatorContract,
    EncoderContract,
    GeneratorContract,
    MetricContract,
    SpaceContract,
    contracts_in,
    covers,
)
from sparring_audio import plugin
from sparring_audio.numbers import SpokenNumbers
from tests.audio import test_vocoder_contracts
from tests.audio.files import MEL, SMALL, WAVEFORM, fill, small_space, write_voice

torch.set_num_threads(1)

NUMBERS = SpokenNumbers(small_space(), variants=20)
CLASSIFIER = {"use": "audio/classifier", "steps": 60, "width": 8}
FILES = TemporaryDirectory()  # removed when the process ends
fill(Path(FILES.name) / "low", 15)
fill(Path(FILES.name) / "high", 15, lowest=1500.0)
VOICE = TemporaryDirectory()
write_voice(Path(VOICE.name))


class TestSpokenNumbers(DataContract):
    plugin, name = plugin, "audio/spoken-numbers"
    options: Mapping[str, Any] = {"variants": 20, "space": SMALL}


class TestFolder(DataContract):
    plugin, name = plugin, "audio/folder"
    options: Mapping[str, Any] = {"path": FILES.name, "space": SMALL}


class TestFolderInPieces(DataContract):
    plugin, name = plugin, "audio/folder"
    options: Mapping[str, Any] = {"path": FILES.name, "space": SMALL, "cut": True, "labels": False}


class TestRecordings(DataContract):
    plugin, name = plugin, "audio/recordings"
    options: Mapping[str, Any] = {"path": FILES.name, "space": WAVEFORM, "held_out": 0.2}


class TestRussianSpeech(DataContract):
    plugin, name = plugin, "audio/russian-speech"
    options: Mapping[str, Any] = {"path": VOICE.name, "held_out": 0.4}


class TestVocoding(DataContract):
    plugin, name = plugin, "audio/vocoding"
    options: Mapping[str, Any] = {"of": {"use": "audio/recordings", **TestRecordings.options}, "mel": MEL}


class TestLogMelSpace(SpaceContract):
    plugin, name = plugin, "audio/log-mel"
    options: Mapping[str, Any] = {name: value for name, value in SMALL.items() if name != "use"}
    round_trip = False  # phases are lost, and few arrays are the spectrogram of any sound


class TestMelSpace(SpaceContract):
    plugin, name = plugin, "audio/mel"
    options: Mapping[str, Any] = {name: value for name, value in MEL.items() if name != "use"}
    round_trip = False  # phases are lost, and few arrays are the spectrogram of any sound


class TestWaveformSpace(SpaceContract):
    plugin, name = plugin, "audio/waveform"
    options: Mapping[str, Any] = {name: value for name, value in WAVEFORM.items() if name != "use"}


class TestGenerator(GeneratorContract):
    plugin, name, data = plugin, "audio/spectrogram", NUMBERS
    options: Mapping[str, Any] = {"width": 4}


class TestDiscriminator(DiscriminatorContract):
    plugin, name, data = plugin, "audio/spectrogram", NUMBERS
    options: Mapping[str, Any] = {"width": 4}


class TestClassifier(EncoderContract):
    plugin, name, data = plugin, "audio/classifier", NUMBERS
    options: Mapping[str, Any] = {name: value for name, value in CLASSIFIER.items() if name != "use"}


class TestWordAccuracy(MetricContract):
    plugin, name, data = plugin, "audio/word-accuracy", NUMBERS
    options: Mapping[str, Any] = {"encoder": CLASSIFIER}
    rows = 64


class TestSound(MetricContract):
    plugin, name, data = plugin, "audio/sound", NUMBERS
    rows = 64


def test_every_component_is_under_contract() -> None:
    covers(plugin, *contracts_in(globals()), *contracts_in(vars(test_vocoder_contracts)))
