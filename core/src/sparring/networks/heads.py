"""Further heads on a discriminator: the class of a sample (AC-GAN), and its codes (InfoGAN).

Letters in names of tensors: B rows of the batch, F features, K classes or values.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from sparring.errors import SparringError
from sparring.interfaces.data import Condition
from sparring.interfaces.discriminator import Critique, Discriminator, lift_critique
from sparring.interfaces.space import Space
from sparring.networks.coded import CONTINUOUS
from sparring.spaces.label import LabelSpace


class HeadedDiscriminator(Discriminator):
    """Have a discriminator say more of a sample than whether it is real, by linear heads on its last features.

    With ``label``, class logits ``(B, K)`` as ``outputs["label"]`` (AC-GAN: Odena et al., 2017), for the term
    ``auxiliary-classifier``. With codes, what the term ``mutual-information`` asks for (InfoGAN: Chen et al., 2016):
    logits ``(B, values)`` as ``outputs["code.0"]``, ``outputs["code.1"]`` …, and the means of the continuous codes
    ``(B, continuous)`` as ``outputs["code.continuous"]``.

    Args:
        discriminator: Any discriminator that returns features. One that is to name the class must not be told it:
            build it with ``label: none``.
        space: The samples' space.
        conditions: The data's conditions.
        label: Whether to name the data's class.
        categorical: For each categorical code of the generator, how many values it has.
        continuous: How many continuous codes the generator has.
    """

    def __init__(
        self,
        discriminator: Discriminator,
        space: Space,
        conditions: Mapping[str, Space],
        label: bool = False,
        categorical: list[int] = [],  # noqa: B006
        continuous: int = 0,
    ) -> None:
        super().__init__()
        sizes = {f"code.{number}": values for number, values in enumerate(categorical)}
        if continuous:
            sizes[CONTINUOUS] = continuous
        if label:
            sizes["label"] = _classes(conditions)
        if not sizes or min(sizes.values()) < 1:
            raise ValueError("there is nothing to read: give `label: true`, `categorical` or `continuous`")
        if discriminator.packing > 1:
            raise SparringError(
                f"heads read one sample at a time, and this discriminator judges {discriminator.packing} together",
                remedy="set its option `packing` to 1",
            )
        self.discriminator = discriminator
        features = _count_features(discriminator, space, conditions)
        # Dots separate the names of submodules: `code.0` becomes `code_0`.
        self.heads = nn.ModuleDict({name.replace(".", "_"): nn.Linear(features, size) for name, size in sizes.items()})
        self.names = list(sizes)

    def forward(self, sample: Tensor, condition: Condition, lengths: Tensor | None = None) -> Critique:
        """Judge ``(B, *space.shape)``: the inner discriminator's critique, with the heads' outputs."""
        critique = lift_critique(self.discriminator(sample, condition, lengths))
        last_BF = _last(critique, self.discriminator)
        read = {name: head(last_BF) for name, head in zip(self.names, self.heads.values(), strict=True)}
        return critique._replace(outputs={**critique.outputs, **read})


def _classes(conditions: Mapping[str, Space]) -> int:
    label = conditions.get("label")
    if not isinstance(label, LabelSpace):
        raise SparringError(
            "heads are to name the class, and the data have no labels", remedy="use labelled data, or `label: false`"
        )
    return len(label.classes)


def _last(critique: Critique, discriminator: Discriminator) -> Tensor:
    """Return the last features of a critique, ``(B, F)``."""
    if not critique.features or not critique.features[-1]:
        raise SparringError(
            f"heads stand on features, and {type(discriminator).__name__} returns none",
            remedy="return Critique(logits, features) from the discriminator, or use another",
        )
    return critique.features[-1][-1].flatten(1)


def _count_features(discriminator: Discriminator, space: Space, conditions: Mapping[str, Space]) -> int:
    """Show the discriminator an empty sample, to learn how many features there are."""
    condition = {
        name: torch.zeros(1, *one.shape, dtype=torch.long if isinstance(one, LabelSpace) else torch.float32)
        for name, one in conditions.items()
    }
    modes = [(module, module.training) for module in discriminator.modules()]
    with torch.no_grad():
        # In evaluation mode, so that nothing is counted into running statistics.
        critique = lift_critique(discriminator.eval()(torch.zeros(1, *space.shape), condition))
    for module, training in modes:
        module.training = training
    return _last(critique, discriminator).shape[1]
