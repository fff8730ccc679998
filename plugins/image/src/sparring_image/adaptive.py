"""Adaptive discriminator augmentation: as strong as the critic needs it (ADA: Karras et al. 2020, arXiv:2006.06676).

Letters in names of tensors: B rows of the batch, C channels, H rows and W columns of pixels; 2, 3 and 4 count the
entries of affine maps.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor

from sparring.errors import DataError
from sparring.interfaces.augmentation import Augmentation
from sparring.interfaces.data import Condition
from sparring.interfaces.space import Space
from sparring_image.networks.sizes import image_shape
from sparring_image.resampling import cut_out, warp

Geometric = Literal["flip", "turn", "translation", "scale", "rotation", "fraction"]
Colouring = Literal["brightness", "contrast", "inversion", "hue", "saturation"]
Operation = Literal[Geometric, Colouring, "cutout"]
OPERATIONS: tuple[Operation, ...] = (*get_args(Geometric), *get_args(Colouring), "cutout")
NEED_COLOUR = ("hue", "saturation")

# The paper's values, for images in [-1, 1] (its appendix B).
TRANSLATION = 0.125  # most that a picture moves by whole pixels, as a share of its size
SCALE = 0.2  # standard deviation of the size's base-2 logarithm
FRACTION = 0.125  # standard deviation of the move by parts of pixels, as a share of the size
BRIGHTNESS = 0.2  # standard deviation of what is added
CONTRAST = 0.5  # standard deviation of the factor's base-2 logarithm
SATURATION = 1.0  # likewise
CUTOUT = 0.5  # side of the square that is cut out, as a share of the picture's
INTERVAL = 4  # updates of the critic between two changes of the strength


class AdaptiveAugment(Augmentation):
    """Apply each of many changes with one probability, which rises while the critic knows real samples too well.

    The critic's sign on real samples, on average, tells how far it has learnt them by heart (the paper's r_t). After
    every fourth update the probability rises by ``4 · batch / horizon`` where it is above ``target``, and falls by as
    much where it is below. What is changed seldom enough does not show in the generated pictures: the paper sees none
    of it up to a probability of about 0.8.

    All moves are taken together in one bilinear resampling, mirrored at the edges; the paper's wavelet filter, its
    stretching along one axis and its additive noise are left out.

    Args:
        space: The pictures' space: ``(C, H, W)`` in [-1, 1].
        operations: What is done: ``flip`` (left and right), ``turn`` (by quarters; by halves where a picture is no
            square), ``translation`` (by whole pixels), ``scale``, ``rotation``, ``fraction`` (translation by parts of
            pixels), ``brightness``, ``contrast``, ``inversion`` (of lightness), ``hue`` and ``saturation`` (of colour
            pictures), ``cutout``. By default all that suit the space but ``cutout``, as in the paper. Leave out
            ``flip``, ``turn`` and ``rotation`` where pictures have a reading direction, as letters and digits do.
        target: The mean sign to hold, in [-1, 1]; None holds the probability, or leaves it to a schedule of
            ``objective.augmentation.probability``, as R3GAN does.
        horizon: Images in which the probability may go from 0 to 1; the paper takes 500,000, and 100,000 where it goes
            on from a trained network.
        probability: The first probability, in [0, 1].
    """

    strength: Tensor
    sign_sum: Tensor
    updates: Tensor

    def __init__(
        self,
        space: Space,
        operations: Sequence[Operation] | None = None,
        target: float | None = 0.6,
        horizon: int = 500_000,
        probability: float = 0.0,
    ) -> None:
        super().__init__()
        channels, height, width = image_shape(space, "image/adaptive")
        if horizon < 1:
            raise ValueError(f"horizon is {horizon}, and must be at least 1")
        if not 0 <= probability <= 1:
            raise ValueError(f"probability is {probability}, and must lie in [0, 1]")
        known = [name for name in OPERATIONS if channels == 3 or name not in NEED_COLOUR]
        self.operations = frozenset(known) - {"cutout"} if operations is None else frozenset(operations)
        if missing := sorted(self.operations.difference(known)):
            raise DataError(
                f"'{missing[0]}' needs pictures of 3 channels, and these have {channels}",
                remedy=f"leave {' and '.join(missing)} out of `operations`",
            )
        self.colour = channels == 3
        self.quarters = 4 if height == width else 2
        self.target, self.horizon = target, horizon
        self.register_buffer("strength", torch.tensor(float(probability)))
        self.register_buffer("sign_sum", torch.zeros(()))
        self.register_buffer("updates", torch.zeros(()))

    @property
    def probability(self) -> float:
        """The probability of each change; reading it waits for the device."""
        return float(self.strength)

    @probability.setter
    def probability(self, value: float) -> None:
        self.strength.fill_(value)

    # ---- the strength ----

    def observe(self, real_logits: Tensor) -> Tensor | None:
        """Return the mean sign of the critic's logits on real samples, a scalar in [-1, 1]."""
        return None if self.target is None else real_logits.float().sign().mean()

    def adapt(self, statistic: Tensor, samples: int) -> None:
        """Gather the sign; after every fourth time, move the probability by a step towards its target."""
        assert self.target is not None
        self.sign_sum.add_(statistic)
        self.updates.add_(1)
        due = self.updates == INTERVAL
        step = (self.sign_sum / self.updates - self.target).sign() * (INTERVAL * samples / self.horizon)
        self.strength.add_(due * step).clamp_(0, 1)
        self.sign_sum.mul_(~due)
        self.updates.mul_(~due)

    # ---- the changes ----

    def forward(self, sample: Tensor, condition: Condition, *, rng: torch.Generator) -> Tensor:
        """Return ``(B, C, H, W)``: changed colours may lie outside [-1, 1]."""
        if self.strength.device.type == "cpu" and not self.strength:
            return sample  # on a GPU, to look would be to wait
        # In full precision whatever the run's: places in a large picture have more digits than bf16.
        with torch.autocast(sample.device.type, enabled=False):
            draw = _Draw(len(sample), sample.device, rng, self.strength, self.operations)
            changed_BCHW = sample.to(torch.promote_types(sample.dtype, torch.float32))
            if not self.operations.isdisjoint(get_args(Geometric)):
                changed_BCHW = warp(changed_BCHW, self._moves(draw, *sample.shape[2:]))
            if not self.operations.isdisjoint(get_args(Colouring)):
                factor_BCC, added_B1 = self._colours(draw)
                changed_BCHW = _recolour(changed_BCHW, factor_BCC, added_B1)
            if "cutout" in self.operations:
                changed_BCHW = _cut(changed_BCHW, draw)
        return changed_BCHW.to(sample.dtype)

    def _moves(self, draw: _Draw, height: int, width: int) -> Tensor:
        """Return for each picture where its pixels come from, ``(B, 2, 3)``, as ``warp`` takes it."""
        one, none = draw.ones(), draw.zeros()
        flip_B = draw.chosen("flip", 1 - 2 * draw.integer(2), one)
        quarter_B = draw.chosen("turn", draw.integer(self.quarters) * (4 // self.quarters), none)
        # Rounded, so that quarters are exact and pixels stay what they are.
        cosine_B, sine_B = (quarter_B * (math.pi / 2)).cos().round(), (quarter_B * (math.pi / 2)).sin().round()
        whole_x_B, whole_y_B = (
            draw.chosen("translation", ((2 * draw.uniform() - 1) * TRANSLATION * side).round(), none)
            for side in (width, height)
        )
        scale_B = draw.chosen("scale", torch.exp2(SCALE * draw.normal()), one)
        angle_B = draw.chosen("rotation", 2 * math.pi * draw.uniform(), none)
        part_x_B, part_y_B = (
            draw.chosen("fraction", FRACTION * side * draw.normal(), none) for side in (width, height)
        )
        return (
            _linear(flip_B, none, none, one)
            @ _linear(cosine_B, -sine_B, sine_B, cosine_B)
            @ _moved(whole_x_B, whole_y_B)
            @ _linear(scale_B, none, none, scale_B)
            @ _linear(angle_B.cos(), -angle_B.sin(), angle_B.sin(), angle_B.cos())
            @ _moved(part_x_B, part_y_B)
        )[:, :2]

    def _colours(self, draw: _Draw) -> tuple[Tensor, Tensor]:
        """Return what multiplies each picture's colours, ``(B, 3, 3)`` or, of grey, ``(B, 1, 1)``; and what is added.

        Lightness is the projection of a colour on the grey axis, as in the paper.
        """
        one, none = draw.ones(), draw.zeros()
        channels = 3 if self.colour else 1
        added_B1 = draw.chosen("brightness", BRIGHTNESS * draw.normal(), none)[:, None]
        contrast_B = draw.chosen("contrast", torch.exp2(CONTRAST * draw.normal()), one)
        added_B1 = added_B1 * contrast_B[:, None]
        same_33 = torch.eye(channels, device=draw.device)
        grey_33 = torch.full_like(same_33, 1 / channels)
        invert_B = draw.chosen("inversion", draw.integer(2), none)
        factor_B33 = contrast_B[:, None, None] * (same_33 - 2 * grey_33 * invert_B[:, None, None])
        added_B1 = added_B1 * (1 - 2 * invert_B[:, None])
        if self.colour:
            angle_B = draw.chosen("hue", 2 * math.pi * draw.uniform() - math.pi, none)[:, None, None]
            # A turn about the grey axis (Rodrigues' formula).
            across_33 = same_33.roll(1, 0) - same_33.roll(-1, 0)
            turn_B33 = angle_B.cos() * same_33 + (1 - angle_B.cos()) * grey_33
            turn_B33 = turn_B33 + angle_B.sin() / math.sqrt(3) * across_33
            saturation_B = draw.chosen("saturation", torch.exp2(SATURATION * draw.normal()), one)[:, None, None]
            factor_B33 = (grey_33 + (same_33 - grey_33) * saturation_B) @ turn_B33 @ factor_B33
        return factor_B33, added_B1


class _Draw:
    """Draw values for each picture of a batch, and choose the pictures that they are for."""

    def __init__(
        self, rows: int, device: torch.device, rng: torch.Generator, strength: Tensor, operations: frozenset[Operation]
    ) -> None:
        self.rows, self.device, self.rng = rows, device, rng
        self.strength, self.operations = strength, operations
        # One chance for each operation, in use or not: leaving one out does not change which pictures the others pick.
        self.chance = dict(zip(OPERATIONS, self._rand(len(OPERATIONS), rows).unbind(), strict=True))

    def chosen(self, operation: Operation, value_B: Tensor, otherwise: Tensor) -> Tensor:
        """Return the values of those pictures that an operation changes, and another value for the rest."""
        if operation not in self.operations:
            return otherwise
        return torch.where(self.chance[operation] < self.strength, value_B, otherwise)

    def ones(self) -> Tensor:
        """Return ones ``(B,)``."""
        return torch.ones(self.rows, device=self.device)

    def zeros(self) -> Tensor:
        """Return zeros ``(B,)``."""
        return torch.zeros(self.rows, device=self.device)

    def uniform(self) -> Tensor:
        """Draw ``(B,)`` from [0, 1)."""
        return self._rand(self.rows)

    def normal(self) -> Tensor:
        """Draw ``(B,)`` from the standard normal distribution."""
        return torch.randn(self.rows, generator=self.rng, device=self.device)

    def integer(self, count: int) -> Tensor:
        """Draw ``(B,)`` whole numbers from [0, count), as floats."""
        return (self._rand(self.rows) * count).floor()

    def _rand(self, *shape: int) -> Tensor:
        return torch.rand(*shape, generator=self.rng, device=self.device)


def _linear(across: Tensor, down_right: Tensor, right_down: Tensor, down: Tensor) -> Tensor:
    """Return homogeneous maps of (column, row), ``(B, 3, 3)``, from the ``(B,)`` entries of their linear parts."""
    none, one = torch.zeros_like(across), torch.ones_like(across)
    return _rows(across, down_right, none, right_down, down, none, none, none, one)


def _moved(right: Tensor, down: Tensor) -> Tensor:
    """Return homogeneous translations, ``(B, 3, 3)``."""
    none, one = torch.zeros_like(right), torch.ones_like(right)
    return _rows(one, none, right, none, one, down, none, none, one)


def _rows(*entries: Tensor) -> Tensor:
    return torch.stack(entries, dim=1).reshape(-1, 3, 3)


def _recolour(sample_BCHW: Tensor, factor_BCC: Tensor, added_B1: Tensor) -> Tensor:
    """Multiply the colours of every pixel by a matrix, or grey values by a number, and add a grey."""
    if factor_BCC.shape[1] == 1:
        return sample_BCHW * factor_BCC[..., None] + added_B1[..., None, None]
    mixed_BCHW = (factor_BCC[..., None, None] * sample_BCHW[:, None]).sum(2)
    return mixed_BCHW + added_B1[..., None, None]


def _cut(sample_BCHW: Tensor, draw: _Draw) -> Tensor:
    height, width = sample_BCHW.shape[2:]
    rows, columns = round(CUTOUT * height), round(CUTOUT * width)
    top_B, left_B = ((draw.uniform() * side).floor().long() for side in (height, width))
    rows_B, columns_B = (draw.chosen("cutout", draw.ones() * side, draw.zeros()).long() for side in (rows, columns))
    return cut_out(sample_BCHW, top_B - rows // 2, left_B - columns // 2, rows_B, columns_B)
