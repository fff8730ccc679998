"""Likelihood, by itself or as an anchor: a sequence generator does not forget its language while it contends."""

from __future__ import annotations

from typing import cast

from torch import Tensor

from sparring.interfaces.context import Context
from sparring.interfaces.generator import SequenceGenerator
from sparring.interfaces.objective import Term


class Imitation(Term):
    """The mean negative log-likelihood of a real token, in nats: the loss of the objective ``likelihood``.

    Against a critic alone, or for a reward alone, a sequence generator drifts: what they do not look at is forgotten.
    Teacher forcing beside their gradient anchors it (Li et al. 2017, arXiv:1701.06547, section 3.2, in turns with
    policy gradients). It joins ``adversarial``, ``reinforce``, ``grpo`` and ``ppo``.

    Args:
        generator: The role of a ``SequenceGenerator``.
    """

    def __init__(self, generator: str = "generator") -> None:
        self.generator = generator
        self.trains = (generator,)

    def __call__(self, context: Context) -> Tensor:
        """Return the mean over every token that counts, a scalar."""
        network = cast(SequenceGenerator, context.networks[self.generator])
        sample, lengths = context.batch.sample, context.batch.lengths
        # The adversarial objective has turned tokens into one-hot rows for the critic.
        tokens = sample.argmax(2) if sample.is_floating_point() else sample
        log_probs = network.log_prob(tokens, context.batch.condition, lengths)
        if lengths is None:
            return -log_probs.mean()
        # The mean over the tokens of the whole batch: short rows weigh less, and every token the same.
        return -log_probs.sum() / (context.average(lengths.float().mean()) * len(lengths))
