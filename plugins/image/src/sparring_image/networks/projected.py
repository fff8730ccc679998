"""The critic of Projected GANs: small critics on a frozen network's features (Sauer et al. 2021, arXiv:2111.01007).

Letters in names of tensors: B rows of the batch, C channels, H rows and W columns of a picture or a map, F features.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from sparring.interfaces.data import Condition
from sparring.interfaces.discriminator import Critique, Discriminator
from sparring.interfaces.space import Space
from sparring.networks.frozen import Frozen
from sparring_image.backbones import (
    COARSEST,
    MAP_CHANNELS,
    MAP_STRIDES,
    TRAINED_SIDE,
    EfficientNetLite0,
    efficientnet_lite0,
    resize,
)
from sparring_image.networks.conditioning import critic_classes, label_of, project_label
from sparring_image.networks.sizes import image_shape

SLOPE = 0.2  # of LeakyReLU below zero
WIDEST = 512  # channels of a critic's layers at most
JUDGED_SIDE = 8  # a critic halves its map until the shorter side is no longer than this
JUDGING_SIDE = 4  # of the kernel that turns the last map into logits


class ProjectedDiscriminator(Discriminator):
    """Judge pictures by what EfficientNet-lite0, trained on ImageNet, sees in them (Sauer et al. 2021).

    Its feature maps of four sizes are mixed across channels, and from coarse to fine, by convolutions whose weights are
    drawn once and never trained. On each of the four mixed maps stands a small critic with spectral norm, which alone
    is trained. The paper trains with the loss ``hinge`` and DiffAugment, and without gradient penalties. Unlike the
    authors' code, a map keeps its size when it is mixed.

    The pretrained weights are not written into checkpoints, only their hash. A class label enters each critic by
    projection.

    Args:
        space: The pictures' space: ``(C, H, W)`` in [-1, 1], grey or colour.
        conditions: None, or ``label``.
        weights: The file of EfficientNet-lite0's weights; by default the one that
            ``sparring data fetch image/efficientnet-lite0`` brings, or of the installed package.
        side: Pixels of the shorter side that pictures are enlarged to first, a multiple of 32. The paper takes 224; a
            picture of 64 costs a tenth of that.
        width: Channels of the finest map once mixed; coarser ones have 1, 2 and 4 times as many.
        label: ``projection``, or ``none`` to judge without looking at the class.
    """

    def __init__(
        self,
        space: Space,
        conditions: Mapping[str, Space],
        weights: Path | None = None,
        side: int = TRAINED_SIDE,
        width: int = 64,
        label: Literal["projection", "none"] = "projection",
    ) -> None:
        super().__init__()
        _, height, pixel_width = image_shape(space, "image/projected")
        if side < COARSEST or side % COARSEST:
            raise ValueError(f"side is {side}, and must be a multiple of {COARSEST}")
        classes = critic_classes(conditions, label, "image/projected")
        self.side, self.labelled = side, bool(classes)
        self.backbone: Frozen[EfficientNetLite0] = Frozen(*efficientnet_lite0(weights))
        self.mixing = RandomMixing(width)
        seen = resize(torch.zeros(1, 1, height, pixel_width), side)
        sizes = [(seen.shape[2] // stride, seen.shape[3] // stride) for stride in MAP_STRIDES]
        self.critics = nn.ModuleList(
            MapCritic(channels, *size, classes) for channels, size in zip(self.mixing.channels, sizes, strict=True)
        )

    def forward(self, sample: Tensor, condition: Condition, lengths: Tensor | None = None) -> Critique:
        """Judge ``(B, C, H, W)``: logits ``(B, N)`` of each map, fine to coarse, and its critic's activations."""
        label_B = label_of(condition, "image/projected") if self.labelled else None
        mixed = self.mixing(self.backbone.network.maps(resize(sample, self.side)))
        opinions = [critic(map_BCHW, label_B) for critic, map_BCHW in zip(self.critics, mixed, strict=True)]
        return Critique(tuple(logits for logits, _ in opinions), tuple(features for _, features in opinions))


class RandomMixing(nn.Module):
    """Mix feature maps across channels and from coarse to fine, by weights that stay as they were drawn.

    Args:
        width: Channels of the finest map once mixed.

    Attributes:
        channels: Of the mixed maps, fine to coarse.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        wide = [width << depth for depth in range(len(MAP_CHANNELS))]
        self.channels = [width, *wide[:-1]]
        self.across_channels = nn.ModuleList(
            nn.Conv2d(channels, wider, 1, bias=False) for channels, wider in zip(MAP_CHANNELS, wide, strict=True)
        )
        self.across_scales = nn.ModuleList(
            nn.Conv2d(wider, narrow, 3, padding=1, bias=False)
            for wider, narrow in zip(wide, self.channels, strict=True)
        )
        for weight in self.parameters():
            nn.init.kaiming_normal_(weight, nonlinearity="linear")
        self.requires_grad_(False)

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """Mix maps ``(B, C, H, W)``, fine to coarse; each keeps its size."""
        mixed: list[Tensor] = []
        for depth in reversed(range(len(maps))):
            map_BCHW = self.across_channels[depth](maps[depth])
            if mixed:
                map_BCHW = map_BCHW + F.interpolate(mixed[0], map_BCHW.shape[2:], mode="bilinear", align_corners=False)
            mixed.insert(0, self.across_scales[depth](map_BCHW))
        return mixed


class MapCritic(nn.Module):
    """Judge one map: convolutions that halve it, each with spectral norm, batch norm and LeakyReLU.

    Args:
        channels: The map's.
        height: Its rows.
        width: Its columns.
        classes: How many classes there are; 0 for none.
    """

    def __init__(self, channels: int, height: int, width: int, classes: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList()
        while not self.blocks or min(height, width) > JUDGED_SIDE:
            wider = min(2 * channels, WIDEST)
            if min(height, width) > JUDGED_SIDE:
                convolution = nn.Conv2d(channels, wider, 4, stride=2, padding=1, bias=False)
                height, width = height // 2, width // 2
            else:
                convolution = nn.Conv2d(channels, wider, 3, padding=1, bias=False)
            block = nn.Sequential(spectral_norm(convolution), nn.BatchNorm2d(wider), nn.LeakyReLU(SLOPE))
            self.blocks.append(block)
            channels = wider
        kernel = (min(height, JUDGING_SIDE), min(width, JUDGING_SIDE))
        self.head = spectral_norm(nn.Conv2d(channels, 1, kernel))
        self.embedding = nn.Embedding(classes, channels) if classes else None

    def forward(self, map_BCHW: Tensor, label_B: Tensor | None) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return the logits ``(B, N)`` of the map's places, and the activations after every layer."""
        features = []
        for block in self.blocks:
            map_BCHW = block(map_BCHW)
            features.append(map_BCHW)
        logits_BN = self.head(map_BCHW).flatten(1)
        if self.embedding is not None and label_B is not None:
            fit_B = project_label(map_BCHW.mean((2, 3)), label_B, self.embedding)
            logits_BN = logits_BN + fit_B[:, None]
        return logits_BN, tuple(features)
