"""How far a policy over latents has gone from where it began."""

from __future__ import annotations

from torch import Tensor

from sparring.interfaces.context import Context
from sparring.interfaces.objective import Term
from sparring.objectives.latent_policy import steered


class LatentKL(Term):
    """The divergence of a steered generator's policy from where it began, in nats a sample, in closed form.

    It bounds from above how far the latents themselves have gone from N(0, 1), and so, since a generator adds nothing
    to it, how far samples have gone from those of the generator without a policy.

    Args:
        generator: The role of a generator ``steered``.
    """

    def __init__(self, generator: str = "generator") -> None:
        self.generator, self.trains = generator, (generator,)

    def __call__(self, context: Context) -> Tensor:
        """Return the divergence, a scalar, at least 0."""
        network, made = steered(context, self.generator)
        drawn = context.latent(self.generator)
        assert drawn is not None
        start_BZ = drawn.flatten(2)[:, 0]
        divergence_B = network.divergence(start_BZ, made.extras["latent_mean"], made.extras["latent_log_deviation"])
        return divergence_B.mean()
