"""Exponential moving averages of weights: what samples and metrics are made with."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from sparring.recipes.schema import Average


class MovingAverage:
    """A copy of a network that follows it slowly.

    Parameters are averaged; buffers, such as batch statistics, are copied.

    Args:
        network: The network to follow.
        average: The decay a step, or a half-life in samples with a ramp, as StyleGAN2 has it: early in training the
            half-life is held below a share of the samples seen, so that the first weights are soon forgotten.
    """

    def __init__(self, network: nn.Module, average: float | Average) -> None:
        self.average = average
        self.network = copy.deepcopy(network).requires_grad_(False).eval()

    def decay(self, batch: int, seen: int) -> float:
        """Return the share that the old average keeps.

        Args:
            batch: Samples in this step.
            seen: Samples before and in this step.
        """
        if isinstance(self.average, float):
            return self.average
        half_life = self.average.half_life
        if self.average.ramp is not None:
            half_life = min(half_life, self.average.ramp * seen)
        return float(0.5 ** (batch / max(half_life, 1e-8)))

    @torch.no_grad()
    def follow(self, network: nn.Module, batch: int, seen: int) -> None:
        """Move towards the network's present weights."""
        ours, theirs = _split(self.network), _split(network)
        weights = 1.0 - self.decay(batch, seen)
        if ours[0]:
            torch._foreach_lerp_(ours[0], theirs[0], weights)
        for old, new in zip(ours[1], theirs[1], strict=True):
            old.copy_(new)


def _split(network: nn.Module) -> tuple[list[Tensor], list[Tensor]]:
    parameters: Iterator[nn.Parameter] = network.parameters()
    return [parameter.data for parameter in parameters], list(network.buffers())
