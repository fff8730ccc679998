"""The anchor: a network that learns from little stays near what it was when the stage began."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from sparring.errors import TrainingError
from sparring.interfaces.context import Context
from sparring.interfaces.discriminator import lift_critique
from sparring.interfaces.generator import Generator, SequenceGenerator, lift_generated
from sparring.interfaces.objective import Term
from sparring.networks.first import FirstCopy
from sparring.transfer.patterns import matches


class Anchor(Term):
    """Hold a network's weights, or what it makes, near what they were when the stage began.

    Of weights it is half the sum of squared distances from the first ones (L2-SP: Li, Grandvalet and Davoine, 2018,
    arXiv:1802.01483, whose α is the term's weight). Of outputs it is the mean squared distance: of samples that are
    made of the same latents and conditions, of a critic's logits on the batch's real samples. Then the first network is
    asked along at every step, and neither sees the stage's augmentation.

    What it was is kept in checkpoints; of a network with adapters only they are, and outputs are what to hold.

    Args:
        network: The role of the network that is held.
        hold: ``weights`` or ``outputs``.
        layers: Patterns of the parameters that are held, where it is weights; a layer that is new to the task may be
            left out.
    """

    def __init__(
        self,
        network: str = "generator",
        hold: Literal["weights", "outputs"] = "weights",
        layers: Sequence[str] = ("*",),
    ) -> None:
        self.network, self.hold, self.layers, self.trains = network, hold, tuple(layers), (network,)
        self._first = FirstCopy[nn.Module]()

    def prepare(self, context: Context) -> None:
        """Keep a copy of the network when it is first seen."""
        self._first.of(context.networks[self.network])

    def __call__(self, context: Context) -> Tensor:
        """Return the distance, a scalar, at least 0."""
        network = context.networks[self.network]
        first = self._first.of(network)
        if self.hold == "weights":
            return self._of_weights(network, dict(first.named_parameters()))
        if isinstance(network, SequenceGenerator):
            raise TrainingError(
                f"the term anchor holds no outputs of '{self.network}', which writes sequences",
                remedy="use the term kl with a policy gradient, or `hold: weights`",
            )
        first.train(network.training)  # batch statistics are those of the same batch
        if isinstance(network, Generator):
            made = context.generate(self.network).sample
            with torch.no_grad():
                usual = lift_generated(first(context.latent(self.network), context.batch.condition)).sample
            return (made - usual).square().mean()
        batch = context.batch
        now, then = (
            torch.cat(
                [part.flatten() for part in lift_critique(critic(batch.sample, batch.condition, batch.lengths)).logits]
            )
            for critic in (network, first)
        )
        return (now - then.detach()).square().mean()

    def state_dict(self) -> dict[str, Any]:
        """Return what the network was."""
        return {"first": self._first.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Return to what it was; the copy is made when the network is next seen."""
        self._first.load_state_dict(state["first"])

    def _of_weights(self, network: nn.Module, first: Mapping[str, nn.Parameter]) -> Tensor:
        held = {
            name: value
            for name, value in network.named_parameters()
            if value.requires_grad and matches(name, self.layers)
        }
        if not held:
            raise TrainingError(
                f"the term anchor names no parameter of '{self.network}' that learns",
                remedy=f"its parameters: {', '.join(first)}",
            )
        return torch.stack([(value - first[name]).square().sum() for name, value in held.items()]).sum() / 2
