"""REINFORCE: a sequence generator learns from a reward that gives no gradient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

import torch
from torch import Tensor

from sparring.errors import TrainingError
from sparring.interfaces.context import Context
from sparring.interfaces.objective import Objective, Update
from sparring.interfaces.reward import NetworkReward, Reward
from sparring.objectives.policy import counted, discounted, judge_by, judge_samples, rollout_values, updates_of

Credit = Literal["sequence", "token", "rollout"]


class Reinforce(Objective):
    """Raise the probability of tokens that are credited with more than a moving baseline (Williams, 1992).

    Args:
        reward: Scores each sampled sequence, or each of its tokens; it may be a critic that learns along.
        generator: The role of a ``SequenceGenerator``.
        credit: ``sequence`` credits each token with its whole sequence's reward; ``token`` with its own and those after
            it, from a reward that scores tokens; ``rollout`` with the mean reward of sequences that begin alike.
        discount: The share of a reward that is left one token earlier, in [0, 1]; rollouts know none. ScratchGAN has
            0.23.
        rollouts: How often each beginning is completed, for ``credit: rollout``; SeqGAN has 16. The cost of a step
            grows with it and with the square of the length.
        baseline_decay: The share that the old baseline, a moving mean of returns, keeps at each update, in [0, 1).
        temperature: The temperature at which sequences are sampled. Away from 1 the policy that is scored is not quite
            the one that was sampled, which biases the gradient.
    """

    def __init__(
        self,
        reward: Reward,
        generator: str = "generator",
        credit: Credit = "sequence",
        discount: float = 1.0,
        rollouts: int = 16,
        baseline_decay: float = 0.9,
        temperature: float = 1.0,
    ) -> None:
        if not 0 <= discount <= 1:
            raise ValueError(f"discount is {discount}, and must be in [0, 1]")
        if rollouts < 1:
            raise ValueError(f"rollouts is {rollouts}, and must be at least 1")
        if not 0 <= baseline_decay < 1:
            raise ValueError(f"baseline_decay is {baseline_decay}, and must be in [0, 1)")
        self.reward, self.generator, self.credit = reward, generator, credit
        self.discount, self.rollouts = discount, rollouts
        self.baseline_decay, self.temperature = baseline_decay, temperature
        self.baseline: float | None = None
        self._policy_update = Update("generator", (generator,))
        self.own_updates, self.sequence_roles = (*updates_of(reward), self._policy_update), (generator,)

    def terms(self, update: Update, context: Context) -> Mapping[str, Tensor]:
        """Return the policy-gradient term, or those by which the reward learns along."""
        if update != self._policy_update:
            return cast(NetworkReward, self.reward).terms(update, context)
        drawn = context.sample(self.generator, temperature=self.temperature)
        return_BT = self._credited(context)
        # A mean over rows of each row's own mean: where all tokens are credited alike, the mean reward.
        usual = (return_BT.sum(1) / counted(drawn).sum(1).clamp_min(1)).mean()
        context.record("return", usual)
        surprise_BT = return_BT - (usual if self.baseline is None else self.baseline)
        return {"policy_gradient": -(surprise_BT * context.log_prob(self.generator)).sum(1).mean()}

    def after_update(self, update: Update, contexts: Sequence[Context]) -> None:
        """Move the baseline towards the mean return. It is read here: sampling has waited anyway."""
        if update.name != self._policy_update.name:
            return
        returns = torch.stack([context.recorded["return"] for context in contexts]).mean()
        mean, keep = float(contexts[0].average(returns)), self.baseline_decay
        self.baseline = mean if self.baseline is None else keep * self.baseline + (1 - keep) * mean

    def state_dict(self) -> dict[str, Any]:
        """Return the baseline."""
        return {"baseline": self.baseline}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Return to a baseline."""
        self.baseline = state["baseline"]

    def _credited(self, context: Context) -> Tensor:
        """Return what each sampled token is credited with, ``(B, T)``, 0 past the end."""
        drawn, judge = context.sample(self.generator), judge_by(self.reward, context)
        reward = judge_samples(context, self.generator, judge)
        expected = drawn.sample.shape if self.credit == "token" else drawn.sample.shape[:1]
        if reward.shape != expected:
            raise TrainingError(
                f"credit: {self.credit} needs rewards of the shape {tuple(expected)}, "
                f"and they have {tuple(reward.shape)}",
                where="objective.credit",
                remedy="choose `token` for what judges single tokens, `sequence` or `rollout` for what does not",
            )
        counted_BT = counted(drawn)
        context.record(
            "reward", (reward * counted_BT).sum() / counted_BT.sum() if self.credit == "token" else reward.mean()
        )
        if self.credit == "rollout":
            return rollout_values(
                context,
                self.generator,
                drawn,
                reward,
                judge,
                rollouts=self.rollouts,
                temperature=self.temperature,
            )
        return discounted(reward, counted_BT, self.discount)
