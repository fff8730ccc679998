"""What objectives share that ask a reward: judging samples, rows without a reward, and what is usual."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from sparring.interfaces.context import Context
from sparring.interfaces.data import Batch
from sparring.interfaces.objective import Update
from sparring.interfaces.reward import NetworkReward, Reward
from sparring.rewards.sum import WeightedSum

Judge = Callable[[Batch, Tensor], Tensor]
"""Rewards samples, ``(R,)`` or ``(R, T)``; the tensor ``(R,)`` says which row of the update's batch each of them was
made for."""


def updates_of(reward: Reward) -> tuple[Update, ...]:
    """Return the updates by which a reward learns along."""
    return reward.updates if isinstance(reward, NetworkReward) else ()


def judge_by(reward: Reward, context: Context) -> Judge:
    """Return a function that rewards samples of an update, without a graph."""
    if isinstance(reward, NetworkReward):
        reward.see(context.networks)

    def judge(samples: Batch, row_R: Tensor) -> Tensor:
        with torch.no_grad():
            return reward(samples, context.batch.rows(row_R)).to(context.device).float()

    return judge


def judge_samples(context: Context, role: str, reward: Reward) -> Tensor:
    """Return the rewards of what an update has sampled from a generator, ``(B,)`` or ``(B, T)``, and log them.

    ``unscored`` is the share of rows without a reward; where it is NaN there, no gradient may come of it.
    """
    drawn, (condition, rows) = context.sample(role), context.sampled_for(role)
    found = judge_by(reward, context)(Batch(drawn.sample, condition, drawn.lengths, drawn.extras), rows)
    log_reward(context, reward, found)
    return found


def log_reward(context: Context, reward: Reward, found: Tensor) -> None:
    """Log the mean reward of the rows that have one, the share of those that have none, and the parts of a sum."""
    context.record("reward", mean_of_known(found))
    context.record("unscored", 1 - found.isfinite().float().mean())
    if isinstance(reward, WeightedSum):
        for name, mean in reward.means.items():
            context.record(f"reward/{name}", mean)


def mean_of_known(values: Tensor) -> Tensor:
    """Return the mean of the values that are finite, a scalar; 0 where none is."""
    known = values.isfinite()
    return values.where(known, 0.0).sum() / known.sum().clamp_min(1)


class MovingMean:
    """The mean of past rewards or returns, which what is new is compared with: a baseline.

    It is a plain number, read after each update: sampling has waited for the device anyway.

    Args:
        keep: The share that the old mean keeps at each update, in [0, 1).

    Attributes:
        value: The mean; None before the first update.
    """

    def __init__(self, keep: float) -> None:
        self.keep = keep
        self.value: float | None = None

    def or_else(self, first: Tensor) -> Tensor:
        """Return the mean, a scalar; before the first update, what takes its place."""
        return first if self.value is None else torch.full_like(first, self.value)

    def follow(self, contexts: Sequence[Context], values: Sequence[Tensor]) -> None:
        """Move towards the mean of an update's values, of all its parts and processes; NaN counts for nothing."""
        known = [value.isfinite() for value in values]
        sums = torch.stack(
            [
                torch.stack([value.where(one, 0.0).sum(), one.sum().to(value)])
                for value, one in zip(values, known, strict=True)
            ]
        ).sum(0)
        total, count = contexts[0].average(sums).tolist()
        if count:
            mean = total / count
            self.value = mean if self.value is None else self.keep * self.value + (1 - self.keep) * mean
