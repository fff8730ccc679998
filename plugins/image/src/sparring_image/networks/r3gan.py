"""R3GAN: residual networks without normalisation (Huang, Gokaslan, Kuleshov and Tompkin 2025, arXiv:2501.05441).

Letters in names of tensors: B rows of the batch, L latent values, C channels, H rows and W columns of pixels,
F features.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from sparring.errors import DataError
from sparring.interfaces.data import Condition
from sparring.interfaces.discriminator import Critique, Discriminator
from sparring.interfaces.generator import Generator
from sparring.interfaces.space import Space
from sparring_image.networks.conditioning import (
    CriticLabel,
    critic_classes,
    join_label,
    join_label_map,
    label_of,
    latent_of,
    project_label,
)
from sparring_image.networks.sizes import classes_of, halvings, image_shape

NAME = "image/r3gan"
SLOPE = 0.2  # of LeakyReLU below zero
GAIN = math.sqrt(2 / (1 + SLOPE**2))  # keeps the spread of values through a LeakyReLU
EXPANSION = 2  # channels within a block, times those outside
_Layer = TypeVar("_Layer", nn.Conv2d, nn.Linear)


class R3GANGenerator(Generator):
    """Make pictures by residual blocks, enlarged between stages by linear interpolation; no norm, and no tanh.

    The first map is a learned one, each of its channels scaled by a linear function of the latent. The defaults are
    the published ones for CIFAR-10. Values are not bounded: what lies outside [-1, 1] is clipped when it is shown.

    Args:
        space: The pictures' space: ``(C, H, W)`` in [-1, 1].
        conditions: None, or ``label``, whose embedding is laid beside the latent and has its length.
        latent_dim: Length of the latent vector.
        width: Channels of each stage, from the smallest map to the picture's size; or one number for all.
        blocks: Residual blocks of each stage, likewise.
        group_width: Channels of each group of the 3x3 convolutions; twice every width is a multiple of it. The paper
            has 16, and 32 for ImageNet.
        start: Rows (of the shorter side) of the first feature map. By default between 4 and 7, as the size allows.
    """

    def __init__(
        self,
        space: Space,
        conditions: Mapping[str, Space],
        latent_dim: int = 64,
        width: int | list[int] = 768,
        blocks: int | list[int] = 2,
        group_width: int = 16,
        start: int | None = None,
    ) -> None:
        super().__init__()
        channels, height, pixel_width = image_shape(space, NAME)
        doublings = halvings(height, pixel_width, start, NAME)
        classes = classes_of(conditions, NAME)
        widths, depths = _per_stage(width, doublings, "width"), _per_stage(blocks, doublings, "blocks")
        self.latent_shape = (latent_dim,)
        self.embedding = _embedding(classes, latent_dim) if classes else None
        self.basis = nn.Parameter(torch.randn(widths[0], height >> doublings, pixel_width >> doublings))
        self.project = _linear(latent_dim * (2 if classes else 1), widths[0])
        self.stages = nn.ModuleList()
        for index, (wide, depth) in enumerate(zip(widths, depths, strict=True)):
            stage = [Block(wide, group_width, total=sum(depths)) for _ in range(depth)]
            before: list[nn.Module] = [] if index == 0 else [Doubling(widths[index - 1], wide)]
            self.stages.append(nn.Sequential(*before, *stage))
        self.to_picture = _convolution(widths[-1], channels, 1, gain=1.0)

    def forward(self, latent: Tensor | None, condition: Condition) -> Tensor:
        """Make ``(B, C, H, W)`` from ``(B, latent_dim)`` and, where there are labels, ``label`` ``(B,)``."""
        latent_BL = latent_of(latent, NAME)
        if self.embedding is not None:
            latent_BL = join_label(latent_BL, label_of(condition, NAME), self.embedding)
        scale_BC = self.project(latent_BL)
        hidden_BCHW = self.basis * scale_BC[:, :, None, None]
        for stage in self.stages:
            hidden_BCHW = stage(hidden_BCHW)
        picture_BCHW: Tensor = self.to_picture(hidden_BCHW)
        return picture_BCHW


class R3GANDiscriminator(Discriminator):
    """Judge pictures by residual blocks, with averages between stages: the generator's mirror image.

    The last map becomes features by one learned weighting for each channel. The defaults are the published ones for
    CIFAR-10.

    Args:
        space: The pictures' space: ``(C, H, W)`` in [-1, 1].
        conditions: None, or ``label``.
        width: Channels of each stage, from the smallest map to the picture's size; or one number for all.
        blocks: Residual blocks of each stage, likewise.
        group_width: Channels of each group of the 3x3 convolutions; twice every width is a multiple of it. The paper
            has 16, and 32 for ImageNet.
        start: Rows (of the shorter side) of the last feature map. By default between 4 and 7, as the size allows.
        label: How a class label enters, where the data have one: by ``projection``, as in the paper, where the logit
            is the inner product of features and the label's embedding; by ``concatenation``, as one more channel of
            the picture (Mirza and Osindero 2014); or ``none`` to leave it unseen, as within ``heads`` with
            ``label: true``.
    """

    def __init__(
        self,
        space: Space,
        conditions: Mapping[str, Space],
        width: int | list[int] = 768,
        blocks: int | list[int] = 2,
        group_width: int = 16,
        start: int | None = None,
        label: CriticLabel = "projection",
    ) -> None:
        super().__init__()
        channels, height, pixel_width = image_shape(space, NAME)
        halved = halvings(height, pixel_width, start, NAME)
        classes = critic_classes(conditions, label, NAME)
        widths, depths = _per_stage(width, halved, "width"), _per_stage(blocks, halved, "blocks")
        with_map = label == "concatenation" and classes > 0
        self.label_map = nn.Embedding(classes, height * pixel_width) if with_map else None
        self.from_picture = _convolution(channels + (1 if with_map else 0), widths[-1], 1, gain=1.0)
        self.stages = nn.ModuleList()
        for index in reversed(range(halved + 1)):
            stage = [Block(widths[index], group_width, total=sum(depths)) for _ in range(depths[index])]
            after: list[nn.Module] = [] if index == 0 else [Halving(widths[index], widths[index - 1])]
            self.stages.append(nn.Sequential(*stage, *after))
        features = widths[0]
        last = (height >> halved, pixel_width >> halved)
        self.to_features = _fill(nn.Conv2d(features, features, last, groups=features, bias=False))
        projected = label == "projection" and classes > 0
        self.head = _linear(features, features if projected else 1)
        self.embedding = _embedding(classes, features, gain=1 / math.sqrt(features)) if projected else None

    def forward(self, sample: Tensor, condition: Condition, lengths: Tensor | None = None) -> Critique:
        """Judge ``(B, C, H, W)``: logits ``(B,)``; each stage's output and the features before the head as features."""
        if self.label_map is not None:
            sample = join_label_map(sample, label_of(condition, NAME), self.label_map)
        hidden_BCHW, features = self.from_picture(sample), []
        for stage in self.stages:
            hidden_BCHW = stage(hidden_BCHW)
            features.append(hidden_BCHW)
        hidden_BF = self.to_features(hidden_BCHW).flatten(1)
        answer_BF = self.head(hidden_BF)
        if self.embedding is None:
            logit_B = answer_BF.squeeze(1)
        else:
            logit_B = project_label(answer_BF, label_of(condition, NAME), self.embedding)
        return Critique((logit_B,), ((*features, hidden_BF),))


class Block(nn.Module):
    """An inverted bottleneck beside a shortcut: 1x1 to twice the channels, 3x3 in groups, and 1x1 back.

    The first weights follow Fixup (Zhang, Dauphin and Ma 2019): the last convolution starts at zero, so that every
    block starts as the identity; the others are smaller the more blocks there are.

    Args:
        width: Channels.
        group_width: Channels of each group of the 3x3 convolution.
        total: Blocks of the whole network.
    """

    def __init__(self, width: int, group_width: int, *, total: int) -> None:
        super().__init__()
        inner = EXPANSION * width
        if inner % group_width:
            raise ValueError(f"width is {width}, and twice that must be a multiple of group_width, {group_width}")
        # The root of depth that keeps a step's effect the same: L^(-1 / (2m − 2)), with m = 3 layers in a block.
        gain = GAIN * total ** (-1 / 4)
        # The paper's convolutions have no bias, and its activations add one first: the same in another place.
        self.residual = nn.Sequential(
            _convolution(width, inner, 1, gain=gain, bias=True),
            nn.LeakyReLU(SLOPE),
            _convolution(inner, inner, 3, groups=inner // group_width, gain=gain, bias=True),
            nn.LeakyReLU(SLOPE),
            _convolution(inner, width, 1, gain=0.0),
        )

    def forward(self, hidden_BCHW: Tensor) -> Tensor:
        """Return ``(B, C, H, W)`` of the same size."""
        added_BCHW: Tensor = hidden_BCHW + self.residual(hidden_BCHW)
        return added_BCHW


class Halving(nn.Module):
    """Halve the size by averages weighted [1, 2, 1] each way, and change the channels where they differ.

    Args:
        channels: Channels of what comes in.
        width: Channels of what goes out.
    """

    kernel: Tensor

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.register_buffer("kernel", _averages(), persistent=False)
        self.change = _convolution(channels, width, 1, gain=1.0) if channels != width else nn.Identity()

    def forward(self, hidden_BCHW: Tensor) -> Tensor:
        """Return ``(B, width, H / 2, W / 2)``."""
        channels = hidden_BCHW.shape[1]
        weight = self.kernel.expand(channels, 1, 3, 3)
        smaller_BCHW: Tensor = self.change(functional.conv2d(hidden_BCHW, weight, stride=2, padding=1, groups=channels))
        return smaller_BCHW


class Doubling(nn.Module):
    """Change the channels where they differ, and double the size by linear interpolation: ``Halving``, transposed.

    Args:
        channels: Channels of what comes in.
        width: Channels of what goes out.
    """

    kernel: Tensor

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        # Three of four of the larger map's values are zeros before the average is taken.
        self.register_buffer("kernel", 4 * _averages(), persistent=False)
        self.change = _convolution(channels, width, 1, gain=1.0) if channels != width else nn.Identity()

    def forward(self, hidden_BCHW: Tensor) -> Tensor:
        """Return ``(B, width, 2H, 2W)``."""
        changed_BCHW: Tensor = self.change(hidden_BCHW)
        width = changed_BCHW.shape[1]
        weight = self.kernel.expand(width, 1, 3, 3)
        return functional.conv_transpose2d(changed_BCHW, weight, stride=2, padding=1, output_padding=1, groups=width)


def _averages() -> Tensor:
    """Return the weights ``(1, 1, 3, 3)`` of averages over [1, 2, 1] both ways."""
    line = torch.tensor([1.0, 2.0, 1.0]) / 4
    return torch.outer(line, line)[None, None]


def _convolution(
    channels: int, width: int, kernel: int, *, gain: float, groups: int = 1, bias: bool = False
) -> nn.Conv2d:
    return _fill(nn.Conv2d(channels, width, kernel, padding=kernel // 2, groups=groups, bias=bias), gain)


def _linear(inputs: int, outputs: int) -> nn.Linear:
    return _fill(nn.Linear(inputs, outputs, bias=False))


def _fill(layer: _Layer, gain: float = 1.0) -> _Layer:
    """Draw weights from N(0, gain² / fan-in), and set biases to zero."""
    nn.init.normal_(layer.weight, 0.0, gain / math.sqrt(layer.weight[0].numel()))
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def _embedding(classes: int, size: int, gain: float = 1.0) -> nn.Embedding:
    """Return an embedding as a linear function of a one-hot label, whose fan-in is the number of classes."""
    embedding = nn.Embedding(classes, size)
    nn.init.normal_(embedding.weight, 0.0, gain / math.sqrt(classes))
    return embedding


def _per_stage(asked: int | list[int], halved: int, option: str) -> list[int]:
    """Return an option's value for each stage."""
    stages = halved + 1
    values = [asked] * stages if isinstance(asked, int) else list(asked)
    if len(values) != stages:
        raise DataError(
            f"{NAME} has {stages} stages for these pictures, and {option} gives {len(values)}",
            where=option,
            remedy=f"give {stages} numbers, from the smallest map to the picture's size, or one for all",
        )
    if min(values) < 1:
        raise DataError(f"{option} is {asked}, and must be above 0", where=option, remedy="give numbers above 0")
    return values
