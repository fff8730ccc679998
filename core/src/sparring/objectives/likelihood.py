"""Maximum likelihood: a sequence generator learns by imitation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from torch import Tensor

from sparring.interfaces.context import Context
from sparring.interfaces.generator import SequenceGenerator
from sparring.interfaces.objective import Objective, Update


class Likelihood(Objective):
    """Minimise the mean negative log-likelihood of a token, in nats.

    Args:
        generator: The role of a ``SequenceGenerator``.
    """

    def __init__(self, generator: str = "generator") -> None:
        self.generator = generator
        self.own_updates, self.sequence_roles = (Update("generator", (generator,)),), (generator,)

    def terms(self, update: Update, context: Context) -> Mapping[str, Tensor]:
        """Return the negative log-likelihood over every token that counts."""
        batch = context.batch
        network = cast(SequenceGenerator, context.networks[self.generator])
        log_probs = network.log_prob(batch.sample, batch.condition, batch.lengths)
        if batch.lengths is None:
            return {"negative_log_likelihood": -log_probs.mean()}
        # The mean over the tokens of the whole batch: short rows weigh less, and every token the same.
        tokens = context.average(batch.lengths.float().mean()) * len(batch)
        return {"negative_log_likelihood": -log_probs.sum() / tokens}
