"""Vocoders, their critics and their terms keep their interfaces' promises."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from sparring.interfaces.space import Space
from sparring.testing import DiscriminatorContract, GeneratorContract, TermContract
from sparring.testing.contract import global_seed
from sparring_audio import plugin
from sparring_audio.networks.griffin_lim import GriffinLimVocoder
from tests.audio.vocoding import vocoding

torch.set_num_threads(1)

VOCODING = vocoding()
UNCONDITIONAL: Mapping[str, Space] = {}  # critics judge sounds as such, whatever they were made from


class TestHiFiGAN(GeneratorContract):
    plugin, name, data = plugin, "audio/hifigan", VOCODING
    options: Mapping[str, Any] = {"width": 16, "rates": [4, 4, 4]}


class TestHiFiGANVersion3(GeneratorContract):
    plugin, name, data = plugin, "audio/hifigan", VOCODING
    options: Mapping[str, Any] = {"version": "v3", "width": 16, "rates": [8, 8]}


class TestGriffinLimVocoder(GeneratorContract):
    plugin, name, data = plugin, "audio/griffin-lim-vocoder", VOCODING
    options: Mapping[str, Any] = {"width": 16, "blocks": 2, "iterations": 4}


class TestISTFTVocoder(GeneratorContract):
    plugin, name, data = plugin, "audio/istft-vocoder", VOCODING
    options: Mapping[str, Any] = {"width": 16, "blocks": 2}


class TestMultiPeriod(DiscriminatorContract):
    plugin, name, space, conditions = plugin, "audio/multi-period", VOCODING.space, UNCONDITIONAL
    options: Mapping[str, Any] = {"periods": [2, 3], "width": 2}


class TestMultiScale(DiscriminatorContract):
    plugin, name, space, conditions = plugin, "audio/multi-scale", VOCODING.space, UNCONDITIONAL
    options: Mapping[str, Any] = {"width": 16}


class TestMultiResolution(DiscriminatorContract):
    plugin, name, space, conditions = plugin, "audio/multi-resolution", VOCODING.space, UNCONDITIONAL
    options: Mapping[str, Any] = {"windows": [256, 128], "width": 2}


class TestTogether(DiscriminatorContract):
    plugin, name, space, conditions = plugin, "audio/together", VOCODING.space, UNCONDITIONAL
    options: Mapping[str, Any] = {
        "of": [
            {"use": "audio/multi-period", "periods": [2], "width": 2},
            {"use": "audio/multi-resolution", "windows": [128], "width": 2},
        ]
    }


class TestMelL1(TermContract):
    plugin, name, data = plugin, "audio/mel-l1", VOCODING
    options: Mapping[str, Any] = {"windows": [256, 64], "mels": 20}


class TestLogMagnitude(TermContract):
    plugin, name, data = plugin, "audio/log-magnitude", VOCODING

    def networks(self) -> Mapping[str, nn.Module]:
        with global_seed(0):
            vocoder = GriffinLimVocoder(VOCODING.space, VOCODING.conditions, width=8, blocks=1)
            return {**super().networks(), "generator": vocoder}


class TestMultiResolutionSTFT(TermContract):
    plugin, name, data = plugin, "audio/multi-resolution-stft", VOCODING
