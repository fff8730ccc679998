"""GRPO: a sequence generator learns from how its samples compare with others for the same condition."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from torch import Tensor

from sparring.errors import TrainingError
from sparring.interfaces.context import Context
from sparring.interfaces.objective import Objective, Update
from sparring.interfaces.reward import NetworkReward, Reward
from sparring.objectives.policy import clipped, counted, judge_by, judge_samples, passes_over, updates_of

SMALLEST = 1e-4  # added to a group's deviation: where all rewards are equal, none is better


class GRPO(Objective):
    """Raise the probability of sequences that beat the others of their group (Shao et al., 2024, arXiv:2402.03300).

    A group is sampled for the condition of its first row; without conditions, every group is drawn from the same
    distribution. A sequence's advantage is its reward, less the group's mean, over the group's deviation. No network
    of values is needed. The paper's penalty for leaving a reference is the term ``kl``.

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
            context.carried["advantage"] = self._advantage(context)
            context.carried["log_prob"] = log_prob_BT.detach()
        advantage_BT = context.carried["advantage"][:, None].expand_as(log_prob_BT)
        gain_BT = clipped(log_prob_BT, context.carried["log_prob"], advantage_BT, self.clip)
        # As in the paper, a mean over each sequence's tokens, and then over sequences.
        return {"surrogate": -((gain_BT * counted_BT).sum(1) / counted_BT.sum(1).clamp_min(1)).mean()}

    def _advantage(self, context: Context) -> Tensor:
        """Return each sequence's advantage over its group, ``(B,)``."""
        reward = judge_samples(context, self.generator, judge_by(self.reward, context))
        if reward.dim() != 1 or len(reward) % self.group:
            raise TrainingError(
                f"groups of {self.group} need one reward a sequence, and as many sequences as fill them; "
                f"the rewards have the shape {tuple(reward.shape)}",
                where="objective.group",
                remedy="choose a `batch` (on each process) that `group` divides, and a reward of whole sequences",
            )
        context.record("reward", reward.mean())
        return standardised(reward.view(-1, self.group)).flatten()


def standardised(reward: Tensor) -> Tensor:
    """Return rewards ``(N, G)`` less their group's mean, over their group's deviation."""
    deviation = reward.std(dim=1, keepdim=True)
    return (reward - reward.mean(dim=1, keepdim=True)) / (deviation + SMALLEST)
