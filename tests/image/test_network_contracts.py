"""The networks for generation keep their interfaces' promises: with labels and without, grey and colour, any shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from sparring.interfaces.space import Space
from sparring.testing import DiscriminatorContract, GeneratorContract
from sparring_image import plugin
from sparring_image.digits import Digits
from sparring_image.spaces import ImageSpace

torch.set_num_threads(1)

DIGITS = Digits()  # grey, 8x8, with labels
WIDE = ImageSpace(3, 8, 12)  # colour, and no square
UNLABELLED: Mapping[str, Space] = {}


class TestDCGANGeneratorOfColour(GeneratorContract):
    plugin, name, space, conditions = plugin, "image/dcgan", WIDE, UNLABELLED
    options: Mapping[str, Any] = {"width": 8}


class TestDCGANGeneratorWithConditionalBatchNorm(GeneratorContract):
    plugin, name, data = plugin, "image/dcgan", DIGITS
    options: Mapping[str, Any] = {"width": 8, "label": "batch-norm"}


class TestDCGANDiscriminatorOfColour(DiscriminatorContract):
    plugin, name, space, conditions = plugin, "image/dcgan", WIDE, UNLABELLED
    options: Mapping[str, Any] = {"width": 8}


class TestDCGANDiscriminatorWithConcatenation(DiscriminatorContract):
    plugin, name, data = plugin, "image/dcgan", DIGITS
    options: Mapping[str, Any] = {"width": 8, "label": "concatenation"}


class TestDCGANDiscriminatorOfPacks(DiscriminatorContract):
    plugin, name, data = plugin, "image/dcgan", DIGITS
    options: Mapping[str, Any] = {"width": 8, "packing": 2}


class TestDCGANDiscriminatorOfPacksWithConcatenation(DiscriminatorContract):
    plugin, name, data = plugin, "image/dcgan", DIGITS
    options: Mapping[str, Any] = {"width": 8, "packing": 3, "label": "concatenation"}


class TestResNetGenerator(GeneratorContract):
    plugin, name, data = plugin, "image/resnet", DIGITS
    options: Mapping[str, Any] = {"width": 8}


class TestResNetGeneratorOfColour(GeneratorContract):
    plugin, name, space, conditions = plugin, "image/resnet", WIDE, UNLABELLED
    options: Mapping[str, Any] = {"width": 8, "depth": 2}


class TestResNetGeneratorWithConcatenation(GeneratorContract):
    plugin, name, data = plugin, "image/resnet", DIGITS
    options: Mapping[str, Any] = {"width": 8, "label": "concatenation"}


class TestResNetDiscriminator(DiscriminatorContract):
    plugin, name, data = plugin, "image/resnet", DIGITS
    options: Mapping[str, Any] = {"width": 8}


class TestResNetDiscriminatorOfColour(DiscriminatorContract):
    plugin, name, space, conditions = plugin, "image/resnet", WIDE, UNLABELLED
    options: Mapping[str, Any] = {"width": 8, "normalization": "none"}


class TestResNetDiscriminatorWithConcatenation(DiscriminatorContract):
    plugin, name, data = plugin, "image/resnet", DIGITS
    options: Mapping[str, Any] = {"width": 8, "label": "concatenation"}


class TestR3GANGenerator(GeneratorContract):
    plugin, name, data = plugin, "image/r3gan", DIGITS
    options: Mapping[str, Any] = {"width": 8, "blocks": 1}


class TestR3GANGeneratorOfColour(GeneratorContract):
    plugin, name, space, conditions = plugin, "image/r3gan", WIDE, UNLABELLED
    options: Mapping[str, Any] = {"width": [16, 8]}


class TestR3GANDiscriminator(DiscriminatorContract):
    plugin, name, data = plugin, "image/r3gan", DIGITS
    options: Mapping[str, Any] = {"width": 8, "blocks": 1}


class TestR3GANDiscriminatorOfColour(DiscriminatorContract):
    plugin, name, space, conditions = plugin, "image/r3gan", WIDE, UNLABELLED
    options: Mapping[str, Any] = {"width": [16, 8]}


class TestR3GANDiscriminatorWithConcatenation(DiscriminatorContract):
    plugin, name, data = plugin, "image/r3gan", DIGITS
    options: Mapping[str, Any] = {"width": 8, "blocks": 1, "label": "concatenation"}


class TestMLPGenerator(GeneratorContract):
    plugin, name, data = plugin, "image/mlp", DIGITS
    options: Mapping[str, Any] = {"width": 8}


class TestMLPGeneratorOfColour(GeneratorContract):
    plugin, name, space, conditions = plugin, "image/mlp", WIDE, UNLABELLED
    options: Mapping[str, Any] = {"width": 8, "depth": 1}
