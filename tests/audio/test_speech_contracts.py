"""The parts of text to speech keep their interfaces' promises."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from sparring.interfaces.data import Batch
from sparring.interfaces.space import Space
from sparring.testing import (
    DataContract,
    DiscriminatorContract,
    GeneratorContract,
    MetricContract,
    SpaceContract,
    TermContract,
)
from sparring.testing.contract import global_seed
from sparring_audio import plugin
from sparring_audio.networks.acoustic import AcousticModel
from sparring_audio.spoken_text import SpokenText
from tests.audio.speaking import FILES, speech

torch.set_num_threads(1)

SPEECH = speech()
UNCONDITIONAL: Mapping[str, Space] = {}  # the critic judges sounds as such, whatever is said
TEXTS = ("Т+ы.", "Д+а, мой др+уг, +это т+ак!", "Ёлка.", "Он+а спрос+ила: кт+о?", "Съ+ешь ещё.")


class TestSpokenSentences(DataContract):
    plugin, name = plugin, "audio/spoken-sentences"
    options: Mapping[str, Any] = {
        "of": {"use": "audio/russian-speech", "path": FILES.name, "trim": False, "held_out": 0.4},
        "mel": {"use": "audio/mel", "sample_rate": 16000, "window": 512, "hop": 128, "mels": 20, "frames": 160},
        "symbols": 40,
    }


class TestSpokenText(SpaceContract):
    plugin, name = plugin, "audio/spoken-text"
    options: Mapping[str, Any] = {"symbols": 40}

    def samples(self, space: SpokenText, rows: int = 5) -> Tensor:
        return torch.stack([space.encode(text) for text in TEXTS[:rows]])


class TestAcousticModel(GeneratorContract):
    plugin, name, data = plugin, "audio/acoustic-model", SPEECH
    options: Mapping[str, Any] = {"width": 16, "encoder": 2, "decoder": 2}


class TestMelPatches(DiscriminatorContract):
    plugin, name, space, conditions = plugin, "audio/mel-patches", SPEECH.space, UNCONDITIONAL
    options: Mapping[str, Any] = {"windows": 2, "window": 16, "width": 4}


def speaker() -> Mapping[str, nn.Module]:
    with global_seed(0):
        return {"generator": AcousticModel(SPEECH.space, SPEECH.conditions, width=16, encoder=1, decoder=1)}


class TestDuration(TermContract):
    plugin, name, data = plugin, "audio/duration", SPEECH

    def networks(self) -> Mapping[str, nn.Module]:
        return speaker()


class TestPitch(TermContract):
    plugin, name, data = plugin, "audio/pitch", SPEECH

    def networks(self) -> Mapping[str, nn.Module]:
        return speaker()


class TestProsody(MetricContract):
    plugin, name, data = plugin, "audio/prosody", SPEECH

    def real(self) -> Batch:
        batch = super().real()
        text = batch.condition["text"]
        return replace(batch, extras={"log_durations": text[:, 1].log1p(), "pitch": text[:, 2]})

    def noise(self) -> Batch:
        batch, rng = self.real(), torch.Generator().manual_seed(0)
        return replace(
            batch,
            extras={name: value + torch.rand(value.shape, generator=rng) for name, value in batch.extras.items()},
        )
