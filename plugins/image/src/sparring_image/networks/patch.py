"""PatchGAN: a discriminator that judges a picture patch by patch (Isola et al. 2017, arXiv:1611.07004).

Letters in names of tensors: B rows of the batch, C channels, H rows and W columns of pixels, h and w those of patches.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from sparring.errors import DataError
from sparring.interfaces.data import Condition
from sparring.interfaces.discriminator import Critique, Discriminator
from sparring.interfaces.space import Space
from sparring_image.networks.pictures import joined, pictures_among
from sparring_image.networks.sizes import image_shape
from sparring_image.networks.unet import SLOPE, Normalization, normalizer

DEEPEST = 8  # times `width`: the paper's widest layer
MOST_HALVINGS = 3  # the paper's 70x70 patches
NAME = "image/patch"


class PatchDiscriminator(Discriminator):
    """Judge every patch of a picture by itself, so that texture and edges count rather than the whole.

    The paper's patches have 70x70 pixels, for pictures of 256x256. Smaller pictures get fewer layers and so smaller
    patches: 34x34 below 94 pixels (the shorter side), 16x16 below 46.

    Args:
        space: The pictures' space: ``(C, H, W)`` in [-1, 1].
        conditions: Pictures of the same height and width.
        width: Channels of the first layer; each later one has twice as many, up to eight times. The paper has 64.
        halvings: Layers that halve the size, between 1 and 5; by default as many as fit, up to the paper's 3.
        conditional: Whether the conditions are joined to the sample, so that the critic sees whether the two belong
            together, as in pix2pix. Turn it off where no true pairs are known, as in CycleGAN.
        normalization: ``batch``, as in pix2pix; ``instance``, as in CycleGAN; or ``none``, which gradient penalties
            such as R1 ask for.
    """

    def __init__(
        self,
        space: Space,
        conditions: Mapping[str, Space],
        width: int = 64,
        halvings: int | None = None,
        conditional: bool = True,
        normalization: Normalization = "none",
    ) -> None:
        super().__init__()
        channels, height, pixel_width = image_shape(space, NAME)
        shorter = min(height, pixel_width)
        depth = _depth(shorter) if halvings is None else halvings
        if not 1 <= depth <= 5 or shorter >> depth < 4:
            raise DataError(
                f"{NAME} cannot halve pictures of {height}x{pixel_width} (height x width) {depth} times",
                where="halvings",
                remedy="leave out `halvings`" if shorter >= 8 else "use pictures of at least 8x8 pixels",
            )
        pictures = pictures_among(conditions, space, NAME) if conditional else {}
        self.names = tuple(pictures)
        self.patch = patch_of(depth)
        inputs, wide = channels + sum(pictures.values()), width
        self.layers = nn.ModuleList()
        for index in range(depth + 1):
            # The paper leaves the first layer without a norm; the last but one keeps the size.
            chosen: Normalization = "none" if index == 0 else normalization
            self.layers.append(_layer(inputs, wide, 2 if index < depth else 1, chosen))
            inputs, wide = wide, min(2 * wide, DEEPEST * width)
        self.head = nn.Conv2d(inputs, 1, kernel_size=4, stride=1, padding=1)

    def forward(self, sample: Tensor, condition: Condition, lengths: Tensor | None = None) -> Critique:
        """Judge ``(B, C, H, W)``: a logit for every patch ``(B, h, w)``, and the activations of every layer."""
        hidden_BCHW = sample
        if self.names:
            hidden_BCHW = torch.cat([sample, joined(condition, self.names, NAME).to(sample.dtype)], dim=1)
        features = []
        for layer in self.layers:
            hidden_BCHW = layer(hidden_BCHW)
            features.append(hidden_BCHW)
        logit_Bhw = self.head(hidden_BCHW).squeeze(1)
        return Critique((logit_Bhw,), (tuple(features),))


def patch_of(halvings: int) -> int:
    """Return the side, in pixels, of the patch that one logit sees: 16, 34, 70, 142 and so on."""
    side = 4 + 3  # the head, and the layer before it: kernels of 4, steps of 1
    for _ in range(halvings):
        side = 2 * (side - 1) + 4
    return side


def _depth(shorter: int) -> int:
    """Return how many halvings fit: a patch is to see at most three quarters of the picture, or so."""
    fitting = [depth for depth in range(1, MOST_HALVINGS + 1) if patch_of(depth) <= 0.75 * shorter]
    return max(fitting, default=1)


def _layer(channels: int, wider: int, stride: int, normalization: Normalization) -> nn.Sequential:
    # A bias before a norm would be subtracted again.
    convolution = nn.Conv2d(channels, wider, kernel_size=4, stride=stride, padding=1, bias=normalization == "none")
    return nn.Sequential(convolution, normalizer(normalization, wider), nn.LeakyReLU(SLOPE))
