"""Constraints on networks, applied after each of their optimiser steps."""

from __future__ import annotations

import torch
from torch import nn

from sparring.interfaces.augmentation import Constraint


class WeightClip(Constraint):
    """Clip each weight to [−limit, limit], which bounds the critic's slope (WGAN: Arjovsky et al., 2017).

    Args:
        limit: The largest magnitude, above 0.
    """

    def __init__(self, limit: float = 0.01) -> None:
        if limit <= 0:
            raise ValueError(f"limit must be above 0, not {limit}")
        self.limit = limit

    def __call__(self, network: nn.Module) -> None:
        with torch.no_grad():
            for parameter in network.parameters():
                # Frozen weights, such as a pretrained backbone's, stay as they are.
                if parameter.requires_grad:
                    parameter.clamp_(-self.limit, self.limit)
