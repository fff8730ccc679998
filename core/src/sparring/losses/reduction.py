"""How a critique of several logits tensors becomes one number."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from sparring.interfaces.discriminator import Critique


def average(values: Iterable[Tensor]) -> Tensor:
    """Return the mean over scales of each scale's own mean.

    A scale with many logits, such as a patch critic's finest one, thereby counts no more than a coarse one.

    Args:
        values: One tensor for each scale, of any shape.

    Returns:
        A scalar.
    """
    return torch.stack([value.mean() for value in values]).mean()


def per_sample(values: Iterable[Tensor]) -> Tensor:
    """Return each sample's mean, over positions and then over scales.

    Args:
        values: One tensor for each scale, ``(B,)`` or ``(B, …)``.

    Returns:
        ``(B,)``.
    """
    return torch.stack([value.reshape(len(value), -1).mean(dim=1) for value in values]).mean(dim=0)


def scores(critique: Critique) -> Tensor:
    """Return one logit a sample, ``(B,)``: the D(x) of the formulas, whose mean over the batch ``average`` gives."""
    return per_sample(critique.logits)
