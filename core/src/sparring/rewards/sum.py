"""Several rewards as one: a weighted sum."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from sparring.errors import TrainingError
from sparring.interfaces.context import Context
from sparring.interfaces.data import Batch
from sparring.interfaces.objective import Update
from sparring.interfaces.reward import NetworkReward, Reward

SMALLEST = 1e-4  # added to a deviation: where all rows have the same reward, none is better


class WeightedSum:
    """Add up several rewards, each times its weight; the mean of each part is logged as ``reward/NAME``.

    A part that is normalised counts by how far it is above the mean of the rows that are judged together (a batch of
    one process, or a part of it), in their standard deviations. Then weights compare, whatever the parts' own scales;
    but every batch has its best row, and where all are good the smallest difference counts as much. Where one row
    alone is judged, a normalised part is 0. Do not normalise for ``credit: rollout``, which compares what was judged
    together with what was not.

    A row is NaN, unscored, where any part is.

    Args:
        parts: The rewards, by names of your own. Critics that learn along may be among them.
        weights: Their weights by name; 1 for those that are not named. A negative one makes less of a part.
        normalise: The names of those that are normalised.
    """

    def __init__(
        self,
        parts: dict[str, Reward],
        weights: dict[str, float] = {},  # noqa: B006 - never changed
        normalise: list[str] = [],  # noqa: B006 - never changed
    ) -> None:
        if not parts:
            raise ValueError("there are no parts to add up")
        for name in [*weights, *normalise]:
            if name not in parts:
                raise ValueError(f"'{name}' is no part; the parts are {', '.join(parts)}")
        self.parts, self.normalise = parts, normalise
        self.weights = {name: weights.get(name, 1.0) for name in parts}
        self.means: dict[str, Tensor] = {}  # of each part, by name, when samples were last judged
        self._networks = {name: part for name, part in parts.items() if isinstance(part, NetworkReward)}
        self.updates = tuple(update for part in self._networks.values() for update in part.updates)
        if len({update.name for update in self.updates}) < len(self.updates):
            raise ValueError("two parts learn by updates of one name: a sum can hold one critic that learns along")

    def see(self, networks: Mapping[str, nn.Module]) -> None:
        """Show the parts the run's networks."""
        for part in self._networks.values():
            part.see(networks)

    def terms(self, update: Update, context: Context) -> Mapping[str, Tensor]:
        """Return the terms by which one part learns along."""
        part = next(part for part in self._networks.values() if update in part.updates)
        return part.terms(update, context)

    def __call__(self, samples: Batch, reference: Batch | None) -> Tensor:
        """Return ``(B,)``, or ``(B, T)`` where every part rewards tokens."""
        found = {name: part(samples, reference).to(samples.sample.device).float() for name, part in self.parts.items()}
        shapes = {tuple(value.shape) for value in found.values()}
        if len(shapes) > 1:
            told = ", ".join(f"{name} {tuple(value.shape)}" for name, value in found.items())
            raise TrainingError(
                f"the parts of a sum of rewards have different shapes: {told}",
                where="objective.reward.parts",
                remedy="let all of them reward sequences, or all of them tokens",
            )
        self.means = {name: value.detach().nanmean() for name, value in found.items()}
        weighted = [
            self.weights[name] * (normalised(value) if name in self.normalise else value)
            for name, value in found.items()
        ]
        return torch.stack(weighted).sum(0)


def normalised(reward: Tensor) -> Tensor:
    """Return rewards less their mean, over their standard deviation; NaN stays NaN and counts for nothing."""
    known = reward.isfinite()
    count = known.sum().clamp_min(1)
    centred = reward - reward.where(known, 0.0).sum() / count
    # Of the rows themselves, not of what they were drawn from: one row alone has none.
    deviation = (centred.where(known, 0.0).square().sum() / count).sqrt()
    return centred / (deviation + SMALLEST)
