"""Augmentation inside the critic, and constraints on networks."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from sparring.interfaces.data import Condition


class Augmentation(nn.Module, ABC):
    """Change what a critic sees, real and generated alike; differentiable twice in the sample.

    State that adapts (a strength) is a buffer, and so part of every checkpoint.
    """

    @abstractmethod
    def forward(self, sample: Tensor, condition: Condition, *, rng: torch.Generator) -> Tensor:
        """Return ``(B, *space.shape)``, changed at random."""

    def observe(self, real_logits: Tensor) -> Tensor | None:
        """Return this batch's statistic for ``adapt``, from the critic's real logits; None: nothing adapts."""
        return None

    def adapt(self, statistic: Tensor, samples: int) -> None:
        """Change the strength. The statistic is averaged over ranks; ``samples`` counts the reals behind it."""


class Constraint(ABC):
    """Hold a network in a set after each of its optimiser steps: weight clipping."""

    @abstractmethod
    def __call__(self, network: nn.Module) -> None:
        """Project the parameters in place."""
