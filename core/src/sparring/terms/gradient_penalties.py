"""Penalties on the critic's gradient in its input: R1, R2, WGAN-GP, DRAGAN.

In all of them D(x) is a sample's mean logit, over positions and scales, which is what the losses average too; for a
critic with one logit a sample that is the logit. The gradient is taken at the sample before any augmentation. Of a
critic that judges several samples together (PacGAN) x is all of them.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sparring.errors import TrainingError
from sparring.interfaces.context import Context
from sparring.interfaces.discriminator import Critique
from sparring.interfaces.objective import Term
from sparring.losses.reduction import scores


class R1(Term):
    """Penalise the critic's gradient at real samples: γ/2 · E‖∇D(x)‖² (Mescheder et al., 2018, equation 9).

    The squared norm is a sum over all of a sample's elements, so a good γ grows with their number; StyleGAN2's rule
    of thumb for images is 0.0002 · side² / batch.

    Args:
        discriminator: The critic's role.
        gamma: γ, at least 0.
    """

    def __init__(self, discriminator: str = "discriminator", gamma: float = 1.0) -> None:
        self.discriminator, self.gamma = discriminator, gamma
        self.trains = (discriminator,)

    def prepare(self, context: Context) -> None:
        # Asked for before the first forward pass, so that the adversarial loss and this term share one critique.
        _differentiable(context.batch.sample).requires_grad_(True)

    def __call__(self, context: Context) -> Tensor:
        sample = context.batch.sample
        critique = context.critique(self.discriminator, sample, lengths=context.batch.lengths)
        return self.gamma / 2 * _gradient(critique, sample).square().sum(dim=1).mean()


class R2(Term):
    """Penalise the critic's gradient at generated samples: γ/2 · E‖∇D(G(z))‖² (Mescheder et al., 2018, equation 10).

    R3GAN (Huang et al., 2025) needs it beside R1.

    Args:
        generator: The generator's role.
        discriminator: The critic's role.
        gamma: γ, at least 0.
    """

    def __init__(self, generator: str = "generator", discriminator: str = "discriminator", gamma: float = 1.0) -> None:
        self.generator, self.discriminator, self.gamma = generator, discriminator, gamma
        self.trains = (discriminator,)

    def prepare(self, context: Context) -> None:
        sample = _differentiable(context.generate(self.generator).sample)
        if sample.is_leaf:
            sample.requires_grad_(True)

    def __call__(self, context: Context) -> Tensor:
        made = context.generate(self.generator)
        sample = made.sample
        if not sample.is_leaf:
            # The generator's graph is alive: a copy keeps the penalty from training it. The critique, which is
            # remembered by tensor, is then not shared with the adversarial loss.
            sample = sample.detach().requires_grad_(True)
        critique = context.critique(self.discriminator, sample, lengths=made.lengths)
        return self.gamma / 2 * _gradient(critique, sample).square().sum(dim=1).mean()


class GradientPenalty(Term):
    """Hold the critic's gradient near a norm of 1 between real and generated samples (WGAN-GP: Gulrajani et al., 2017).

    E(‖∇D(x̂)‖ − 1)², where x̂ lies on the line between a real and a generated sample. The paper's λ, 10, is the
    term's weight in the recipe.

    Args:
        generator: The generator's role.
        discriminator: The critic's role.
        target: The norm aimed at.
    """

    def __init__(self, generator: str = "generator", discriminator: str = "discriminator", target: float = 1.0) -> None:
        self.generator, self.discriminator, self.target = generator, discriminator, target
        self.trains = (discriminator,)

    def __call__(self, context: Context) -> Tensor:
        made = context.generate(self.generator)
        real, fake = context.batch.sample.detach(), made.sample.detach()
        if real.shape != fake.shape:
            raise TrainingError(
                f"the term gradient-penalty mixes real samples {tuple(real.shape)} with generated ones "
                f"{tuple(fake.shape)}, which differ in shape",
                remedy="generate as many samples as the batch has, of the same size; or use the term r1",
            )
        share = context.uniform(*[1] * (real.dim() - 1)).to(real.dtype)
        mixed = torch.lerp(_differentiable(real), fake, share).requires_grad_(True)
        critique = context.critique(self.discriminator, mixed, lengths=_longer(context.batch.lengths, made.lengths))
        return _norm_penalty(_gradient(critique, mixed), self.target)


class Dragan(Term):
    """Hold the critic's gradient near a norm of 1 around real samples (Kodali et al., 2017).

    E(‖∇D(x + δ)‖ − 1)², where δ is uniform in [0, strength · std(x)) element by element, as in the authors' code. The
    paper's λ, 10, is the term's weight in the recipe.

    Args:
        discriminator: The critic's role.
        strength: The noise's range in standard deviations of the batch.
        target: The norm aimed at.
    """

    def __init__(self, discriminator: str = "discriminator", strength: float = 0.5, target: float = 1.0) -> None:
        self.discriminator, self.strength, self.target = discriminator, strength, target
        self.trains = (discriminator,)

    def __call__(self, context: Context) -> Tensor:
        real = _differentiable(context.batch.sample).detach()
        # Moments rather than std(): they average over processes, whose number then changes nothing.
        mean, square = context.average(torch.stack([real.mean(), real.square().mean()])).unbind()
        deviation = (square - mean.square()).clamp_min(0).sqrt()
        noise = context.uniform(*real.shape[1:]).to(real.dtype)
        moved = (real + self.strength * deviation * noise).requires_grad_(True)
        critique = context.critique(self.discriminator, moved, lengths=context.batch.lengths)
        return _norm_penalty(_gradient(critique, moved), self.target)


def _gradient(critique: Critique, sample: Tensor) -> Tensor:
    """Return the gradient of each row's D in that row, ``(B, N)``, with its own graph.

    Where ``packing`` rows are judged together they are one: ``(B / packing, packing × N)``.
    """
    if not sample.requires_grad:
        # Going on with a copy would hide that an objective's kept forward pass has lost its graph.
        raise TrainingError(
            "a sample was replaced after its gradient penalty had asked for its gradient",
            remedy="an objective must relax, encode or keep its samples before it calls Objective.losses",
        )
    each = scores(critique)
    total = each.sum()
    if not total.requires_grad:
        raise TrainingError(
            "the critic's logits do not depend on its input through anything that can be differentiated",
            remedy="compute them from the sample with differentiable operations, outside torch.no_grad()",
        )
    (gradient,) = torch.autograd.grad(total, sample, create_graph=True)
    return gradient.reshape(len(each), -1)


def _norm_penalty(gradient: Tensor, target: float) -> Tensor:
    """Return the mean squared distance of the rows' norms from a target; at a norm of 0 its gradient is 0, not NaN."""
    norm: Tensor = torch.linalg.vector_norm(gradient, dim=1)
    return (norm - target).square().mean()


def _differentiable(sample: Tensor) -> Tensor:
    if not sample.is_floating_point():
        raise TrainingError(
            f"a gradient penalty needs samples of real numbers, not of {sample.dtype}",
            remedy="use an objective that hands tokens to the critic as one-hot rows, or remove the penalty",
        )
    return sample


def _longer(lengths: Tensor | None, others: Tensor | None) -> Tensor | None:
    """Return, row by row, the longer of two lengths: a mixture ends where both of its parts have ended."""
    if lengths is None or others is None:
        return lengths if others is None else others
    return torch.maximum(lengths, others)
