"""REINFORCE: a sequence generator learns from a reward that gives no gradient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor

from sparring.interfaces.context import Context
from sparring.interfaces.data import Batch
from sparring.interfaces.generator import SequenceGenerator
from sparring.interfaces.objective import Objective, Update
from sparring.interfaces.reward import Reward


class Reinforce(Objective):
    """Raise the probability of sequences that score above a moving baseline (Williams, 1992).

    Args:
        reward: Scores each sampled sequence.
        generator: The role of a ``SequenceGenerator``.
        baseline_decay: The share that the old baseline, a moving mean of rewards, keeps at each update.
        temperature: The temperature at which sequences are sampled. Away from 1 the policy that is scored is not quite
            the one that was sampled, which biases the gradient.
    """

    def __init__(
        self, reward: Reward, generator: str = "generator", baseline_decay: float = 0.9, temperature: float = 1.0
    ) -> None:
        if not 0 <= baseline_decay < 1:
            raise ValueError(f"baseline_decay is {baseline_decay}, and must be in [0, 1)")
        self.reward, self.generator = reward, generator
        self.baseline_decay, self.temperature = baseline_decay, temperature
        self.baseline: float | None = None
        self.own_updates, self.sequence_roles = (Update("generator", (generator,)),), (generator,)

    def terms(self, update: Update, context: Context) -> Mapping[str, Tensor]:
        """Return the policy-gradient term."""
        network = cast(SequenceGenerator, context.networks[self.generator])
        batch = context.batch
        with torch.no_grad():
            drawn = network.sample(len(batch), batch.condition, rng=context.rows_rng, temperature=self.temperature)
            made = Batch(drawn.sample, batch.condition, drawn.lengths, drawn.extras)
            reward = self.reward(made, batch).to(context.device).float()
        baseline = reward.mean() if self.baseline is None else self.baseline
        log_prob = network.log_prob(drawn.sample, batch.condition, drawn.lengths).sum(1)
        context.record("reward", reward.mean())
        return {"policy_gradient": -((reward - baseline) * log_prob).mean()}

    def after_update(self, update: Update, contexts: Sequence[Context]) -> None:
        """Move the baseline towards this update's mean reward. It is read here: sampling has waited anyway."""
        rewards = torch.stack([context.recorded["reward"] for context in contexts]).mean()
        mean = float(contexts[0].average(rewards))
        keep = self.baseline_decay
        self.baseline = mean if self.baseline is None else keep * self.baseline + (1 - keep) * mean

    def state_dict(self) -> dict[str, Any]:
        """Return the baseline."""
        return {"baseline": self.baseline}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Return to a baseline."""
        self.baseline = state["baseline"]
