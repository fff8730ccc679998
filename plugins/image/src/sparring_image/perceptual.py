"""The perceptual term: generated pictures should look like true ones to a network, not pixel by pixel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from sparring.errors import TrainingError
from sparring.interfaces.context import Context
from sparring.interfaces.metric import Encoder
from sparring.interfaces.objective import Term

SMALL = 1e-8  # keeps the root of a squared length differentiable at 0
NAME = "image/perceptual"


@runtime_checkable
class FeatureMaps(Protocol):
    """An encoder that also shows what it sees on the way."""

    def feature_maps(self, sample: Tensor) -> Sequence[Tensor]:
        """Map ``(B, C, H, W)`` in [-1, 1] to maps at several depths, ``(B, F, h, w)`` each."""
        ...


class Perceptual(Term):
    """The distance of generated pictures from the batch's, in the features of a fixed network.

    At each place of each map the features are scaled to length 1, so that all depths count alike; the term is the mean
    squared distance between the two, over places and maps: 0 where the pictures look the same to the network, 2 where
    they have nothing in common, 4 where they are opposites. Features instead of pixels are due to Johnson, Alahi and
    Fei-Fei 2016 (arXiv:1603.08155), their unit length to Zhang et al. 2018 (LPIPS, arXiv:1801.03924), without the
    latter's learnt weights.

    Args:
        encoder: The network: one with feature maps, such as ``image/classifier``. Of any other its one vector of
            features is used.
        generator: The generator's role.
        target: ``sample``, or ``conditions.NAME`` for a picture among the conditions.
    """

    def __init__(self, encoder: Encoder, generator: str = "generator", target: str = "sample") -> None:
        self.encoder, self.generator, self.target = encoder, generator, target
        self.trains = (generator,)

    def __call__(self, context: Context) -> Tensor:
        made_BCHW, wanted_BCHW = context.generate(self.generator).sample, self._wanted(context)
        with torch.no_grad():
            wanted = self._maps(wanted_BCHW)
        distances = []
        for ours, theirs in zip(self._maps(made_BCHW), wanted, strict=True):
            if ours.shape != theirs.shape:
                raise TrainingError(
                    f"{NAME} compares pictures of {tuple(made_BCHW.shape)} with '{self.target}' of "
                    f"{tuple(wanted_BCHW.shape)}, which differ in shape",
                    remedy="name a target that lives in the generator's space",
                )
            distances.append((_unit(ours) - _unit(theirs)).square().sum(dim=1).mean())
        return torch.stack(distances).mean()

    def _maps(self, sample_BCHW: Tensor) -> Sequence[Tensor]:
        if isinstance(self.encoder, FeatureMaps):
            return self.encoder.feature_maps(sample_BCHW)
        found: Tensor = self.encoder(sample_BCHW)
        return [found]

    def _wanted(self, context: Context) -> Tensor:
        name = self.target.removeprefix("conditions.")
        if self.target == "sample":
            return context.batch.sample
        if name == self.target or name not in context.batch.condition:
            known = ["sample", *(f"conditions.{key}" for key in context.batch.condition)]
            raise TrainingError(
                f"{NAME} aims at '{self.target}', which the data do not give",
                remedy=f"use one of: {', '.join(known)}",
            )
        return context.batch.condition[name]


def _unit(features: Tensor) -> Tensor:
    """Scale the features at each place, ``(B, F, …)``, to length 1; where there are none they stay 0."""
    length = (features.float().square().sum(dim=1, keepdim=True) + SMALL).sqrt()
    return features.float() / length
