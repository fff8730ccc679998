"""Maximum likelihood: a sequence generator learns by imitation."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from sparring.interfaces.context import Context
from sparring.interfaces.objective import Objective, Update
from sparring.terms.imitation import Imitation


class Likelihood(Objective):
    """Minimise the mean negative log-likelihood of a token, in nats.

    Args:
        generator: The role of a ``SequenceGenerator``.
    """

    def __init__(self, generator: str = "generator") -> None:
        self.imitation = Imitation(generator)
        self.own_updates, self.sequence_roles = (Update("generator", (generator,)),), (generator,)

    def terms(self, update: Update, context: Context) -> Mapping[str, Tensor]:
        """Return the negative log-likelihood over every token that counts."""
        return {"negative_log_likelihood": self.imitation(context)}
