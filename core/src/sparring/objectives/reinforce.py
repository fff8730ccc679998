"""REINFORCE: a sequence generator learns from a reward that gives no gradient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

import torch
from torch import Tensor

from sparring.errors import TrainingError
from sparring.interfaces.context import Context
from sparring.interfaces.data import Batch
from sparring.interfaces.generator import SequenceGenerator
from sparring.interfaces.objective import Objective, Update
from sparring.interfaces.reward import NetworkReward, Reward
from sparring.objectives.judging import MovingMean, judge_by, judge_samples, mean_of_known, updates_of
from sparring.objectives.policy import counted, discounted, rollout_values

Credit = Literal["sequence", "token", "rollout"]
Baseline = Literal["moving", "self-critical"]
GREEDY = 1e-3  # a temperature at which the likeliest token is drawn, if it is likelier than the next by 0.02 nats


class Reinforce(Objective):
    """Raise the probability of tokens that are credited with more than a baseline (Williams, 1992).

    A row whose reward is NaN, since nothing can be scored there, gives no gradient; ``unscored`` is their share.

    Args:
        reward: Scores each sampled sequence, or each of its tokens; it may be a critic that learns along.
        generator: The role of a ``SequenceGenerator``.
        credit: ``sequence`` credits each token with its whole sequence's reward; ``token`` with its own and those after
            it, from a reward that scores tokens; ``rollout`` with the mean reward of sequences that begin alike.
        discount: The share of a reward that is left one token earlier, in [0, 1]; rollouts know none. ScratchGAN has
            0.23.
        rollouts: How often each beginning is completed, for ``credit: rollout``; SeqGAN has 16. The cost of a step
            grows with it and with the square of the length.
        baseline: What is usual: ``moving``, a moving mean of returns; or ``self-critical``, for ``credit: sequence``,
            the reward of the sequence of likeliest tokens for the same condition (Rennie et al., 2017), which costs
            one more sample a row.
        baseline_decay: The share that the moving mean keeps at each update, in [0, 1).
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
        baseline: Baseline = "moving",
        baseline_decay: float = 0.9,
        temperature: float = 1.0,
    ) -> None:
        if not 0 <= discount <= 1:
            raise ValueError(f"discount is {discount}, and must be in [0, 1]")
        if rollouts < 1:
            raise ValueError(f"rollouts is {rollouts}, and must be at least 1")
        if not 0 <= baseline_decay < 1:
            raise ValueError(f"baseline_decay is {baseline_decay}, and must be in [0, 1)")
        if baseline == "self-critical" and (credit != "sequence" or discount != 1):
            raise ValueError("a self-critical baseline needs `credit: sequence` and `discount: 1`")
        self.reward, self.generator, self.credit = reward, generator, credit
        self.discount, self.rollouts = discount, rollouts
        self.baseline, self.temperature, self.usual = baseline, temperature, MovingMean(baseline_decay)
        self._policy_update = Update("generator", (generator,))
        self.own_updates, self.sequence_roles = (*updates_of(reward), self._policy_update), (generator,)

    def terms(self, update: Update, context: Context) -> Mapping[str, Tensor]:
        """Return the policy-gradient term, or those by which the reward learns along."""
        if update != self._policy_update:
            return cast(NetworkReward, self.reward).terms(update, context)
        counted_BT = counted(context.sample(self.generator, temperature=self.temperature))
        return_BT = self._credited(context, counted_BT)
        known_BT = return_BT.isfinite() & counted_BT
        # A mean over rows of each row's own mean: where all tokens are credited alike, the mean reward.
        return_B = return_BT.where(known_BT, 0.0).sum(1) / known_BT.sum(1)  # NaN where no token is credited
        context.carried["return"] = return_B
        usual = mean_of_known(return_B)
        context.record("return", usual)
        if self.baseline == "self-critical":
            baseline = self._greedy(context)[:, None]
            known_BT = known_BT & baseline.isfinite()
        else:
            baseline = self.usual.or_else(usual)
        surprise_BT = (return_BT - baseline).where(known_BT, 0.0)
        rows = known_BT.any(1).sum().clamp_min(1)
        return {"policy_gradient": -(surprise_BT * context.log_prob(self.generator)).sum() / rows}

    def after_update(self, update: Update, contexts: Sequence[Context]) -> None:
        """Move the baseline towards the mean return."""
        if update.name == self._policy_update.name:
            self.usual.follow(contexts, [context.carried["return"] for context in contexts])

    def state_dict(self) -> dict[str, Any]:
        """Return the moving baseline."""
        return {"baseline": self.usual.value}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Return to a baseline."""
        self.usual.value = state["baseline"]

    def _credited(self, context: Context, counted_BT: Tensor) -> Tensor:
        """Return what each sampled token is credited with, ``(B, T)``, 0 past the end, NaN where nothing is known."""
        reward = judge_samples(context, self.generator, self.reward)
        expected = counted_BT.shape if self.credit == "token" else counted_BT.shape[:1]
        if reward.shape != expected:
            raise TrainingError(
                f"credit: {self.credit} needs rewards of the shape {tuple(expected)}, "
                f"and they have {tuple(reward.shape)}",
                where="objective.credit",
                remedy="choose `token` for what judges single tokens, `sequence` or `rollout` for what does not",
            )
        if self.credit == "rollout":
            return rollout_values(
                context,
                self.generator,
                context.sample(self.generator),
                reward,
                judge_by(self.reward, context),
                rollouts=self.rollouts,
                temperature=self.temperature,
            )
        return discounted(reward, counted_BT, self.discount)

    def _greedy(self, context: Context) -> Tensor:
        """Return the reward of the likeliest tokens for each row's condition, ``(B,)``."""
        condition, rows = context.sampled_for(self.generator)
        network = cast(SequenceGenerator, context.networks[self.generator])
        with torch.no_grad():
            made = network.sample(len(rows), condition, rng=context.rows_rng, temperature=GREEDY)
        found = judge_by(self.reward, context)(Batch(made.sample, condition, made.lengths, made.extras), rows)
        context.record("greedy_reward", mean_of_known(found))
        return found
