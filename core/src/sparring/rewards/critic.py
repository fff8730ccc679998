"""A critic as the reward: what it holds of sampled sequences, while it learns to tell them from real ones."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Literal

import torch
from torch import Tensor, nn

from sparring.errors import TrainingError
from sparring.interfaces.context import Context
from sparring.interfaces.data import Batch
from sparring.interfaces.discriminator import lift_critique
from sparring.interfaces.generator import SequenceGenerator
from sparring.interfaces.loss import Loss
from sparring.interfaces.objective import Update
from sparring.losses.reduction import per_sample
from sparring.objectives.adversarial import mean_logit
from sparring.training.generate import evaluating

Worth = Literal["probability", "signed", "logit"]


class CriticReward:
    """Reward samples that a discriminator takes for real (SeqGAN: Yu et al., 2017).

    Of sequences the critic reads tokens ``(B, T)``, real and sampled ones, so that nothing has to be relaxed. Before
    each update of the generator it learns from fresh samples, ``steps`` times.

    With ``steps: 0`` it stays as it is, in evaluation mode: give its network `init: {from: RUN}` to be judged by the
    critic of another run. Its weights are part of this run's checkpoints, which needs that other run no more.

    Args:
        loss: The critic's side of it trains the critic.
        generator: The role of the generator that it learns to tell from the data.
        discriminator: The critic's role.
        steps: Updates of the critic in a step.
        worth: What a logit D is worth to the generator: ``probability`` σ(D), as in SeqGAN; ``signed`` 2σ(D) − 1, as in
            ScratchGAN (de Masson d'Autume et al., 2019); ``logit`` D itself, which knows no bounds.
        tokens: Whether each token has its own reward, from a critic with logits ``(B, T)``; otherwise a sequence has
            one, the mean over what the critic says of it.
    """

    def __init__(
        self,
        loss: Loss,
        generator: str = "generator",
        discriminator: str = "discriminator",
        steps: int = 1,
        worth: Worth = "signed",
        tokens: bool = False,
    ) -> None:
        if steps < 0:
            raise ValueError(f"steps is {steps}, and must be at least 0")
        self.loss, self.generator, self.discriminator = loss, generator, discriminator
        self.worth, self.tokens = worth, tokens
        self.updates = (Update("discriminator", (discriminator,), repeat=steps),) if steps else ()
        self._critic: nn.Module | None = None

    def see(self, networks: Mapping[str, nn.Module]) -> None:
        """Take the critic from the run's networks."""
        self._critic = networks[self.discriminator]

    def terms(self, update: Update, context: Context) -> Mapping[str, Tensor]:
        """Return the critic's loss on real samples and on what the generator makes."""
        real = context.critique(self.discriminator, context.batch.sample, lengths=context.batch.lengths)
        sequences = isinstance(context.networks[self.generator], SequenceGenerator)
        drawn = context.sample(self.generator) if sequences else context.generate(self.generator)
        fake = context.critique(self.discriminator, drawn.sample.detach(), lengths=drawn.lengths)
        context.record("real_logit", mean_logit(real))
        context.record("fake_logit", mean_logit(fake))
        return {"adversarial": self.loss.discriminator(real, fake)}

    def __call__(self, samples: Batch, reference: Batch | None) -> Tensor:
        """Return what samples are worth, ``(B,)``, or ``(B, T)`` where tokens are rewarded."""
        if self._critic is None:
            raise TrainingError(
                "the reward critic has seen no networks", remedy="call see(networks) first, as objectives do"
            )
        # What stays as it is must not count batches, nor drop features.
        with nullcontext() if self.updates else evaluating(self._critic):
            logits = lift_critique(self._critic(samples.sample, samples.condition, samples.lengths)).logits
        # σ goes before the mean over a critic's scales: each has an opinion of its own.
        worth = [worth_of(logit.float(), self.worth) for logit in logits]
        if not self.tokens:
            return per_sample(worth)
        if worth[0].shape != samples.sample.shape:
            raise TrainingError(
                f"tokens are to be rewarded, and the critic's logits have the shape {tuple(worth[0].shape)} for tokens "
                f"of {tuple(samples.sample.shape)}",
                where="objective.reward",
                remedy="use a discriminator that judges each token, or `tokens: false`",
            )
        return worth[0]


def worth_of(logit: Tensor, worth: Worth) -> Tensor:
    """Return what logits of any shape are worth to the generator."""
    if worth == "logit":
        return logit
    probability = torch.sigmoid(logit)
    return probability if worth == "probability" else 2 * probability - 1
