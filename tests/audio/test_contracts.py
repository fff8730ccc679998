"""Every component of the plugin keeps its interface's promises."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
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
from sparring_audio.frequency_space import InstantaneousFrequencySpace
from sparring_audio.numbers import SpokenNumbers
from sparring_audio.waveform import WaveformSpace
from tests.audio import test_enhancement_contracts, test_speech_contracts, test_vocoder_contracts
from tests.audio.files import (
    MEL,
    SMALL,
    WAVEFORM,
    fill,
    fill_kits,
    fill_prompts,
    small_space,
    write_dataset,
    write_voice,
)

torch.set_num_threads(1)

NUMBERS = SpokenNumbers(small_space(), variants=20)
WAVEFORMS = SpokenNumbers(WaveformSpace(8000, 512), variants=10)
FREQUENCIES = SpokenNumbers(InstantaneousFrequencySpace(8000, window=32, hop=8, frames=16), variants=10)
UNLABELLED = SpokenNumbers(FREQUENCIES.space, variants=10, labels=False)
CLASSIFIER = {"use": "audio/classifier", "steps": 60, "width": 8}
FILES = TemporaryDirectory()  # removed when the process ends
fill(Path(FILES.name) / "low", 15)
fill(Path(FILES.name) / "high", 15, lowest=1500.0)
FETCHED = TemporaryDirectory()
fill_kits(Path(FETCHED.name) / "kits", 12)
fill_prompts(Path(FETCHED.name) / "prompts", 20)
HAS_DATASETS = importlib.util.find_spec("datasets") is not None
if HAS_DATASETS:
    write_dataset(Path(FETCHED.name) / "dataset")
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
    options: Mapping[str, Any] = {"path": FILES.name, "space": SMALL, "cut": "pieces", "labels": False}


class TestFolderFromAnywhere(DataContract):
    plugin, name = plugin, "audio/folder"
    options: Mapping[str, Any] = {
        "path": FILES.name,
        "cut": "random",
        "space": {"use": "audio/log-stft", "sample_rate": 8000, "window": 32, "hop": 16, "frames": 16},
    }


class TestDrumHits(DataContract):
    plugin, name = plugin, "audio/drum-hits"
    options: Mapping[str, Any] = {"path": FETCHED.name + "/kits", "space": SMALL}


@pytest.mark.skipif(not HAS_DATASETS, reason="the package datasets is not installed")
class TestHuggingFace(DataContract):
    plugin, name = plugin, "audio/hugging-face"
    options: Mapping[str, Any] = {"dataset": FETCHED.name + "/dataset/saved", "space": SMALL}


class TestPrompts(DataContract):
    plugin, name = plugin, "audio/prompts"
    options: Mapping[str, Any] = {"path": FETCHED.name + "/prompts", "sample_rate": 8000, "space": SMALL}


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


class TestLogStftSpace(SpaceContract):
    plugin, name = plugin, "audio/log-stft"
    options: Mapping[str, Any] = {
        "sample_rate": 8000,
        "window": 32,
        "hop": 16,
        "frames": 16,
        "mean": [-60.0] * 16,
        "deviation": [15.0] * 16,
    }
    round_trip = False


class TestInstantaneousFrequencySpace(SpaceContract):
    plugin, name = plugin, "audio/instantaneous-frequency"
    options: Mapping[str, Any] = {"sample_rate": 8000, "window": 32, "hop": 8, "frames": 16}
    round_trip = False  # frames overlap, so that few arrays are those of any sound


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


class TestSpecganGenerator(GeneratorContract):
    plugin, name, data = plugin, "audio/specgan", NUMBERS
    options: Mapping[str, Any] = {"width": 2, "latent_dim": 8}


class TestSpecganDiscriminator(DiscriminatorContract):
    plugin, name, data = plugin, "audio/specgan", NUMBERS
    options: Mapping[str, Any] = {"width": 2}


class TestWaveganGenerator(GeneratorContract):
    plugin, name, data = plugin, "audio/wavegan", WAVEFORMS
    options: Mapping[str, Any] = {"width": 2, "latent_dim": 8}


class TestWaveganDiscriminator(DiscriminatorContract):
    plugin, name, data = plugin, "audio/wavegan", WAVEFORMS
    options: Mapping[str, Any] = {"width": 2}


class TestGansynthGenerator(GeneratorContract):
    plugin, name, data = plugin, "audio/gansynth", FREQUENCIES
    options: Mapping[str, Any] = {"width": 2, "latent_dim": 8}


class TestGansynthDiscriminator(DiscriminatorContract):
    # It is not told the class: `heads` around it name the class.
    plugin, name, data = plugin, "audio/gansynth", UNLABELLED
    options: Mapping[str, Any] = {"width": 2}


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


class TestDiversity(MetricContract):
    plugin, name, data = plugin, "audio/diversity", NUMBERS
    rows = 64


def test_every_component_is_under_contract() -> None:
    others = (vars(test_enhancement_contracts), vars(test_speech_contracts), vars(test_vocoder_contracts))
    covers(plugin, *contracts_in(globals()), *(one for names in others for one in contracts_in(names)))
