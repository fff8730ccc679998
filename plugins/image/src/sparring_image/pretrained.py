"""Encoders with published weights: what large networks learnt on ImageNet.

Letters in names of tensors: B rows of the batch, C channels, H rows and W columns of pixels, F features.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from sparring.interfaces.data import Source
from sparring.interfaces.metric import Encoder
from sparring.interfaces.space import Space
from sparring_image.backbones import COARSEST, SOURCE, efficientnet_lite0, fill, resize
from sparring_image.inception import SIDE, Inception, folded
from sparring_image.networks.sizes import image_shape

FID_FILE = "pt_inception-2015-12-05-6726825d.pth"
FID_HASH = "6726825d"  # the first digits of the file's SHA-256, which its name carries


class EfficientNetLite0Encoder(Encoder):
    """EfficientNet-lite0, trained on ImageNet: 1,280 features (Tan and Le 2019, arXiv:1905.11946).

    Distances over them are not FIDs: call them by the encoder's name. The covariance of 1,280 features needs thousands
    of samples; with fewer, use ``kernel-distance`` or ``coverage``.

    Args:
        space: The images' space: ``(C, H, W)`` in [-1, 1], grey or colour.
        weights: The file of weights; by default the one that ``sparring data fetch`` brings, or of the installed
            package.
        side: Pixels of the shorter side that pictures are brought to first. The network learnt on 224, which takes
            three times as long. It is part of the name.
    """

    source: ClassVar[Source] = SOURCE

    def __init__(self, space: Space, weights: Path | None = None, side: int = 128) -> None:
        super().__init__()
        image_shape(space, "image/efficientnet-lite0")
        if side < COARSEST or side % COARSEST:
            raise ValueError(f"side is {side}, and must be a multiple of {COARSEST}")
        self.side, self.name = side, f"efficientnet-lite0-{side}"
        self.network, _ = efficientnet_lite0(weights)
        self.eval().requires_grad_(False)

    def forward(self, sample: Tensor) -> Tensor:
        """Map ``(B, C, H, W)`` in [-1, 1] to ``(B, 1280)``, at least 0."""
        self.to(sample.device)
        features_BF: Tensor = self.network(resize(sample.float(), self.side))
        return features_BF

    def feature_maps(self, sample: Tensor) -> list[Tensor]:
        """Map ``(B, C, H, W)`` in [-1, 1] to four maps of 24, 40, 112 and 320 channels, fine to coarse."""
        self.to(sample.device)
        return self.network.maps(resize(sample.float(), self.side))


class InceptionEncoder(Encoder):
    """The Inception network behind published FIDs (Heusel et al. 2017, arXiv:1706.08500), with your own copy of it.

    A Fréchet distance over its 2,048 features is a FID where the encoder's name says ``fid-inception``: where the
    weights are the published ones, ``pt_inception-2015-12-05-6726825d.pth`` of the project pytorch-fid, by their
    SHA-256. With other weights the name carries their hash instead. As there, samples are rounded to 8 bits and brought
    to 299x299 pixels by bilinear interpolation without a filter; published figures take 10,000 samples or more.

    Args:
        space: The images' space: ``(C, H, W)`` in [-1, 1], grey or colour.
        weights: The file.
    """

    def __init__(self, space: Space, weights: Path) -> None:
        super().__init__()
        image_shape(space, "image/inception")
        with torch.device("meta"):  # no time is spent on first weights
            self.network = Inception()
        sha256 = fill(
            self.network,
            Path(weights).expanduser(),
            folded,
            "the FID's Inception",
            f"name the file {FID_FILE}, which the project pytorch-fid publishes",
        )
        self.name = "fid-inception" if sha256.startswith(FID_HASH) else f"inception-{sha256[:8]}"
        self.eval().requires_grad_(False)

    def forward(self, sample: Tensor) -> Tensor:
        """Map ``(B, C, H, W)`` in [-1, 1] to ``(B, 2048)``, at least 0."""
        self.to(sample.device)
        rounded_BCHW = ((sample.float().clamp(-1, 1) + 1) * 127.5).round() / 127.5 - 1
        if rounded_BCHW.shape[1] == 1:
            rounded_BCHW = rounded_BCHW.expand(-1, 3, -1, -1)
        rounded_BCHW = F.interpolate(rounded_BCHW, (SIDE, SIDE), mode="bilinear", align_corners=False)
        features_BF: Tensor = self.network(rounded_BCHW)
        return features_BF
