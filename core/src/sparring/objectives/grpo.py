"""GRPO: a sequence generator learns from how its samples compare with others for the same condition."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor

from sparring.errors import TrainingError
from sparring.interfaces.context import Context
from sparring.interfaces.objective import Objective, Update
from sparring.interfaces.reward import NetworkReward, Reward
from sparring.objectives.judging import judge_samples, updates_of
from sparring.objectives.policy import clipped, counted, passes_over

SMALLEST = 1e-4  # added to a group's deviation: where all rewards are equal, none is better


class GRPO(Objective):
    """Raise the probability of sequences that beat the others of their group (Shao et al., 2024, arXiv:2402.03300).

    A group is sampled for the condition of its first row; without conditions, every group is drawn from the same
    distribution. A sequence's advantage is its reward, less the group's mean, over the group's deviation. No network
    of values is needed. The paper's penalty for leaving a reference is the term ``kl``.

    A row whose reward is NaN, since nothing can be scored there, gives no gradient, and its group is compared without
    it; ``unscored`` is their share.

    Args:
        reward: Scores each sampled sequence; it may be a critic that learns along.
        generator: The role of a ``SequenceGenerator``.
        group: Sequences of a group, at least 2; it must divide the batch.
        clip: How far the ratio of a token's probabilities, now and when it was sampled, may leave 1.
        passes: How often the same samples are learnt from. In the first pass the ratio is 1 and nothing is clipped.
        temperature: The temperature at which sequences are sampled.
    """

    def __init__(
        self,
        reward: Reward,
        generator: str = "generator",
        group: int = 8,
        clip: float = 0.2,
        passes: int = 1,
        temperature: float = 1.0,
    ) -> None:
        if group < 2:
            raise ValueError(f"group is {group}, and must be at least 2")
        if clip <= 0:
            raise ValueError(f"clip is {clip}, and must be more than 0")
        self.reward, self.generator = reward, generator
        self.group, self.clip, self.temperature = group, clip, temperature
        self._passes = passes_over(generator, passes)
        self.own_updates, self.sequence_roles = (*updates_of(reward), *self._passes), (generator,)

    def terms(self, update: Update, context: Context) -> Mapping[str, Tensor]:
        """Return the clipped surrogate, or the terms by which the reward learns along."""
        if update not in self._passes:
            return cast(NetworkReward, self.reward).terms(update, context)
        drawn = context.sample(self.generator, temperature=self.temperature, group=self.group)
        log_prob_BT, counted_BT = context.log_prob(self.generator), counted(drawn)
        if update == self._passes[0]:
            self._compare(context)
            context.carried["log_prob"] = log_prob_BT.detach()
        advantage_BT = context.carried["advantage"][:, None].expand_as(log_prob_BT)
        gain_BT = clipped(log_prob_BT, context.carried["log_prob"], advantage_BT, self.clip)
        # As in the paper, a mean over each sequence's tokens, and then over sequences.
        gain_B = (gain_BT * counted_BT).sum(1) / counted_BT.sum(1).clamp_min(1)
        return {"surrogate": -gain_B.sum() / context.carried["known"].sum().clamp_min(1)}

    def _compare(self, context: Context) -> None:
        """Leave for all passes each sequence's advantage over its group, and which have one, ``(B,)``."""
        reward = judge_samples(context, self.generator, self.reward)
        if reward.dim() != 1 or len(reward) % self.group:
            raise TrainingError(
                f"groups of {self.group} need one reward a sequence, and as many sequences as fill them; "
                f"the rewards have the shape {tuple(reward.shape)}",
                where="objective.group",
                remedy="choose a `batch` (on each process) that `group` divides, and a reward of whole sequences",
            )
        advantage = standardised(reward.view(-1, self.group)).flatten()
        context.carried["known"] = advantage.isfinite()
        context.carried["advantage"] = advantage.nan_to_num(0.0)


def standardised(reward: Tensor) -> Tensor:
    """Return rewards ``(N, G)`` less their group's mean, over their group's deviation.

    NaN stays NaN, and its group is that of the others; of one alone nothing can be said: it is NaN too.
    """
    known = reward.isfinite()
    count = known.sum(1, keepdim=True)
    centred = reward - reward.where(known, 0.0).sum(1, keepdim=True) / count
    deviation = (centred.where(known, 0.0).square().sum(1, keepdim=True) / (count - 1)).sqrt()
    return (centred / (deviation + SMALLEST)).where(count > 1, torch.nan)
