"""How strokes look, as rewards that have a gradient.

Letters in names of tensors: B rows of the batch, C channels, H rows and W columns of pixels.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sparring.interfaces.data import Batch
from sparring.interfaces.space import Space
from sparring_image.networks.sizes import image_shape

FAINT = 1e-3  # of the largest ink: a blank picture has no slant


class Ink:
    """The share of ink in bright strokes on black, in [0, 1]: thicker strokes have more of it.

    A white picture has the most of all: hold the generator near to where it was.

    Args:
        space: The images' space, in [-1, 1].
    """

    def __init__(self, space: Space) -> None:
        image_shape(space, "image/ink")

    def __call__(self, samples: Batch, reference: Batch | None) -> Tensor:
        """Return ``(B,)`` in [0, 1], with a gradient."""
        return ink(samples.sample).flatten(1).mean(1)


class Slant:
    """How far bright strokes lean to the right: columns to the right for each row upwards; negative to the left.

    It is the covariance of a pixel's column and height over the variance of its height, pixels being weighed by their
    ink: what deslanting of handwriting takes away.

    Args:
        space: The images' space, in [-1, 1].
        most: Where it ends: a slant of more is worth no more, and one of less than its negative is worth no less.
    """

    def __init__(self, space: Space, most: float = 1.0) -> None:
        image_shape(space, "image/slant")
        if most <= 0:
            raise ValueError(f"most is {most}, and must be more than 0")
        self.most = most

    def __call__(self, samples: Batch, reference: Batch | None) -> Tensor:
        """Return ``(B,)`` in [-most, most], with a gradient within."""
        weight_BHW = ink(samples.sample).mean(1) + FAINT
        height, width = weight_BHW.shape[1:]
        up_H = torch.arange(height, 0, -1, device=weight_BHW.device, dtype=weight_BHW.dtype)
        right_W = torch.arange(width, device=weight_BHW.device, dtype=weight_BHW.dtype)
        weight_BHW = weight_BHW / weight_BHW.sum((1, 2), keepdim=True)
        up_BH = up_H - (weight_BHW.sum(2) * up_H).sum(1, keepdim=True)
        right_BW = right_W - (weight_BHW.sum(1) * right_W).sum(1, keepdim=True)
        covariance_B = (weight_BHW * up_BH[:, :, None] * right_BW[:, None]).sum((1, 2))
        variance_B = (weight_BHW.sum(2) * up_BH.square()).sum(1)
        return (covariance_B / variance_B.clamp_min(FAINT)).clamp(-self.most, self.most)


def ink(sample_BCHW: Tensor) -> Tensor:
    """Return pixels in [-1, 1] as ink in [0, 1]."""
    return (sample_BCHW.float() + 1) / 2
