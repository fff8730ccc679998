"""How far generated pictures are from the true ones, where each has its own: translation, and filling holes."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.nn import functional

from sparring.errors import DataError
from sparring.interfaces.data import Batch
from sparring.interfaces.metric import Metric

LEAST_SQUARE = 1e-6  # of an error in [0, 1]: 60 dB, about the error of rounding to 8 bits
SSIM_REACH, SSIM_DEVIATION = 5, 1.5  # pixels: a window of 11
SSIM_CONSTANTS = (0.01**2, 0.03**2)  # for values in [0, 1]
SMALLEST_SSIM = SSIM_REACH + 1  # pixels: what is mirrored at an edge must be there
NAME = "image/pair-error"


class PairError(Metric):
    """The error of generated pictures against held-out true ones, beside that of doing next to nothing.

    Each generated picture is compared with the very one whose condition it was made from. Where the condition has a
    ``mask`` only the hole counts, and the baseline fills it with the mean colour of what is known; elsewhere the
    baseline copies the condition ``image``. A generator that has learnt something stays below it.

    Values: ``pair_error``, the mean absolute difference of pixel values in [0, 1]; ``psnr`` in dB, the mean over
    pictures, each at most 60; ``ssim``, structural similarity (Wang et al. 2004), at most 1, with mirrored edges, for
    pictures of at least 6 pixels; and the three of the baseline. A picture that is sharp and plausible may have a
    larger error than a blurred one: read it beside the previews or a Fréchet distance.
    """

    better: ClassVar[Literal["higher", "lower"]] = "lower"

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self._rows: list[Tensor] = []  # (B, 6) each: error, PSNR and SSIM, of the generated and of the baseline

    def update(self, real: Batch, fake: Batch) -> None:
        rows = min(len(real), len(fake))
        if not rows:
            return
        real, fake = real.rows(slice(rows)), fake.rows(slice(rows))
        _check_pairs(real, fake)
        true_BCHW = real.sample.float()
        mask_B1HW = fake.condition.get("mask", torch.ones_like(true_BCHW[:, :1])).float()
        baseline_BCHW = _baseline(fake, true_BCHW)
        measured = [_measured(fake.sample.float(), true_BCHW, mask_B1HW)]
        measured.append(
            torch.full((rows, 3), torch.nan)
            if baseline_BCHW is None
            else _measured(baseline_BCHW, true_BCHW, mask_B1HW)
        )
        self._rows.append(torch.cat(measured, dim=1).cpu())

    def compute(self) -> dict[str, float]:
        if not self._rows:
            raise DataError(f"no pairs were given to {NAME}", remedy="call `update` with real and generated samples")
        names = ("pair_error", "psnr", "ssim", "baseline_error", "baseline_psnr", "baseline_ssim")
        means = torch.cat(self._rows).mean(dim=0).tolist()
        # NaN marks what was not measured: a baseline of another shape, or SSIM of tiny pictures.
        found = dict(zip(names, means, strict=True))
        return {name: value for name, value in found.items() if name in names[:2] or not math.isnan(value)}


def _check_pairs(real: Batch, fake: Batch) -> None:
    """Refuse rows that do not belong together.

    Raises:
        DataError: There are no conditions, or the generated samples were made from other ones.
    """
    if not fake.condition:
        raise DataError(
            f"{NAME} compares pictures with those that they were made to equal, and the data carry no condition",
            where="evaluate.metrics",
            remedy="use data of pairs, such as image/emoji-pairs or image/masked, or another metric",
        )
    if any(not torch.equal(value.cpu(), real.condition[name].cpu()) for name, value in fake.condition.items()):
        raise DataError(
            f"{NAME} was given generated pictures whose conditions are not those of the true ones",
            where="evaluate.split",
            remedy="score against held-out data, whose pairs and holes are fixed: `split: test`",
        )


def _baseline(fake: Batch, true_BCHW: Tensor) -> Tensor | None:
    """Return what one has without a generator, or None where the condition is no such picture."""
    image_BCHW = fake.condition.get("image")
    if image_BCHW is None or image_BCHW.shape != true_BCHW.shape:
        return None
    image_BCHW = image_BCHW.float()
    if "mask" not in fake.condition:
        return image_BCHW
    known_B1HW = 1 - fake.condition["mask"].float()
    mean_BC11 = (image_BCHW * known_B1HW).sum((2, 3), keepdim=True) / known_B1HW.sum((2, 3), keepdim=True).clamp(min=1)
    return image_BCHW * known_B1HW + mean_BC11 * (1 - known_B1HW)


def _measured(made_BCHW: Tensor, true_BCHW: Tensor, mask_B1HW: Tensor) -> Tensor:
    """Return each row's mean absolute error, PSNR and SSIM, where the mask is 1: ``(B, 3)``."""
    made_BCHW, true_BCHW = made_BCHW.clamp(-1, 1) / 2 + 0.5, true_BCHW / 2 + 0.5
    weight_B1HW = mask_B1HW / mask_B1HW.mean((1, 2, 3), keepdim=True).clamp(min=1e-6)

    def mean(value_BCHW: Tensor) -> Tensor:
        return (value_BCHW * weight_B1HW).mean((1, 2, 3))

    difference_BCHW = made_BCHW - true_BCHW
    psnr_B = -10 * mean(difference_BCHW.square()).clamp(min=LEAST_SQUARE).log10()
    return torch.stack([mean(difference_BCHW.abs()), psnr_B, mean(_similarity(made_BCHW, true_BCHW))], dim=1)


def _similarity(made_BCHW: Tensor, true_BCHW: Tensor) -> Tensor:
    """Return structural similarity at every pixel, ``(B, C, H, W)``, or NaN where pictures are too small for it.

    Means, variances and the covariance are those of a Gaussian window around the pixel (Wang, Bovik, Sheikh and
    Simoncelli 2004, "Image quality assessment", equation 13, with the constants of section III).
    """
    if min(made_BCHW.shape[2:]) < SMALLEST_SSIM:
        return torch.full_like(made_BCHW, torch.nan)
    mean_made, mean_true = _blurred(made_BCHW), _blurred(true_BCHW)
    variance_made = _blurred(made_BCHW.square()) - mean_made.square()
    variance_true = _blurred(true_BCHW.square()) - mean_true.square()
    covariance = _blurred(made_BCHW * true_BCHW) - mean_made * mean_true
    first, second = SSIM_CONSTANTS
    luminance = (2 * mean_made * mean_true + first) / (mean_made.square() + mean_true.square() + first)
    return luminance * (2 * covariance + second) / (variance_made + variance_true + second)


def _blurred(value_BCHW: Tensor) -> Tensor:
    """Return the mean over a Gaussian window around each pixel, with mirrored edges."""
    channels, reach = value_BCHW.shape[1], SSIM_REACH
    place = torch.arange(-reach, reach + 1, dtype=value_BCHW.dtype, device=value_BCHW.device)
    window = (-(place**2) / (2 * SSIM_DEVIATION**2)).exp()
    window = (window / window.sum()).expand(channels, 1, 1, -1)
    padded_BCHW = functional.pad(value_BCHW, (reach,) * 4, mode="reflect")
    rows_BCHW = functional.conv2d(padded_BCHW, window, groups=channels)
    return functional.conv2d(rows_BCHW, window.transpose(2, 3), groups=channels)
