"""Pretrained networks: our own code against the published ones, known answers, and files that are not theirs."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from sklearn.datasets import load_sample_images

from sparring.errors import DataError
from sparring.plugins.registry import Registry
from sparring.spaces.point import PointSpace
from sparring_image.backbones import MAP_CHANNELS, MAP_STRIDES, EfficientNetLite0, efficientnet_lite0, resize
from sparring_image.inception import Inception
from sparring_image.pretrained import EfficientNetLite0Encoder, InceptionEncoder
from sparring_image.spaces import ImageSpace
from tests.image.weights import published_efficientnet, require, write_efficientnet, write_inception

torch.set_num_threads(1)

CATS = {281, 282, 285}  # tabby, tiger cat, Egyptian cat
PALACE, DAISY = 698, 985


@pytest.fixture(scope="module")
def efficientnet_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_efficientnet(tmp_path_factory.mktemp("weights") / "efficientnet.pth")


@pytest.fixture(scope="module")
def inception_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_inception(tmp_path_factory.mktemp("weights") / "inception.pth")


@pytest.fixture(scope="module")
def inception_encoder(inception_file: Path) -> InceptionEncoder:
    return InceptionEncoder(ImageSpace(1, 32, 32), inception_file)


def pictures(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


# ---- EfficientNet-lite0 ----


def test_its_size_is_the_published_one() -> None:
    """Of 4,694,073 values, batch norms' means and variances, and their counters, fall away; gains fold into weights."""
    network = EfficientNetLite0()
    folded = sum(value.numel() for value in network.parameters())
    channels = sum(len(value) for name, value in network.named_parameters() if name.endswith("layer.bias"))
    norms = sum(name.endswith("layer.bias") for name, _ in network.named_parameters())
    assert folded + 3 * channels + norms == 4_694_073


@pytest.mark.parametrize(("height", "width"), [(32, 32), (64, 96)])
def test_maps_and_features_have_their_shapes(height: int, width: int, efficientnet_file: Path) -> None:
    network, _ = efficientnet_lite0(efficientnet_file)
    picture = pictures(2, 3, height, width)
    shapes = [tuple(one.shape) for one in network.maps(picture)]
    expected = zip(MAP_CHANNELS, MAP_STRIDES, strict=True)
    assert shapes == [(2, channels, height // stride, width // stride) for channels, stride in expected]
    assert network(picture).shape == (2, 1280)
    assert network.logits(picture).shape == (2, 1000)
    assert not any(value.requires_grad for value in network.parameters())


def test_batch_norms_are_folded_in(efficientnet_file: Path) -> None:
    """The first layer, computed with its batch norm as published, is what ours gives."""
    published = torch.load(efficientnet_file, weights_only=True)
    network, _ = efficientnet_lite0(efficientnet_file)
    picture = pictures(2, 3, 32, 32)
    plain = F.conv2d(F.pad(picture, (0, 1, 0, 1)), published["_conv_stem.weight"], stride=2)
    mean, variance, gain, bias = (
        published[f"_bn0.{name}"] for name in ("running_mean", "running_var", "weight", "bias")
    )
    expected = F.relu6(F.batch_norm(plain, mean, variance, gain, bias, eps=1e-3))
    torch.testing.assert_close(network.stem(picture), expected, atol=1e-5, rtol=1e-4)


def test_it_agrees_with_the_published_network() -> None:
    file = published_efficientnet()
    require("efficientnet_lite_pytorch", "efficientnet-lite-pytorch==0.1.0")
    published = importlib.import_module("efficientnet_lite_pytorch").EfficientNet
    theirs = published.from_pretrained("efficientnet-lite0", weights_path=str(file)).eval()
    ours, _ = efficientnet_lite0(file)
    for side in (64, 224):
        picture = pictures(2, 3, side, side)
        with torch.no_grad():
            expected = theirs(picture)
        torch.testing.assert_close(ours.logits(picture), expected, atol=1e-3, rtol=1e-4)


def test_it_knows_a_palace_and_a_flower() -> None:
    """scikit-learn's two photos: a Chinese palace and a dahlia, for which ImageNet's nearest class is the daisy."""
    network, _ = efficientnet_lite0(published_efficientnet())
    space = ImageSpace(3, 224, 224)
    photos = torch.stack([space.encode(Image.fromarray(image)) for image in load_sample_images().images])
    share, likeliest = network.logits(photos).softmax(dim=1).max(dim=1)
    assert likeliest.tolist() == [PALACE, DAISY]
    assert share.tolist() == pytest.approx([0.302, 0.215], abs=0.02)


def test_it_knows_a_cat() -> None:
    file = published_efficientnet()
    photo = require("skimage", "scikit-image") / "data" / "chelsea.png"
    network, _ = efficientnet_lite0(file)
    sample = ImageSpace(3, 224, 224).encode(photo)
    likely = network.logits(sample[None]).softmax(dim=1)[0].topk(3)
    assert set(likely.indices.tolist()) == CATS
    assert likely.values.sum() > 0.8


@pytest.mark.parametrize(
    ("shape", "side", "expected"),
    [
        ((2, 1, 28, 28), 64, (2, 3, 64, 64)),
        ((1, 3, 64, 64), 64, (1, 3, 64, 64)),
        ((1, 3, 100, 150), 64, (1, 3, 64, 96)),
        ((1, 1, 8, 80), 32, (1, 3, 32, 320)),
        ((1, 3, 500, 300), 128, (1, 3, 224, 128)),
    ],
)
def test_pictures_are_resized(shape: tuple[int, ...], side: int, expected: tuple[int, ...]) -> None:
    picture = pictures(*shape)
    found = resize(picture, side)
    assert found.shape == expected
    assert found.mean().item() == pytest.approx(picture.mean().item(), abs=0.05)


# ---- encoders ----


@pytest.mark.parametrize("channels", [1, 3])
def test_the_encoder_gives_pooled_features(channels: int, efficientnet_file: Path) -> None:
    space = ImageSpace(channels, 20, 20)  # type: ignore[arg-type]
    encoder = EfficientNetLite0Encoder(space, efficientnet_file, side=32)
    assert encoder.name == "efficientnet-lite0-32"
    features = encoder(pictures(3, channels, 20, 20))
    assert features.shape == (3, 1280)
    assert features.min() >= 0
    assert [one.shape[1] for one in encoder.feature_maps(pictures(3, channels, 20, 20))] == list(MAP_CHANNELS)


def test_the_encoder_says_where_its_weights_come_from() -> None:
    target = Registry().find("encoder", "image/efficientnet-lite0").load()
    assert target.source.licence == "Apache-2.0"  # type: ignore[attr-defined]


def test_missing_weights_say_how_to_have_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARRING_DATA", str(tmp_path))
    monkeypatch.setattr("sparring_image.backbones.PACKAGE", "no_such_package")
    with pytest.raises(DataError) as caught:
        efficientnet_lite0()
    assert "sparring data fetch image/efficientnet-lite0" in caught.value.remedy
    with pytest.raises(DataError, match="no such file"):
        efficientnet_lite0(tmp_path / "nothing.pth")


def test_what_does_not_fit_is_refused(efficientnet_file: Path) -> None:
    with pytest.raises(ValueError, match="side is 100"):
        EfficientNetLite0Encoder(ImageSpace(3, 8, 8), efficientnet_file, side=100)
    with pytest.raises(DataError, match="works on images"):
        EfficientNetLite0Encoder(PointSpace(2), efficientnet_file)


@pytest.mark.parametrize("content", ["text", "other", "tensor"])
def test_files_that_hold_something_else(content: str, tmp_path: Path) -> None:
    file = tmp_path / "weights.pth"
    if content == "text":
        file.write_text("no weights")
    else:
        torch.save({"layer.weight": torch.zeros(2)} if content == "other" else torch.zeros(2), file)
    with pytest.raises(DataError, match="no weights of EfficientNet-lite0"):
        efficientnet_lite0(file)
    with pytest.raises(DataError, match="no weights of the FID's Inception") as caught:
        InceptionEncoder(ImageSpace(3, 8, 8), file)
    assert "pytorch-fid" in caught.value.remedy


# ---- Inception ----


def test_inception_has_the_published_size() -> None:
    """Keras counts 21,768,352 trained values without gains, and one bias for each channel (17,216) in our folding."""
    network = Inception()
    biases = sum(value.numel() for name, value in network.named_parameters() if name.endswith(".bias"))
    assert biases == 17_216
    assert sum(value.numel() for value in network.parameters()) == 21_768_352
    assert sum(name.endswith(".weight") for name, _ in network.named_parameters()) == 94


def test_inception_features_are_named_by_their_weights(inception_encoder: InceptionEncoder) -> None:
    # Random weights are no FID, and are not called so.
    assert inception_encoder.name.startswith("inception-")
    assert "fid" not in inception_encoder.name
    sample = pictures(1, 1, 32, 32)
    features = inception_encoder(sample)
    assert features.shape == (1, 2048)
    assert features.isfinite().all()
    assert features.std() > 0
    # Samples are rounded to 8 bits, as files are: smaller differences leave no trace.
    assert torch.equal(inception_encoder(((sample + 1) * 127.5).round() / 127.5 - 1), features)


def test_the_published_weights_make_it_a_fid(
    inception_encoder: InceptionEncoder, inception_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = inception_encoder.name.removeprefix("inception-")
    monkeypatch.setattr("sparring_image.pretrained.FID_HASH", known)
    assert InceptionEncoder(ImageSpace(1, 32, 32), inception_file).name == "fid-inception"


def test_inception_without_a_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read: No such file"):
        InceptionEncoder(ImageSpace(3, 8, 8), tmp_path / "nothing.pth")
