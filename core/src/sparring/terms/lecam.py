"""LeCam: hold the critic's logits near moving averages of the other side's, for training on few data."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from sparring.interfaces.context import Context
from sparring.interfaces.objective import Term
from sparring.losses.reduction import scores


class LeCam(Term):
    """E(D(x) − α_F)² + E(D(G(z)) − α_R)²: LeCam regularisation (Tseng et al., 2021, arXiv:2104.03310).

    α_R and α_F are moving averages of the critic's mean logit of real and of generated samples: each side is held near
    what the critic lately thought of the other. The paper's λ is the term's weight in the recipe.

    The averages move with each batch that the term sees, before it is computed; the first batch sets them. They are
    averaged over processes, and part of every checkpoint.

    Args:
        generator: The generator's role.
        discriminator: The critic's role.
        decay: How much of an average each batch leaves, in [0, 1).
    """

    def __init__(self, generator: str = "generator", discriminator: str = "discriminator", decay: float = 0.99) -> None:
        if not 0 <= decay < 1:
            raise ValueError(f"decay is {decay}, and must be in [0, 1)")
        self.generator, self.discriminator, self.decay = generator, discriminator, decay
        self.trains = (discriminator,)
        self.averages: Tensor | None = None  # (2,): real, generated

    def __call__(self, context: Context) -> Tensor:
        made, batch = context.generate(self.generator), context.batch
        real = scores(context.critique(self.discriminator, batch.sample, lengths=batch.lengths))
        fake = scores(context.critique(self.discriminator, made.sample, lengths=made.lengths))
        now = context.average(torch.stack([real.detach().float().mean(), fake.detach().float().mean()]))
        before = now if self.averages is None else self.averages.to(now.device)
        self.averages = torch.lerp(now, before, self.decay)
        average_real, average_fake = self.averages.unbind()
        return (real - average_fake).square().mean() + (fake - average_real).square().mean()

    def state_dict(self) -> dict[str, Any]:
        """Return the averages."""
        return {} if self.averages is None else {"averages": self.averages.clone()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Return to saved averages."""
        self.averages = state.get("averages")
