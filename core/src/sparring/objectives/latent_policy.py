"""A policy over latents learns from a reward that gives no gradient; the generator behind it stays."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor

from sparring.errors import TrainingError
from sparring.interfaces.context import Context
from sparring.interfaces.data import Batch
from sparring.interfaces.generator import Generated
from sparring.interfaces.objective import Objective, Update
from sparring.interfaces.reward import NetworkReward, Reward
from sparring.networks.steered import SteeredGenerator
from sparring.objectives.judging import MovingMean, judge_by, log_reward, mean_of_known, updates_of


class LatentPolicy(Objective):
    """Raise the probability of latents whose samples have more than the usual reward (REINFORCE: Williams, 1992).

    The reward may be anything that judges a sample; nothing flows back through it, nor through the generator. Without
    the term ``latent-kl`` the policy goes wherever the reward is higher, however unlike the data it is there.

    A row whose reward is NaN, since nothing can be scored there, gives no gradient; ``unscored`` is their share.

    Args:
        reward: Scores each sample; it may be a critic that learns along.
        generator: The role of a generator ``steered``.
        baseline_decay: The share that the old baseline, a moving mean of rewards, keeps at each update, in [0, 1).
    """

    def __init__(self, reward: Reward, generator: str = "generator", baseline_decay: float = 0.9) -> None:
        if not 0 <= baseline_decay < 1:
            raise ValueError(f"baseline_decay is {baseline_decay}, and must be in [0, 1)")
        self.reward, self.generator, self.usual = reward, generator, MovingMean(baseline_decay)
        self._policy_update = Update("generator", (generator,))
        self.own_updates = (*updates_of(reward), self._policy_update)

    def terms(self, update: Update, context: Context) -> Mapping[str, Tensor]:
        """Return the policy-gradient term, or those by which the reward learns along."""
        if update != self._policy_update:
            return cast(NetworkReward, self.reward).terms(update, context)
        _, made = steered(context, self.generator)
        extras = {name: value.detach() for name, value in made.extras.items()}
        judged = Batch(made.sample.detach(), context.batch.condition, made.lengths, extras)
        reward_B = judge_by(self.reward, context)(judged, torch.arange(len(judged), device=context.device))
        log_reward(context, self.reward, reward_B)
        if reward_B.dim() != 1:
            raise TrainingError(
                f"latent-policy needs one reward a sample, and they have the shape {tuple(reward_B.shape)}",
                where="objective.reward",
                remedy="use a reward of whole samples",
            )
        context.carried["reward"] = reward_B
        known_B = reward_B.isfinite()
        surprise_B = (reward_B - self.usual.or_else(mean_of_known(reward_B))).where(known_B, 0.0)
        return {"policy_gradient": -(surprise_B * log_prob(made)).sum() / known_B.sum().clamp_min(1)}

    def after_update(self, update: Update, contexts: Sequence[Context]) -> None:
        """Move the baseline towards the mean reward."""
        if update.name == self._policy_update.name:
            self.usual.follow(contexts, [context.carried["reward"] for context in contexts])

    def state_dict(self) -> dict[str, Any]:
        """Return the baseline."""
        return {"baseline": self.usual.value}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Return to a baseline."""
        self.usual.value = state["baseline"]


def steered(context: Context, role: str) -> tuple[SteeredGenerator, Generated]:
    """Return a steered generator and what it makes in this update.

    Raises:
        TrainingError: The network is another.
    """
    network = context.networks[role]
    if not isinstance(network, SteeredGenerator):
        raise TrainingError(
            f"a policy over latents is wanted, and '{role}' is a {type(network).__name__}",
            where=f"networks.{role}",
            remedy="wrap the generator: {use: steered, generator: {use: …}}",
        )
    return network, context.generate(role)


def log_prob(made: Generated) -> Tensor:
    """Return the log-probability of each chosen latent, ``(B,)``; its gradient is that of the policy alone."""
    log_deviation_BZ = made.extras["latent_log_deviation"]
    away_BZ = (made.extras["latent"].detach() - made.extras["latent_mean"]) / log_deviation_BZ.exp()
    return (-0.5 * away_BZ.square() - log_deviation_BZ - 0.5 * math.log(2 * math.pi)).sum(1)
