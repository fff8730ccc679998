"""Regression: a generator learns to come near to the sample that belongs to its condition, without any critic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from torch import Tensor

from sparring.interfaces.context import Context
from sparring.interfaces.objective import Objective, Update
from sparring.terms.reconstruction import Reconstruction


class Regression(Objective):
    """Minimise the mean distance of generated samples from the real ones, as a start before adversarial training.

    Real sample and condition must belong together, row by row. What is learnt is the median (``l1``) or the mean
    (``l2``) of all that fits a condition: blurred where much does. Further terms of the stage join the update.

    Args:
        generator: The generator's role.
        norm: ``l1``, the mean absolute difference; or ``l2``, the mean square.
        weight: The distance's weight beside the stage's terms.
    """

    def __init__(self, generator: str = "generator", norm: Literal["l1", "l2"] = "l1", weight: float = 1.0) -> None:
        self.distance, self.weight = Reconstruction(generator, norm=norm), weight
        self.own_updates = (Update("generator", (generator,)),)

    def terms(self, update: Update, context: Context) -> Mapping[str, Tensor]:
        """Return the distance."""
        return {"reconstruction": self.weight * self.distance(context)}
