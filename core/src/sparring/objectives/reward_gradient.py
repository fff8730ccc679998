"""A generator climbs a reward that has a gradient, held near to what it was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor

from sparring.errors import TrainingError
from sparring.interfaces.context import Context
from sparring.interfaces.data import Batch
from sparring.interfaces.generator import Generator, SequenceGenerator, lift_generated
from sparring.interfaces.objective import Objective, Update
from sparring.interfaces.reward import NetworkReward, Reward
from sparring.networks.first import FirstCopy
from sparring.objectives.judging import log_reward, mean_of_known, updates_of


class RewardGradient(Objective):
    """Raise the mean reward of what a generator makes, by the reward's own gradient.

    It needs a reward that is differentiable, and learns much faster than a policy gradient; and it finds whatever the
    reward overlooks just as fast. ``anchor`` holds each sample near to the one that the generator made of the same
    latent when the stage began, by the mean square of their difference: up to a factor the divergence of two normal
    distributions of one deviation around them. The generator as it was is kept in checkpoints. A generator ``steered``
    is held by the term ``latent-kl`` instead. A row whose reward is NaN gives no gradient; ``unscored`` is their share.

    Args:
        reward: Scores each sample, with a gradient; it may be a critic that learns along.
        generator: The generator's role; it must not be one of sequences, whose tokens have no gradient.
        anchor: The weight of the distance from the source; 0 holds nothing.
    """

    def __init__(self, reward: Reward, generator: str = "generator", anchor: float = 0.0) -> None:
        if anchor < 0:
            raise ValueError(f"anchor is {anchor}, and must be at least 0")
        self.reward, self.generator, self.anchor = reward, generator, anchor
        self._own_update = Update("generator", (generator,))
        self.own_updates = (*updates_of(reward), self._own_update)
        self._source = FirstCopy[Generator]()

    def terms(self, update: Update, context: Context) -> Mapping[str, Tensor]:
        """Return the negative reward and the distance, or the terms by which the reward learns along."""
        if update != self._own_update:
            return cast(NetworkReward, self.reward).terms(update, context)
        network = context.networks[self.generator]
        if isinstance(network, SequenceGenerator):
            raise TrainingError(
                "tokens that were sampled have no gradient",
                where="objective",
                remedy="use the objective reinforce, grpo or metric-critic",
            )
        made = context.generate(self.generator)
        if isinstance(self.reward, NetworkReward):
            self.reward.see(context.networks)
        judged = Batch(made.sample, context.batch.condition, made.lengths, made.extras)
        reward = self.reward(judged, context.batch)
        log_reward(context, self.reward, reward.detach())
        if not reward.requires_grad:
            raise TrainingError(
                "the reward gives no gradient",
                where="objective.reward",
                remedy="use the objective latent-policy or metric-critic, which ask for none",
            )
        losses = {"reward": -mean_of_known(reward)}
        if self.anchor:
            losses["anchor"] = self.anchor * self._distance(context, made.sample)
        return losses

    def state_dict(self) -> dict[str, Any]:
        """Return the source's weights."""
        return {"weights": self._source.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Return to a source; it is built from the generator when it is first asked."""
        self._source.load_state_dict(state["weights"])

    def _distance(self, context: Context, sample: Tensor) -> Tensor:
        """Return the mean square difference from what the source makes of the same latents, a scalar."""
        network = cast(Generator, context.networks[self.generator])
        # In the mode of the generator, so that both normalise alike; what batch norm counts is let go of.
        source = self._source.of(network).train(network.training)
        with torch.no_grad():
            usual = lift_generated(source(context.latent(self.generator), context.batch.condition)).sample
        return (sample - usual).square().mean()
