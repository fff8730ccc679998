"""SNGAN's residual networks (Miyato, Kataoka, Koyama and Yoshida 2018, arXiv:1802.05957).

Letters in names of tensors: B rows of the batch, L latent values, C channels, H rows and W columns of pixels,
F features.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from sparring.interfaces.data import Condition
from sparring.interfaces.discriminator import Critique, Discriminator
from sparring.interfaces.generator import Generator
from sparring.interfaces.space import Space
from sparring_image.networks.conditioning import (
    CriticLabel,
    GeneratorLabel,
    batch_norm,
    critic_classes,
    join_label,
    join_label_map,
    label_embeddings,
    label_of,
    latent_of,
    project_label,
    through,
)
from sparring_image.networks.sizes import classes_of, halvings, image_shape

NAME = "image/resnet"
SMALLEST_LAST = 7  # rows on which the critic ends: the published one, for 32x32, ends on 8 of them
Normalization = Literal["spectral", "none"]


class ResNetGenerator(Generator):
    """Make pictures by residual blocks that each double the size, with batch norm and tanh.

    With the defaults it is the paper's generator for CIFAR-10, 32x32: three blocks of 256 channels from a 4x4 map.
    Other sizes get as many blocks as they halve evenly.

    Args:
        space: The pictures' space: ``(C, H, W)`` in [-1, 1].
        conditions: None, or ``label``.
        latent_dim: Length of the latent vector.
        width: Channels of every block.
        depth: Residual blocks at each size, of which the first doubles it.
        start: Rows (of the shorter side) of the first feature map. By default between 4 and 7, as the size allows.
        label: How a class label enters, where the data have one: by conditional ``batch-norm``, with a gain and a bias
            for each class, as in Miyato and Koyama 2018 (arXiv:1802.05637); or by ``concatenation``, as an embedding
            beside the latent.
        label_dim: Length of a label's embedding beside the latent.
    """

    def __init__(
        self,
        space: Space,
        conditions: Mapping[str, Space],
        latent_dim: int = 128,
        width: int = 256,
        depth: int = 1,
        start: int | None = None,
        label: GeneratorLabel = "batch-norm",
        label_dim: int = 16,
    ) -> None:
        super().__init__()
        channels, height, pixel_width = image_shape(space, NAME)
        doublings = halvings(height, pixel_width, start, NAME)
        classes = classes_of(conditions, NAME)
        if depth < 1:
            raise ValueError(f"depth is {depth}, and must be at least 1: a block doubles the size")
        self.labelled = classes > 0
        self.latent_shape = (latent_dim,)
        self.start_shape = (width, height >> doublings, pixel_width >> doublings)
        joined = label == "concatenation" and classes > 0
        self.embedding = nn.Embedding(classes, label_dim) if joined else None
        inputs = latent_dim + (label_dim if joined else 0)
        self.project = _linear(inputs, math.prod(self.start_shape), "none")
        normed = classes if label == "batch-norm" else 0
        self.blocks = nn.ModuleList(
            _GeneratorBlock(width, normed, double=index == 0) for _ in range(doublings) for index in range(depth)
        )
        self.to_picture = nn.Sequential(
            nn.BatchNorm2d(width), nn.ReLU(), _convolution(width, channels, 3, "none", gain=1.0), nn.Tanh()
        )

    def forward(self, latent: Tensor | None, condition: Condition) -> Tensor:
        """Make ``(B, C, H, W)`` in [-1, 1] from ``(B, latent_dim)`` and, where there are labels, ``label`` ``(B,)``."""
        latent_BL = latent_of(latent, NAME)
        label_B = label_of(condition, NAME) if self.labelled else None
        if self.embedding is not None:
            latent_BL = join_label(latent_BL, label_of(condition, NAME), self.embedding)
        hidden_BCHW = self.project(latent_BL).unflatten(1, self.start_shape)
        for block in self.blocks:
            hidden_BCHW = block(hidden_BCHW, label_B)
        picture_BCHW: Tensor = self.to_picture(hidden_BCHW)
        return picture_BCHW


class ResNetDiscriminator(Discriminator):
    """Judge pictures by residual blocks, the first of which halve the size, and by a sum over positions at the end.

    With the defaults it is the paper's discriminator for CIFAR-10, 32x32: two blocks that halve and two that do not,
    of 128 channels.

    Args:
        space: The pictures' space: ``(C, H, W)`` in [-1, 1].
        conditions: None, or ``label``.
        width: Channels of every block.
        depth: Residual blocks after the last that halves.
        start: Rows (of the shorter side) of the last feature map. By default between 7 and 13, as the size allows;
            pictures below 14 pixels end on fewer.
        normalization: ``spectral``, as in the paper; or ``none``, which gradient penalties ask for (WGAN-GP, R1).
        label: How a class label enters, where the data have one: by ``projection`` (Miyato and Koyama 2018); by
            ``concatenation``, as one more channel of the picture (Mirza and Osindero 2014); or ``none`` to leave it
            unseen, as within ``heads`` with ``label: true``.
    """

    def __init__(
        self,
        space: Space,
        conditions: Mapping[str, Space],
        width: int = 128,
        depth: int = 2,
        start: int | None = None,
        normalization: Normalization = "spectral",
        label: CriticLabel = "projection",
    ) -> None:
        super().__init__()
        channels, height, pixel_width = image_shape(space, NAME)
        halved = critic_halvings(height, pixel_width, start)
        classes = critic_classes(conditions, label, NAME)
        self.label_map, self.embedding = label_embeddings(label, classes, features=width, pixels=height * pixel_width)
        channels += 0 if self.label_map is None else 1
        self.blocks = nn.ModuleList()
        for index in range(halved + depth):
            inputs = channels if index == 0 else width
            self.blocks.append(_CriticBlock(inputs, width, normalization, halve=index < halved, first=index == 0))
        self.head = _linear(width, 1, normalization)
        if self.embedding is not None:
            nn.init.xavier_uniform_(self.embedding.weight)
            if normalization == "spectral":
                spectral_norm(self.embedding)  # in place

    def forward(self, sample: Tensor, condition: Condition, lengths: Tensor | None = None) -> Critique:
        """Judge ``(B, C, H, W)``: logits ``(B,)``; each block's output and the sum over positions as features."""
        if self.label_map is not None:
            sample = join_label_map(sample, label_of(condition, NAME), self.label_map)
        hidden_BCHW, features = sample, []
        for block in self.blocks:
            hidden_BCHW = block(hidden_BCHW)
            features.append(hidden_BCHW)
        hidden_BF = functional.relu(hidden_BCHW).sum(dim=(2, 3))
        logit_B = self.head(hidden_BF).squeeze(1)
        if self.embedding is not None:
            logit_B = logit_B + project_label(hidden_BF, label_of(condition, NAME), self.embedding)
        return Critique((logit_B,), ((*features, hidden_BF),))


def critic_halvings(height: int, width: int, start: int | None) -> int:
    """Return how many blocks of the critic halve the size: until its shorter side has 7 to 13 rows, or ``start``.

    Raises:
        DataError: The size does not halve evenly.
    """
    count = halvings(height, width, start, NAME)
    ends_early = start is None and count > 1 and min(height, width) >> count < SMALLEST_LAST
    return count - 1 if ends_early else count


class _GeneratorBlock(nn.Module):
    """Two 3x3 convolutions, each after batch norm and ReLU, beside a shortcut: ``(B, C, H, W)``, doubled if asked."""

    def __init__(self, width: int, classes: int, *, double: bool) -> None:
        super().__init__()
        larger: list[nn.Module] = [nn.Upsample(scale_factor=2)] if double else []
        self.residual = nn.Sequential(
            batch_norm(width, classes),
            nn.ReLU(),
            *larger,
            _convolution(width, width, 3, "none"),
            batch_norm(width, classes),
            nn.ReLU(),
            _convolution(width, width, 3, "none"),
        )
        # The paper enlarges first. A 1x1 convolution gives the same after or before it, and before it costs a quarter.
        self.shortcut = nn.Sequential(_convolution(width, width, 1, "none", gain=1.0), *larger) if double else None

    def forward(self, hidden_BCHW: Tensor, label_B: Tensor | None) -> Tensor:
        shortcut_BCHW = hidden_BCHW if self.shortcut is None else self.shortcut(hidden_BCHW)
        return through(self.residual, hidden_BCHW, label_B) + shortcut_BCHW


class _CriticBlock(nn.Module):
    """Two 3x3 convolutions, each after a ReLU, beside a shortcut: ``(B, C, H, W)``, halved by averages if asked."""

    def __init__(self, channels: int, width: int, normalization: Normalization, *, halve: bool, first: bool) -> None:
        super().__init__()
        smaller: list[nn.Module] = [nn.AvgPool2d(2)] if halve else []
        # A ReLU on the picture itself would throw its darker half away.
        rectified: list[nn.Module] = [] if first else [nn.ReLU()]
        self.residual = nn.Sequential(
            *rectified,
            _convolution(channels, width, 3, normalization),
            nn.ReLU(),
            _convolution(width, width, 3, normalization),
            *smaller,
        )
        # Averaged first, which for a 1x1 convolution makes no difference but in cost.
        changed = halve or first
        self.shortcut = (
            nn.Sequential(*smaller, _convolution(channels, width, 1, normalization, gain=1.0)) if changed else None
        )

    def forward(self, hidden_BCHW: Tensor) -> Tensor:
        shortcut_BCHW = hidden_BCHW if self.shortcut is None else self.shortcut(hidden_BCHW)
        added_BCHW: Tensor = self.residual(hidden_BCHW) + shortcut_BCHW
        return added_BCHW


def _convolution(
    channels: int, width: int, kernel: int, normalization: Normalization, gain: float = math.sqrt(2)
) -> nn.Module:
    return _initialized(nn.Conv2d(channels, width, kernel, padding=kernel // 2), gain, normalization)


def _linear(inputs: int, outputs: int, normalization: Normalization) -> nn.Module:
    return _initialized(nn.Linear(inputs, outputs), 1.0, normalization)


def _initialized(layer: nn.Conv2d | nn.Linear, gain: float, normalization: Normalization) -> nn.Module:
    """Draw first weights as the authors' code does: uniform (Glorot), √2 larger in front of what ReLU halves."""
    nn.init.xavier_uniform_(layer.weight, gain)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return spectral_norm(layer) if normalization == "spectral" else layer
