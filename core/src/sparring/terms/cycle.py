"""Terms between two translators: there and back again, and what is there already stays (CycleGAN).

Both translators are driven by one condition, ``image``: the forward one makes the batch's samples of it, the backward
one makes images of that condition out of samples.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor
from torch.nn.functional import l1_loss

from sparring.errors import TrainingError
from sparring.interfaces.context import Context
from sparring.interfaces.objective import Term

SOURCE = "image"
"""The condition that translators are driven by."""


class Translations(NamedTuple):
    """Real images of both domains, and what each becomes in the other, ``(B, C, H, W)`` each.

    Attributes:
        source: The batch's condition ``image``.
        target: The batch's sample.
        to_target: The source, translated.
        to_source: The target, translated back.
    """

    source: Tensor
    target: Tensor
    to_target: Tensor
    to_source: Tensor


def translate(context: Context, generator: str, image: Tensor) -> Tensor:
    """Return what a translator makes of images; asked again for the same tensor, the same result."""
    return context.generate(generator, condition={SOURCE: image}).sample


def translations(context: Context, generator: str, backward_generator: str) -> Translations:
    """Return a batch and its translations in both directions.

    Raises:
        TrainingError: The data have no condition ``image``, or a translator leaves the other domain's space.
    """
    condition, target = context.batch.condition, context.batch.sample
    if SOURCE not in condition:
        raise TrainingError(
            "translation needs images of both domains, and the batch has no condition 'image'",
            where="data",
            remedy="use data whose sample is of one domain and whose condition `image` is of the other",
        )
    source = condition[SOURCE]
    found = Translations(
        source, target, translate(context, generator, source), translate(context, backward_generator, target)
    )
    for role, made, wanted in ((generator, found.to_target, target), (backward_generator, found.to_source, source)):
        if made.shape != wanted.shape:
            raise TrainingError(
                f"'{role}' translates to {tuple(made.shape)}, and the domain's images are {tuple(wanted.shape)}",
                where=f"networks.{role}",
                remedy="write `space: conditions.image` in the backward networks, and in no other",
            )
    return found


class CycleConsistency(Term):
    """There and back again is where one started: E‖F(G(x)) − x‖₁ + E‖G(F(y)) − y‖₁ (CycleGAN: Zhu et al., 2017).

    The paper's λ, 10, is the term's weight in the recipe. The norm is a mean over elements, as in the authors' code.

    Args:
        generator: The role that translates the condition ``image`` into samples.
        backward_generator: The role that translates samples into images of that condition.
    """

    def __init__(self, generator: str = "generator", backward_generator: str = "backward_generator") -> None:
        self.generator, self.backward_generator = generator, backward_generator
        self.trains = (generator, backward_generator)

    def __call__(self, context: Context) -> Tensor:
        found = translations(context, self.generator, self.backward_generator)
        back = translate(context, self.backward_generator, found.to_target)
        forth = translate(context, self.generator, found.to_source)
        return l1_loss(back, found.source) + l1_loss(forth, found.target)


class Identity(Term):
    """What is of the wanted domain already should stay: E‖G(y) − y‖₁ + E‖F(x) − x‖₁ (CycleGAN: Zhu et al., 2017).

    It keeps colours where they are; both domains must be images of one shape. The paper's weight is half of that of
    the cycle consistency: 5.

    Args:
        generator: The role that translates the condition ``image`` into samples.
        backward_generator: The role that translates samples into images of that condition.
    """

    def __init__(self, generator: str = "generator", backward_generator: str = "backward_generator") -> None:
        self.generator, self.backward_generator = generator, backward_generator
        self.trains = (generator, backward_generator)

    def __call__(self, context: Context) -> Tensor:
        source, target = context.batch.condition.get(SOURCE), context.batch.sample
        if source is None or source.shape[1:] != target.shape[1:]:
            shape = "none" if source is None else tuple(source.shape[1:])
            raise TrainingError(
                f"the term identity needs two domains of one shape: samples are {tuple(target.shape[1:])}, and the "
                f"images of the condition are {shape}",
                remedy="remove the term, or use data whose condition `image` has the samples' shape",
            )
        stays = l1_loss(translate(context, self.generator, target), target)
        return stays + l1_loss(translate(context, self.backward_generator, source), source)
