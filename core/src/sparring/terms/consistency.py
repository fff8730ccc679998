"""Consistency regularisation: a sample and its augmentation should be judged alike."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from sparring.interfaces.augmentation import Augmentation
from sparring.interfaces.context import Context
from sparring.interfaces.objective import Term
from sparring.losses.reduction import scores


class Consistency(Term):
    """E(D(x) − D(T(x)))², where T is an augmentation (CR: Zhang et al., 2020, on the critic's logit).

    The paper's λ, 10, is the term's weight in the recipe. With ``generated`` the same is asked of generated samples
    too, which keeps augmentations out of what is generated (bCR: Zhao et al., 2021).

    Unlike the objective's own ``augmentation``, T is not what the critic is otherwise shown.

    Args:
        augmentation: T.
        generator: The generator's role.
        discriminator: The critic's role.
        generated: Whether generated samples are judged too.
    """

    def __init__(
        self,
        augmentation: Augmentation,
        generator: str = "generator",
        discriminator: str = "discriminator",
        generated: bool = False,
    ) -> None:
        self.augmentation, self.generator, self.discriminator = augmentation, generator, discriminator
        self.generated, self.trains = generated, (discriminator,)

    def __call__(self, context: Context) -> Tensor:
        self.augmentation.to(context.device)
        batch = context.batch
        value = self._apart(context, batch.sample, batch.lengths)
        if not self.generated:
            return value
        made = context.generate(self.generator)
        return value + self._apart(context, made.sample, made.lengths)

    def state_dict(self) -> dict[str, Any]:
        """Return the augmentation's state."""
        return {"augmentation": self.augmentation.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Return to a saved state."""
        self.augmentation.load_state_dict(state["augmentation"])

    def _apart(self, context: Context, sample: Tensor, lengths: Tensor | None) -> Tensor:
        """Return the mean squared difference of two opinions, a scalar."""
        changed = self.augmentation(sample.detach(), context.batch.condition, rng=context.rows_rng)
        first = scores(context.critique(self.discriminator, sample, lengths=lengths))
        return (first - scores(context.critique(self.discriminator, changed, lengths=lengths))).square().mean()
