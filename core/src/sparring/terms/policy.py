"""Terms beside a policy gradient, which look at the sequences that the update has sampled."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor

from sparring.interfaces.context import Context
from sparring.interfaces.generator import SequenceGenerator
from sparring.interfaces.objective import Term
from sparring.networks.first import FirstCopy
from sparring.objectives.policy import counted, discounted


class KL(Term):
    """How far a generator has gone from what it was when the stage began, in nats a token.

    The divergence of the generator from the reference, estimated from the generator's own samples as the mean of
    exp(d) − d − 1, where d is the reference's log-probability less the generator's: never negative, and of a low
    variance (k3: Schulman, 2020; as in GRPO). The reference is kept in checkpoints.

    Args:
        generator: The role of a ``SequenceGenerator``.
    """

    def __init__(self, generator: str = "generator") -> None:
        self.generator, self.trains = generator, (generator,)
        self._reference = FirstCopy[SequenceGenerator]()

    def __call__(self, context: Context) -> Tensor:
        """Return the divergence, a scalar, at least 0."""
        drawn, (condition, _) = context.sample(self.generator), context.sampled_for(self.generator)
        reference = self._reference.of(cast(SequenceGenerator, context.networks[self.generator])).eval()
        with torch.no_grad():
            usual_BT = reference.log_prob(drawn.sample, condition, drawn.lengths)
        difference_BT = usual_BT - context.log_prob(self.generator)
        counted_BT = counted(drawn)
        return ((difference_BT.exp() - difference_BT - 1) * counted_BT).sum() / counted_BT.sum()

    def state_dict(self) -> dict[str, Any]:
        """Return the reference's weights."""
        return {"weights": self._reference.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Return to a reference; it is built from the generator when it is first asked."""
        self._reference.load_state_dict(state["weights"])


class Entropy(Term):
    """The generator's negative entropy, in nats a token: with a weight above 0 it keeps samples various.

    Its gradient is that of the entropy of whole sequences, as a policy gradient whose reward is surprise.

    Args:
        generator: The role of a ``SequenceGenerator``.
    """

    def __init__(self, generator: str = "generator") -> None:
        self.generator, self.trains = generator, (generator,)

    def __call__(self, context: Context) -> Tensor:
        """Return the mean log-probability of a sampled token, a scalar, at most 0."""
        log_prob_BT, counted_BT = context.log_prob(self.generator), counted(context.sample(self.generator))
        tokens = counted_BT.sum()
        surprise_BT = discounted(-log_prob_BT.detach(), counted_BT, 1.0)
        usual = surprise_BT.sum() / tokens
        surrogate = -((surprise_BT - usual) * counted_BT * log_prob_BT).sum() / tokens
        # Worth what is said above, with the surrogate's gradient.
        return (log_prob_BT.detach() * counted_BT).sum() / tokens + surrogate - surrogate.detach()
