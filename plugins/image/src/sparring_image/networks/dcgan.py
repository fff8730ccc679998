"""DCGAN: strided convolutions all the way (Radford, Metz and Chintala 2016, arXiv:1511.06434).

Letters in names of tensors: B rows of the batch, L latent values, E values of a label's embedding, C channels,
H rows and W columns of pixels, F features.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from sparring.errors import TrainingError
from sparring.interfaces.data import Condition
from sparring.interfaces.discriminator import Critique, Discriminator
from sparring.interfaces.generator import Generator
from sparring.interfaces.space import Space
from sparring_image.networks.sizes import classes_of, halvings, image_shape

SLOPE = 0.2  # of LeakyReLU below zero, in the paper
DEEPEST = 8  # times `width`: the paper's widest layer; larger pictures get more layers, not wider ones
Normalization = Literal["none", "batch", "spectral"]


class DCGANGenerator(Generator):
    """Make pictures by transposed convolutions that each double the size, with batch norm and tanh.

    A class label, where the data have one, enters as an embedding beside the latent.

    Args:
        space: The pictures' space: ``(C, H, W)`` in [-1, 1].
        conditions: None, or ``label``.
        latent_dim: Length of the latent vector; the paper has 100.
        width: Channels of the last hidden layer; each earlier one has twice as many. The paper has 128.
        start: Rows (of the shorter side) of the first feature map. By default between 4 and 7, as the size allows.
        label_dim: Length of a label's embedding.
    """

    def __init__(
        self,
        space: Space,
        conditions: Mapping[str, Space],
        latent_dim: int = 64,
        width: int = 64,
        start: int | None = None,
        label_dim: int = 16,
    ) -> None:
        super().__init__()
        channels, height, pixel_width = image_shape(space, "image/dcgan")
        doublings = halvings(height, pixel_width, start, "image/dcgan")
        classes = classes_of(conditions, "image/dcgan")
        self.latent_shape = (latent_dim,)
        self.embedding = nn.Embedding(classes, label_dim) if classes else None
        wide = channels_at(width, doublings - 1)
        self.start_shape = (wide, height >> doublings, pixel_width >> doublings)
        inputs = latent_dim + (label_dim if classes else 0)
        # A bias before batch norm would be subtracted again.
        self.project = nn.Linear(inputs, math.prod(self.start_shape), bias=False)
        self.first = nn.Sequential(nn.BatchNorm2d(wide), nn.ReLU())
        self.blocks = nn.Sequential()
        for depth in reversed(range(doublings - 1)):
            narrow = channels_at(width, depth)
            upsample = nn.ConvTranspose2d(wide, narrow, kernel_size=4, stride=2, padding=1, bias=False)
            self.blocks.append(nn.Sequential(upsample, nn.BatchNorm2d(narrow), nn.ReLU()))
            wide = narrow
        self.to_picture = nn.Sequential(
            nn.ConvTranspose2d(wide, channels, kernel_size=4, stride=2, padding=1), nn.Tanh()
        )

    def forward(self, latent: Tensor | None, condition: Condition) -> Tensor:
        """Make ``(B, C, H, W)`` in [-1, 1] from ``(B, latent_dim)`` and, where there are labels, ``label`` ``(B,)``."""
        if latent is None:
            raise TrainingError("image/dcgan needs a latent", remedy="draw it with `generator.latent(n, rng=…)`")
        latent_BL = latent
        if self.embedding is not None:
            label_BE = self.embedding(label_of(condition))
            latent_BL = torch.cat([latent_BL, label_BE], dim=1)
        hidden_BCHW = self.first(self.project(latent_BL).unflatten(1, self.start_shape))
        picture_BCHW: Tensor = self.to_picture(self.blocks(hidden_BCHW))
        return picture_BCHW


class DCGANDiscriminator(Discriminator):
    """Judge pictures by convolutions that each halve the size, with LeakyReLU.

    A class label, where the data have one, enters by projection (Miyato and Koyama 2018, arXiv:1802.05637).

    Args:
        space: The pictures' space: ``(C, H, W)`` in [-1, 1].
        conditions: None, or ``label``.
        width: Channels of the first layer; each later one has twice as many. The paper has 128.
        start: Rows (of the shorter side) of the last feature map. By default between 4 and 7, as the size allows.
        normalization: ``none``, which gradient penalties such as R1 ask for; ``batch``, as in the paper; or
            ``spectral`` (Miyato et al. 2018, arXiv:1802.05957).
    """

    def __init__(
        self,
        space: Space,
        conditions: Mapping[str, Space],
        width: int = 64,
        start: int | None = None,
        normalization: Normalization = "none",
    ) -> None:
        super().__init__()
        channels, height, pixel_width = image_shape(space, "image/dcgan")
        depth = halvings(height, pixel_width, start, "image/dcgan")
        classes = classes_of(conditions, "image/dcgan")
        self.blocks = nn.ModuleList()
        for index in range(depth):
            wider = channels_at(width, index)
            # The paper leaves the first layer without batch norm.
            chosen = "none" if normalization == "batch" and index == 0 else normalization
            self.blocks.append(_downsample(channels, wider, chosen))
            channels = wider
        self.feature_count = channels * (height >> depth) * (pixel_width >> depth)
        self.head: nn.Module = nn.Linear(self.feature_count, 1)
        self.embedding: nn.Module | None = nn.Embedding(classes, self.feature_count) if classes else None
        if normalization == "spectral":
            self.head = spectral_norm(self.head)
            self.embedding = spectral_norm(self.embedding) if self.embedding is not None else None

    def forward(self, sample: Tensor, condition: Condition, lengths: Tensor | None = None) -> Critique:
        """Judge ``(B, C, H, W)``: logits ``(B,)``, and the activations after every layer as features."""
        features = []
        hidden_BCHW = sample
        for block in self.blocks:
            hidden_BCHW = block(hidden_BCHW)
            features.append(hidden_BCHW)
        hidden_BF = hidden_BCHW.flatten(1)
        logit_B = self.head(hidden_BF).squeeze(1)
        if self.embedding is not None:
            label_BF = self.embedding(label_of(condition))
            # The product's spread grows with the root of the number of features; without the division the label would
            # drown the unconditional part at the start.
            logit_B = logit_B + (hidden_BF * label_BF).sum(1) / math.sqrt(self.feature_count)
        return Critique((logit_B,), (tuple(features),))


def channels_at(width: int, depth: int) -> int:
    """Return the channels of a layer, counted from the picture's side: doubled at each, up to ``DEEPEST`` × width."""
    return width * min(1 << depth, DEEPEST)


def label_of(condition: Condition) -> Tensor:
    """Return the labels ``(B,)`` of a condition.

    Raises:
        TrainingError: There are none.
    """
    if "label" not in condition:
        raise TrainingError(
            "image/dcgan was built for labelled data, and was given no label",
            remedy="pass condition={'label': tensor of B class numbers}",
        )
    return condition["label"]


def _downsample(channels: int, wider: int, normalization: Normalization) -> nn.Sequential:
    """Return a convolution that halves the size: ``(B, channels, H, W)`` -> ``(B, wider, H / 2, W / 2)``."""
    convolution = nn.Conv2d(channels, wider, kernel_size=4, stride=2, padding=1, bias=normalization != "batch")
    if normalization == "batch":
        return nn.Sequential(convolution, nn.BatchNorm2d(wider), nn.LeakyReLU(SLOPE))
    if normalization == "spectral":
        return nn.Sequential(spectral_norm(convolution), nn.LeakyReLU(SLOPE))
    return nn.Sequential(convolution, nn.LeakyReLU(SLOPE))
