"""Every component of the plugin keeps its interface's promises."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import pytest
import torch

from sparring import Batch
from sparring.testing import (
    AugmentationContract,
    DataContract,
    DiscriminatorContract,
    EncoderContract,
    GeneratorContract,
    MetricContract,
    RewardContract,
    SpaceContract,
    TermContract,
    contracts_in,
    covers,
)
from sparring_image import plugin
from sparring_image.digits import Digits
from sparring_image.emoji import EmojiPairs
from sparring_image.masked import Masked
from sparring_image.stacked import StackedDigits
from tests.image import test_network_contracts, test_pretrained_contracts
from tests.image.files import fill, write_dataset, write_emoji, write_fashion, write_mnist

torch.set_num_threads(1)

DIGITS = Digits()
FILES = TemporaryDirectory()  # removed when the process ends
fill(Path(FILES.name) / "images" / "a", 15)
fill(Path(FILES.name) / "images" / "b", 15, seed=1)
write_mnist(Path(FILES.name) / "mnist")
write_fashion(Path(FILES.name) / "fashion")
HAS_DATASETS = importlib.util.find_spec("datasets") is not None
if HAS_DATASETS:
    write_dataset(Path(FILES.name) / "dataset")
write_emoji(Path(FILES.name) / "emoji")
PAIRS = EmojiPairs(Path(FILES.name) / "emoji", side=8)
HOLES = Masked(DIGITS)


def with_codes(batch: Batch) -> Batch:
    """Return samples as a generator would give them, whose code is the label."""
    sample = batch.sample
    codes = {"code.0": batch.condition["label"], "code.continuous": sample.mean((1, 2, 3))[:, None]}
    return Batch(sample, batch.condition, extras=codes)


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


class TestFashionMnist(DataContract):
    plugin, name = plugin, "image/fashion-mnist"
    options: Mapping[str, Any] = {"path": f"{FILES.name}/fashion"}


class TestFewOfFashionMnist(DataContract):
    plugin, name = plugin, "image/fashion-mnist"
    options: Mapping[str, Any] = {**TestFashionMnist.options, "per_class": 2}


@pytest.mark.skipif(not HAS_DATASETS, reason="the package datasets is not installed")
class TestHuggingFace(DataContract):
    plugin, name = plugin, "image/hugging-face"
    options: Mapping[str, Any] = {"dataset": f"{FILES.name}/dataset/saved", "height": 8, "width": 8}


class TestStackedDigits(DataContract):
    plugin, name = plugin, "image/stacked-digits"
    options: Mapping[str, Any] = {"count": 512}


class TestStackedMnist(DataContract):
    plugin, name = plugin, "image/stacked-digits"
    options: Mapping[str, Any] = {"of": {"use": "image/mnist-5000", "path": f"{FILES.name}/mnist"}, "count": 100}


class TestEmojiPairs(DataContract):
    plugin, name = plugin, "image/emoji-pairs"
    options: Mapping[str, Any] = {"path": f"{FILES.name}/emoji", "side": 8}


class TestBrokenEmojiPairs(DataContract):
    plugin, name = plugin, "image/emoji-pairs"
    options: Mapping[str, Any] = {**TestEmojiPairs.options, "condition": "unpaired"}


class TestLabelledEmoji(DataContract):
    plugin, name = plugin, "image/emoji-pairs"
    options: Mapping[str, Any] = {**TestEmojiPairs.options, "condition": "label", "skin_tones": False}


class TestMasked(DataContract):
    plugin, name = plugin, "image/masked"
    options: Mapping[str, Any] = {"of": "image/digits"}


class TestMaskedByHalf(DataContract):
    plugin, name = plugin, "image/masked"
    options: Mapping[str, Any] = {**TestMasked.options, "hole": "half"}


class TestMaskedByStrokes(DataContract):
    plugin, name = plugin, "image/masked"
    options: Mapping[str, Any] = {**TestMasked.options, "hole": "strokes", "size": 0.7}


class TestOutlines(DataContract):
    plugin, name = plugin, "image/outlines"
    options: Mapping[str, Any] = {"of": "image/digits"}


class TestThinOutlines(DataContract):
    plugin, name = plugin, "image/outlines"
    options: Mapping[str, Any] = {"of": {"use": "image/folder", **TestFolder.options}, "shrink": 2}


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


class TestUNet(GeneratorContract):
    plugin, name, data = plugin, "image/unet", PAIRS
    options: Mapping[str, Any] = {"width": 8}


class TestUNetOfHoles(GeneratorContract):
    plugin, name, data = plugin, "image/unet", HOLES
    options: Mapping[str, Any] = {"width": 8, "start": 1, "normalization": "instance", "dropout": 0}


class TestTranslator(GeneratorContract):
    plugin, name, data = plugin, "image/translator", PAIRS
    options: Mapping[str, Any] = {"width": 8, "blocks": 1}


class TestInpainter(GeneratorContract):
    plugin, name, data = plugin, "image/inpainter", HOLES
    options: Mapping[str, Any] = {"width": 8}


class TestPatches(DiscriminatorContract):
    plugin, name, data = plugin, "image/patch", PAIRS
    options: Mapping[str, Any] = {"width": 8}


class TestPatchesByBatchNorm(DiscriminatorContract):
    plugin, name, data = plugin, "image/patch", HOLES
    options: Mapping[str, Any] = {"width": 8, "normalization": "batch"}


class TestPatchesByInstanceNorm(DiscriminatorContract):
    plugin, name, data, conditions = plugin, "image/patch", PAIRS, {}
    options: Mapping[str, Any] = {"width": 8, "normalization": "instance", "conditional": False}
    expected_failures: ClassVar[Mapping[str, str]] = {
        "test_conditions_change_the_critique": "it is told to look at the sample alone"
    }


class TestDiffAugment(AugmentationContract):
    plugin, name, data = plugin, "image/diff-augment", DIGITS


class TestAdaptiveAugment(AugmentationContract):
    plugin, name, data = plugin, "image/adaptive", DIGITS
    options: Mapping[str, Any] = {"horizon": 5000}  # from 0 to 0.8 by the five times that the contract adapts it


class TestClassifier(EncoderContract):
    plugin, name, data = plugin, "image/classifier", DIGITS
    options: Mapping[str, Any] = {"steps": 100}


class TestRandomFeatures(EncoderContract):
    plugin, name, data = plugin, "image/random-features", DIGITS


class TestIntraClass(MetricContract):
    plugin, name, data = plugin, "image/intra-class", DIGITS
    options: Mapping[str, Any] = {"encoder": "image/random-features"}


class TestStackedModes(MetricContract):
    plugin, name, data = plugin, "image/stacked-modes", StackedDigits(DIGITS, count=512)
    options: Mapping[str, Any] = {"steps": 300}  # with fewer it sees all classes in noise


class TestCodeInformation(MetricContract):
    plugin, name, data = plugin, "image/code-information", DIGITS
    options: Mapping[str, Any] = {"encoder": {"use": "image/classifier", "steps": 100}}

    def real(self) -> Batch:
        """Return digits whose code is what they show."""
        return with_codes(super().real())

    def noise(self) -> Batch:
        """Return pictures of nothing, with the same codes."""
        return with_codes(super().noise())


class TestPairError(MetricContract):
    plugin, name, data = plugin, "image/pair-error", PAIRS


class TestErrorInHoles(MetricContract):
    plugin, name, data = plugin, "image/pair-error", HOLES


class TestPerceptual(TermContract):
    plugin, name, data = plugin, "image/perceptual", DIGITS
    options: Mapping[str, Any] = {"encoder": "image/random-features"}


class TestFewLabels(MetricContract):
    plugin, name, data = plugin, "image/few-labels", DIGITS
    options: Mapping[str, Any] = {"steps": 30, "share": 0.5, "repeats": 1}
    rows = 64


class TestInk(RewardContract):
    plugin, name, data = plugin, "image/ink", DIGITS


class TestSlant(RewardContract):
    plugin, name, data = plugin, "image/slant", DIGITS


class TestConfidence(MetricContract):
    plugin, name, data = plugin, "image/confidence", DIGITS
    options: Mapping[str, Any] = {"encoder": {"use": "image/classifier", "steps": 100}}


def test_every_component_is_under_contract() -> None:
    covers(
        plugin,
        *contracts_in(globals()),
        *contracts_in(vars(test_network_contracts)),
        *contracts_in(vars(test_pretrained_contracts)),
    )
