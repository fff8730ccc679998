"""Adversarial training: a generator and a discriminator, in turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor
from torch.nn import functional

from sparring.errors import TrainingError
from sparring.interfaces.augmentation import Augmentation
from sparring.interfaces.context import Context
from sparring.interfaces.data import Batch
from sparring.interfaces.discriminator import Critique
from sparring.interfaces.generator import SequenceGenerator
from sparring.interfaces.loss import Loss
from sparring.interfaces.objective import Objective, Update


class Adversarial(Objective):
    """Train a generator against a discriminator (Goodfellow et al., 2014).

    Each step takes ``discriminator_steps`` updates of the discriminator and one of the generator. Stage terms such as
    ``r1`` join the update that trains the same roles equally often, or form one of their own.

    A sequence generator is trained through ``relax``, against one-hot real tokens.

    Args:
        loss: The adversarial pair.
        generator: The generator's role.
        discriminator: The discriminator's role.
        discriminator_steps: Updates of the discriminator in a step.
        reuse_fake: Let the generator's update judge the very samples that the discriminator's was trained on, as
            DCGAN's and HiFi-GAN's loops do. It spares one forward pass of the generator in each step.
        augmentation: What the discriminator's samples, real and generated, pass through first.
        temperature: The temperature at which sequences are relaxed.
    """

    def __init__(
        self,
        loss: Loss,
        generator: str = "generator",
        discriminator: str = "discriminator",
        discriminator_steps: int = 1,
        reuse_fake: bool = False,
        augmentation: Augmentation | None = None,
        temperature: float = 1.0,
    ) -> None:
        if discriminator_steps < 1:
            raise ValueError(f"discriminator_steps is {discriminator_steps}, and must be at least 1")
        self.loss, self.generator, self.discriminator = loss, generator, discriminator
        self.reuse_fake, self.augmentation, self.temperature = reuse_fake, augmentation, temperature
        self._critic_update = Update("discriminator", (discriminator,), repeat=discriminator_steps)
        self._generator_update = Update("generator", (generator,), continues=reuse_fake)
        self.own_updates = (self._critic_update, self._generator_update)

    def terms(self, update: Update, context: Context) -> Mapping[str, Tensor]:
        """Return the adversarial term of one side."""
        if update == self._critic_update:
            real, fake = self._judge_real(context), self._judge_fake(context)
            context.record("real_logit", mean_logit(real))
            context.record("fake_logit", mean_logit(fake))
            return {"adversarial": self.loss.discriminator(real, fake)}
        compared = self._judge_real(context) if self.loss.needs_real else None
        return {"adversarial": self.loss.generator(compared, self._judge_fake(context))}

    def losses(self, update: Update, context: Context) -> dict[str, Tensor]:
        """Return all loss terms; what the critic sees is augmented, and sequences are relaxed, for stage terms too."""
        self._prepare(update, context)
        return super().losses(update, context)

    def after_update(self, update: Update, contexts: Sequence[Context]) -> None:
        """Let the augmentation's strength follow what the critic thought of the real samples."""
        if self.augmentation is None or update.name != "discriminator":
            return
        observed = [self.augmentation.observe(self._judge_real(context).logits[0].detach()) for context in contexts]
        found = [statistic for statistic in observed if statistic is not None]
        if found:
            mean = sum(found[1:], found[0]) / len(found)
            self.augmentation.adapt(contexts[0].average(mean), contexts[0].rows.total)

    def state_dict(self) -> dict[str, Any]:
        """Return the augmentation's strength."""
        return {} if self.augmentation is None else {"augmentation": self.augmentation.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Return to a strength."""
        if self.augmentation is not None:
            self.augmentation.load_state_dict(state["augmentation"])

    def _prepare(self, update: Update, context: Context) -> None:
        if self.augmentation is not None:
            context.augmentations[self.discriminator] = self.augmentation.to(context.device)
        sequences = isinstance(context.networks[self.generator], SequenceGenerator)
        if sequences:
            context.relax(self.generator, self.temperature)
        if self.reuse_fake and update == self._critic_update:
            context.keep(self.generator)
        if sequences and not context.batch.sample.is_floating_point():
            context.batch = one_hot(context.batch, context.generate(self.generator).sample)

    def _judge_fake(self, context: Context) -> Critique:
        made = context.generate(self.generator)
        return context.critique(self.discriminator, made.sample, lengths=made.lengths)

    def _judge_real(self, context: Context) -> Critique:
        return context.critique(self.discriminator, context.batch.sample, lengths=context.batch.lengths)


def mean_logit(critique: Critique) -> Tensor:
    """Return the mean of a critique's logits over scales and samples, a scalar."""
    means = [logit.detach().float().mean() for logit in critique.logits]
    return sum(means[1:], means[0]) / len(means)


def one_hot(batch: Batch, relaxed: Tensor) -> Batch:
    """Return a batch of tokens ``(B, T)`` as one-hot rows ``(B, T, V)``, padded to the generator's length."""
    length, vocabulary = relaxed.shape[1:]
    tokens = batch.sample
    if tokens.shape[1] > length:
        raise TrainingError(
            f"the real sequences have {tokens.shape[1]} tokens and the generated ones {length}",
            where="networks.generator",
            remedy="give the generator the data's length",
        )
    tokens = functional.pad(tokens, (0, length - tokens.shape[1]))
    return Batch(functional.one_hot(tokens.long(), vocabulary).to(relaxed.dtype), batch.condition, batch.lengths)
