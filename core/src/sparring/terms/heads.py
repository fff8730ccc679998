"""Terms that read a critic's further heads: the class of a sample (AC-GAN), and its codes (InfoGAN)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from sparring.errors import TrainingError
from sparring.interfaces.context import Context
from sparring.interfaces.objective import Term

_CODE, _CONTINUOUS = "code.", "code.continuous"


class AuxiliaryClassifier(Term):
    """The cross-entropy of the class that the critic names (AC-GAN: Odena et al., 2017; its L_C).

    A recipe lists it twice, each time with a name of its own, and each joins its player's adversarial update:

    - ``{use: auxiliary-classifier, trains: discriminator, name: class}`` teaches the critic to name the class, of real
      samples and of generated ones: the sum of both cross-entropies.
    - ``{use: auxiliary-classifier, trains: generator, name: class-generated}`` teaches the generator to be named
      rightly.

    They ask for no forward pass that these updates do not make. The share of samples that are named rightly is logged
    as ``class_accuracy`` (real) and ``generated_accuracy``.

    Args:
        trains: Which player learns.
        generator: The generator's role.
        discriminator: The critic's role; it must give ``outputs["label"]``, as ``heads`` does.
    """

    def __init__(
        self,
        trains: Literal["discriminator", "generator"],
        generator: str = "generator",
        discriminator: str = "discriminator",
    ) -> None:
        self.generator, self.discriminator = generator, discriminator
        self.teaches_critic = trains == "discriminator"
        self.trains = (discriminator if self.teaches_critic else generator,)

    def __call__(self, context: Context) -> Tensor:
        made = context.generate(self.generator)
        generated, accuracy = self._named(context, made.sample, made.lengths)
        context.record("generated_accuracy", accuracy)
        if not self.teaches_critic:
            return generated
        real, accuracy = self._named(context, context.batch.sample, context.batch.lengths)
        context.record("class_accuracy", accuracy)
        return real + generated

    def _named(self, context: Context, sample: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return the cross-entropy of a sample's labels, and the share that is named rightly."""
        outputs = context.critique(self.discriminator, sample, lengths=lengths).outputs
        if "label" not in outputs or "label" not in context.batch.condition:
            missing = f"'{self.discriminator}' gives no outputs['label']"
            raise TrainingError(
                f"the term auxiliary-classifier compares classes, and "
                f"{missing if 'label' not in outputs else 'the data have no label'}",
                remedy="use labelled data and the discriminator {use: heads, label: true, discriminator: …}",
            )
        wanted = context.batch.condition["label"]
        return cross_entropy(outputs["label"], wanted), (outputs["label"].argmax(1) == wanted).float().mean()


class MutualInformation(Term):
    """The bound on the mutual information of codes and samples that is to be raised (InfoGAN: Chen et al., 2016).

    For each code, −log Q(code | sample), where a head of the critic is Q: the cross-entropy of a categorical code, and
    for continuous codes the Gaussian's (code − mean)² / (2 · variance), summed over codes, without the constant. The
    generator and the critic, whose layers Q shares, learn from it together in an update of their own.

    The share of categorical codes that are recovered is logged as ``recovered``, the mean square error of the
    continuous ones as ``code_error``; knowing nothing of codes in [-1, 1] gives 1/3.

    Args:
        generator: The generator's role; it must say its codes, as ``coded`` does.
        discriminator: The role that reads them; it must give outputs of the codes' names, as ``heads`` does. A network
            of its own will do.
        variance: The Gaussian's fixed variance, above 0: the smaller, the more a continuous code counts beside the
            categorical ones.
    """

    def __init__(
        self, generator: str = "generator", discriminator: str = "discriminator", variance: float = 1.0
    ) -> None:
        if variance <= 0:
            raise ValueError(f"variance is {variance}, and must be above 0")
        self.generator, self.discriminator, self.variance = generator, discriminator, variance
        self.trains = (generator, discriminator)

    def __call__(self, context: Context) -> Tensor:
        made = context.generate(self.generator)
        codes = {name: code for name, code in made.extras.items() if name.startswith(_CODE)}
        outputs = context.critique(self.discriminator, made.sample, lengths=made.lengths).outputs
        self._check(codes, outputs)
        recovered, losses = [], []
        for name, code in codes.items():
            if name == _CONTINUOUS:
                error = (code.detach() - outputs[name]).square()
                losses.append(error.sum(dim=1).mean() / (2 * self.variance))
                context.record("code_error", error.mean())
            else:
                losses.append(cross_entropy(outputs[name], code))
                recovered.append((outputs[name].argmax(1) == code).float().mean())
        if recovered:
            context.record("recovered", torch.stack(recovered).mean())
        return torch.stack(losses).sum()

    def _check(self, codes: Mapping[str, Tensor], outputs: Mapping[str, Tensor]) -> None:
        if not codes:
            raise TrainingError(
                f"the term mutual-information needs codes, and '{self.generator}' says none",
                remedy="use the generator {use: coded, generator: …, categorical: [10]}",
            )
        for name, code in codes.items():
            wanted = "(B, values)" if name != _CONTINUOUS else tuple(code.shape)
            if name not in outputs or (name == _CONTINUOUS and outputs[name].shape != code.shape):
                raise TrainingError(
                    f"the generator draws '{name}', and '{self.discriminator}' gives no outputs['{name}'] {wanted}",
                    remedy="give the discriminator {use: heads, …} the generator's `categorical` and `continuous`",
                )
