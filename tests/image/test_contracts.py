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
from sparring_image import plugin
from sparring_image.digits import Digits
from tests.image.files import fill, write_mnist

torch.set_num_threads(1)

DIGITS = Digits()
FILES = TemporaryDirectory()  # removed when the process ends
fill(Path(FILES.name) / "images" / "a", 15)
fill(Path(FILES.name) / "images" / "b", 15, seed=1)
write_mnist(Path(FILES.name) / "mnist")


class TestDigits(DataContract):
    plugin, name = plugin, "image/digits"


class TestFolder(DataContract):
    plugin, name = plugin, "image/folder"
    options: Mapping[str, Any] = {"path": f"{FILES.name}/images", "height": 8, "width": 8}


class TestFolderReadOnTheFly(DataContract):
    plugin, name = plugin, "image/folder"
    options: Mapping[str, Any] = {**TestFolder.options, "flip": True, "memory": 0}


class TestMnist(DataContract):
    plugin, name = plugin, "image/mnist-5000"
    options: Mapping[str, Any] = {"path": f"{FILES.name}/mnist"}


class TestImageSpace(SpaceContract):
    plugin, name = plugin, "image/image"
    options: Mapping[str, Any] = {"channels": 3, "height": 8, "width": 6}
    tolerance = 1 / 255 + 1e-6  # half a step of 8 bits


class TestGenerator(GeneratorContract):
    plugin, name, data = plugin, "image/dcgan", DIGITS
    options: Mapping[str, Any] = {"width": 8}


class TestDiscriminator(DiscriminatorContract):
    plugin, name, data = plugin, "image/dcgan", DIGITS
    options: Mapping[str, Any] = {"width": 8}


class TestSpectralDiscriminator(DiscriminatorContract):
    plugin, name, data = plugin, "image/dcgan", DIGITS
    options: Mapping[str, Any] = {"width": 8, "normalization": "spectral"}


class TestBatchNormDiscriminator(DiscriminatorContract):
    plugin, name, data = plugin, "image/dcgan", DIGITS
    options: Mapping[str, Any] = {"width": 8, "normalization": "batch"}


class TestClassifier(EncoderContract):
    plugin, name, data = plugin, "image/classifier", DIGITS
    options: Mapping[str, Any] = {"steps": 100}


class TestRandomFeatures(EncoderContract):
    plugin, name, data = plugin, "image/random-features", DIGITS


class TestConfidence(MetricContract):
    plugin, name, data = plugin, "image/confidence", DIGITS
    options: Mapping[str, Any] = {"encoder": {"use": "image/classifier", "steps": 100}}


def test_every_component_is_under_contract() -> None:
    covers(plugin, *contracts_in(globals()))
