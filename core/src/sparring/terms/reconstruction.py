"""Reconstruction: the generated sample should equal a given one."""

from __future__ import annotations

from typing import Literal

from torch import Tensor
from torch.nn.functional import l1_loss, mse_loss

from sparring.errors import TrainingError
from sparring.interfaces.context import Context
from sparring.interfaces.objective import Term

_CONDITION = "conditions."


class Reconstruction(Term):
    """The mean distance of the generated sample from the batch's, or from one of its conditions (pix2pix: Isola, 2017).

    The mean is over all elements. For sequences padding counts too, so pad both alike.

    With a mask it is over those elements of the batch where the mask is 1: within the hole that is to be filled, say.
    A mask between 0 and 1 weighs its elements.

    Args:
        generator: The generator's role.
        target: ``sample``, or ``conditions.NAME``.
        norm: ``l1``, the mean absolute difference; or ``l2``, the mean square.
        mask: The name of a condition in [0, 1] of the samples' shape, or one that broadcasts to it: ``(B, 1, H, W)``.
    """

    def __init__(
        self,
        generator: str = "generator",
        target: str = "sample",
        norm: Literal["l1", "l2"] = "l1",
        mask: str | None = None,
    ) -> None:
        if target != "sample" and not target.startswith(_CONDITION):
            raise ValueError(f"target must be 'sample' or 'conditions.NAME', not '{target}'")
        self.generator, self.target, self.mask = generator, target, mask
        self.distance = {"l1": l1_loss, "l2": mse_loss}[norm]
        self.trains = (generator,)

    def __call__(self, context: Context) -> Tensor:
        made, wanted = context.generate(self.generator).sample, self._wanted(context)
        if made.shape != wanted.shape:
            raise TrainingError(
                f"the term reconstruction compares generated samples {tuple(made.shape)} with "
                f"'{self.target}' {tuple(wanted.shape)}, which differ in shape",
                remedy="name a target that lives in the generator's space",
            )
        wanted = wanted.detach().to(made.dtype)
        if self.mask is None:
            return self.distance(made, wanted)
        weight = self._weight(context, made)
        # Where nothing is masked the sum is 0, and so is the mean.
        return (weight * self.distance(made, wanted, reduction="none")).sum() / weight.sum().clamp_min(1e-8)

    def _weight(self, context: Context, made: Tensor) -> Tensor:
        """Return the mask in the sample's shape."""
        mask = context.batch.condition.get(self.mask or "")
        if mask is None:
            known = ", ".join(context.batch.condition) or "none"
            raise TrainingError(
                f"the term reconstruction is masked by '{self.mask}', which the data do not give",
                remedy=f"use one of the data's conditions: {known}",
            )
        try:
            return mask.to(made.dtype).expand_as(made)
        except RuntimeError as cause:
            raise TrainingError(
                f"the mask '{self.mask}' {tuple(mask.shape)} does not fit samples {tuple(made.shape)}",
                remedy="give a mask of the samples' shape, with 1 in the place of dimensions that share it",
            ) from cause

    def _wanted(self, context: Context) -> Tensor:
        if self.target == "sample":
            return context.batch.sample
        name = self.target.removeprefix(_CONDITION)
        if name not in context.batch.condition:
            known = ", ".join(f"{_CONDITION}{key}" for key in context.batch.condition)
            raise TrainingError(
                f"the term reconstruction aims at '{self.target}', which the data do not give",
                remedy=f"use one of: {', '.join(filter(None, ['sample', known]))}",
            )
        return context.batch.condition[name]
