"""Components that mend speech, and those that measure it, keep their interfaces' promises."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import pytest
import torch

from sparring.testing import (
    DataContract,
    DiscriminatorContract,
    EncoderContract,
    GeneratorContract,
    MetricContract,
    RewardContract,
)
from sparring_audio import plugin
from sparring_audio.band_limited import BandLimited
from sparring_audio.metrics import words
from sparring_audio.noisy import Noisy
from sparring_audio.numbers import SpokenNumbers
from sparring_audio.transforms import resample
from sparring_audio.waveform import WaveformSpace
from tests.audio.files import fill
from tests.audio.speaker_weights import write_weights

torch.set_num_threads(1)

needs_quality = pytest.mark.skipif(
    not all(map(importlib.util.find_spec, ("pesq", "pystoi"))), reason="the extra `quality` is not installed"
)
WAVEFORMS = SpokenNumbers(WaveformSpace(8000, 6000), variants=20)
WORDS_AS_WAVEFORMS = {
    "use": "audio/spoken-numbers",
    "variants": 20,
    "space": {"use": "audio/waveform", "sample_rate": 8000, "length": 6000},
}
NOISE = TemporaryDirectory()  # removed when the process ends
fill(Path(NOISE.name), 3, seconds=1.5)
write_weights(Path(NOISE.name) / "pretrained.pt")


class TestNoisy(DataContract):
    plugin, name = plugin, "audio/noisy"
    options: Mapping[str, Any] = {"of": WORDS_AS_WAVEFORMS}


class TestNoisyWithRecordedNoise(DataContract):
    plugin, name = plugin, "audio/noisy"
    options: Mapping[str, Any] = {
        "of": WORDS_AS_WAVEFORMS,
        "noises": ["white"],
        "recorded": NOISE.name,
        "held_out_noises": [],
    }


class TestBandLimited(DataContract):
    plugin, name = plugin, "audio/band-limited"
    options: Mapping[str, Any] = {"of": WORDS_AS_WAVEFORMS, "rate": 4000}


class TestMaskEnhancer(GeneratorContract):
    plugin, name, data = plugin, "audio/mask-enhancer", Noisy(WAVEFORMS)
    options: Mapping[str, Any] = {"width": 6, "hidden": 8, "window": 64, "hop": 32}


class TestBandExtender(GeneratorContract):
    plugin, name, data = plugin, "audio/band-extender", BandLimited(WAVEFORMS, rate=4000)
    options: Mapping[str, Any] = {"width": 8, "depth": 2, "window": 64, "hop": 32}


class TestMetricDiscriminator(DiscriminatorContract):
    plugin, name, space = plugin, "audio/metric-discriminator", WAVEFORMS.space
    conditions = {"reference": WAVEFORMS.space}  # noqa: RUF012 - the contract's own attribute
    options: Mapping[str, Any] = {"channels": 3, "depth": 2, "window": 64, "hop": 32}


@needs_quality
class TestPESQ(MetricContract):
    plugin, name, data = plugin, "audio/pesq", WAVEFORMS
    rows = 14


@needs_quality
class TestSTOI(MetricContract):
    plugin, name, data = plugin, "audio/stoi", WAVEFORMS
    rows = 14


class TestLogSpectralDistance(MetricContract):
    plugin, name, data = plugin, "audio/log-spectral-distance", WAVEFORMS
    rows = 28


class TestMelCepstralDistortion(MetricContract):
    plugin, name, data = plugin, "audio/mel-cepstral-distortion", WAVEFORMS
    rows = 28


class TestMultiResolutionSTFTAsMetric(MetricContract):
    plugin, name, data = plugin, "audio/multi-resolution-stft", WAVEFORMS
    rows = 28


class TestPitch(MetricContract):
    plugin, name, data = plugin, "audio/pitch", WAVEFORMS
    options: Mapping[str, Any] = {"lowest": 100.0, "highest": 300.0}  # fewer pitches take less time
    rows = 7


@needs_quality
class TestPESQReward(RewardContract):
    plugin, name, data = plugin, "audio/pesq", WAVEFORMS
    expected_failures: ClassVar[Mapping[str, str]] = {"test_needs_no_reference": "PESQ compares with a clean sound"}


@needs_quality
class TestSTOIReward(RewardContract):
    plugin, name, data = plugin, "audio/stoi", WAVEFORMS
    expected_failures: ClassVar[Mapping[str, str]] = {"test_needs_no_reference": "STOI compares with a clean sound"}


class TestSpeaker(EncoderContract):
    plugin, name, data = plugin, "audio/speaker", WAVEFORMS
    options: Mapping[str, Any] = {"weights": f"{NOISE.name}/pretrained.pt"}


class TestWordErrors(MetricContract):
    plugin, name, data = plugin, "audio/word-errors", WAVEFORMS
    options: Mapping[str, Any] = {"model": "heard-by-the-stand-in"}
    rows = 14

    @pytest.fixture(autouse=True)
    def _stand_in(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A recogniser that knows the real clips by heart, and hears nothing in any other."""
        labels = WAVEFORMS.conditions["label"]
        known = self.materials.batch(self.rows, seed=1)
        texts = {
            resample(waveform, 8000, 16000).numpy().tobytes(): labels.decode(label)
            for waveform, label in zip(known.sample[:, 0], known.condition["label"], strict=True)
        }
        monkeypatch.setattr(
            words, "whisper", lambda folder, language: lambda waveform: texts.get(waveform.numpy().tobytes(), "")
        )
