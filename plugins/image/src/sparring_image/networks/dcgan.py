"""DCGAN: strided convolutions all the way (Radford, Metz and Chintala 2016, arXiv:1511.06434).

Letters in names of tensors: B rows of the batch, L latent values, E values of a label's embedding, C channels,
H rows and W columns of pixels, F features, M rows after packing (B / packing).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from sparring.interfaces.data import Condition
from sparring.interfaces.discriminator import Critique, Discriminator
from sparring.interfaces.generator import Generator
from sparring.interfaces.space import Space
from sparring.networks.packing import check_packing, pack
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

NAME = "image/dcgan"
SLOPE = 0.2  # of LeakyReLU below zero, in the paper
DEEPEST = 8  # times `width`: the paper's widest layer; larger pictures get more layers, not wider ones
Normalization = Literal["none", "batch", "spectral"]


class DCGANGenerator(Generator):
    """Make pictures by transposed convolutions that each double the size, with batch norm and tanh.

    Args:
        space: The pictures' space: ``(C, H, W)`` in [-1, 1].
        conditions: None, or ``label``.
        latent_dim: Length of the latent vector; the paper has 100.
        width: Channels of the last hidden layer; each earlier one has twice as many. The paper has 128.
        start: Rows (of the shorter side) of the first feature map. By default between 4 and 7, as the size allows.
        label: How a class label enters, where the data have one: by ``concatenation``, as an embedding beside the
            latent (Mirza and Osindero 2014), or by conditional ``batch-norm``, with a gain and a bias for each class
            (Dumoulin et al. 2017).
        label_dim: Length of a label's embedding beside the latent.
    """

    def __init__(
        self,
        space: Space,
        conditions: Mapping[str, Space],
        latent_dim: int = 64,
        width: int = 64,
        start: int | None = None,
        label: GeneratorLabel = "concatenation",
        label_dim: int = 16,
    ) -> None:
        super().__init__()
        channels, height, pixel_width = image_shape(space, NAME)
        doublings = halvings(height, pixel_width, start, NAME)
        classes = classes_of(conditions, NAME)
        joined = label == "concatenation" and classes > 0
        normed = classes if label == "batch-norm" else 0
        self.labelled = classes > 0
        self.latent_shape = (latent_dim,)
        self.embedding = nn.Embedding(classes, label_dim) if joined else None
        wide = channels_at(width, doublings - 1)
        self.start_shape = (wide, height >> doublings, pixel_width >> doublings)
        inputs = latent_dim + (label_dim if joined else 0)
        # A bias before batch norm would be subtracted again.
        self.project = nn.Linear(inputs, math.prod(self.start_shape), bias=False)
        self.first = nn.Sequential(batch_norm(wide, normed), nn.ReLU())
        self.blocks = nn.ModuleList()
        for depth in reversed(range(doublings - 1)):
            narrow = channels_at(width, depth)
            upsample = nn.ConvTranspose2d(wide, narrow, kernel_size=4, stride=2, padding=1, bias=False)
            self.blocks.append(nn.Sequential(upsample, batch_norm(narrow, normed), nn.ReLU()))
            wide = narrow
        self.to_picture = nn.Sequential(
            nn.ConvTranspose2d(wide, channels, kernel_size=4, stride=2, padding=1), nn.Tanh()
        )

    def forward(self, latent: Tensor | None, condition: Condition) -> Tensor:
        """Make ``(B, C, H, W)`` in [-1, 1] from ``(B, latent_dim)`` and, where there are labels, ``label`` ``(B,)``."""
        latent_BL = latent_of(latent, NAME)
        label_B = label_of(condition, NAME) if self.labelled else None
        if self.embedding is not None:
            latent_BL = join_label(latent_BL, label_of(condition, NAME), self.embedding)
        hidden_BCHW = through(self.first, self.project(latent_BL).unflatten(1, self.start_shape), label_B)
        for block in self.blocks:
            hidden_BCHW = through(block, hidden_BCHW, label_B)
        picture_BCHW: Tensor = self.to_picture(hidden_BCHW)
        return picture_BCHW


class DCGANDiscriminator(Discriminator):
    """Judge pictures by convolutions that each halve the size, with LeakyReLU.

    Args:
        space: The pictures' space: ``(C, H, W)`` in [-1, 1].
        conditions: None, or ``label``.
        width: Channels of the first layer; each later one has twice as many. The paper has 128.
        start: Rows (of the shorter side) of the last feature map. By default between 4 and 7, as the size allows.
        normalization: ``none``, which gradient penalties such as R1 ask for; ``batch``, as in the paper; or
            ``spectral`` (Miyato et al. 2018, arXiv:1802.05957).
        label: How a class label enters, where the data have one: by ``projection`` (Miyato and Koyama 2018,
            arXiv:1802.05637); by ``concatenation``, as one more channel of the picture (Mirza and Osindero 2014); or
            ``none`` to leave it unseen, as within ``heads`` with ``label: true``.
        packing: How many pictures are judged together (PacGAN: Lin et al. 2018, arXiv:1712.04086); the batch must be
            a multiple of it.
    """

    def __init__(
        self,
        space: Space,
        conditions: Mapping[str, Space],
        width: int = 64,
        start: int | None = None,
        normalization: Normalization = "none",
        label: CriticLabel = "projection",
        packing: int = 1,
    ) -> None:
        super().__init__()
        channels, height, pixel_width = image_shape(space, NAME)
        depth = halvings(height, pixel_width, start, NAME)
        classes = critic_classes(conditions, label, NAME)
        self.packing = check_packing(packing)
        with_map = label == "concatenation" and classes > 0
        channels = packing * (channels + 1 if with_map else channels)
        self.blocks = nn.ModuleList()
        for index in range(depth):
            wider = channels_at(width, index)
            # The paper leaves the first layer without batch norm.
            chosen = "none" if normalization == "batch" and index == 0 else normalization
            self.blocks.append(_downsample(channels, wider, chosen))
            channels = wider
        features = channels * (height >> depth) * (pixel_width >> depth)
        self.head: nn.Module = nn.Linear(features, 1)
        pixels = height * pixel_width
        self.label_map, self.embedding = label_embeddings(
            label, classes, features=features, pixels=pixels, packing=packing
        )
        if normalization == "spectral":
            self.head = spectral_norm(self.head)
            if self.embedding is not None:
                spectral_norm(self.embedding)  # in place

    def forward(self, sample: Tensor, condition: Condition, lengths: Tensor | None = None) -> Critique:
        """Judge ``(B, C, H, W)``: logits ``(B,)``, and the activations after every layer as features.

        With packing there are B / packing rows of each.
        """
        if self.label_map is not None:
            sample = join_label_map(sample, label_of(condition, NAME), self.label_map)
        hidden_MCHW = pack(sample, self.packing)
        features = []
        for block in self.blocks:
            hidden_MCHW = block(hidden_MCHW)
            features.append(hidden_MCHW)
        hidden_MF = hidden_MCHW.flatten(1)
        logit_M = self.head(hidden_MF).squeeze(1)
        if self.embedding is not None:
            fit_M = project_label(hidden_MF, label_of(condition, NAME), self.embedding, self.packing)
            # The product's spread grows with the root of the number of features; without the division the label
            # would drown the unconditional part at the start.
            logit_M = logit_M + fit_M / math.sqrt(hidden_MF.shape[1])
        return Critique((logit_M,), (tuple(features),))


def channels_at(width: int, depth: int) -> int:
    """Return the channels of a layer, counted from the picture's side: doubled at each, up to ``DEEPEST`` × width."""
    return width * min(1 << depth, DEEPEST)


def _downsample(channels: int, wider: int, normalization: Normalization) -> nn.Sequential:
    """Return a convolution that halves the size: ``(B, channels, H, W)`` -> ``(B, wider, H / 2, W / 2)``."""
    convolution = nn.Conv2d(channels, wider, kernel_size=4, stride=2, padding=1, bias=normalization != "batch")
    if normalization == "batch":
        return nn.Sequential(convolution, nn.BatchNorm2d(wider), nn.LeakyReLU(SLOPE))
    if normalization == "spectral":
        return nn.Sequential(spectral_norm(convolution), nn.LeakyReLU(SLOPE))
    return nn.Sequential(convolution, nn.LeakyReLU(SLOPE))
