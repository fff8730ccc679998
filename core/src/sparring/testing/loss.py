"""The contract of adversarial losses."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from sparring.interfaces.discriminator import Critique
from sparring.interfaces.loss import Loss
from sparring.testing.contract import ComponentContract

ROWS = 6
REAL, FAKE = 0.75, 0.25
"""What a critic gives to samples that it takes for real and for generated: between the targets of regressing losses."""


class LossContract(ComponentContract):
    """What an adversarial pair promises."""

    kind = "loss"
    interface: ClassVar[type | None] = Loss

    def test_both_sides_are_finite_scalars(self) -> None:
        """Each side gives one number, for one scale and several, and for logits far from 0."""
        loss = self.build()
        for scales in (((ROWS,),), ((1,),), ((ROWS,), (ROWS, 1, 4, 4))):
            for size in (0.0, 1.0, 100.0):
                real, fake = critique(*scales, size=size, seed=1), critique(*scales, size=size, seed=2)
                values = {"discriminator": loss.discriminator(real, fake), "generator": loss.generator(real, fake)}
                for side, value in values.items():
                    self.expect(
                        isinstance(value, Tensor) and value.dim() == 0 and bool(value.isfinite()),
                        f"{side}() gives {value} for logits of shapes {scales} and size {size:g}",
                        "return a scalar: the mean over rows; and use softplus rather than log(sigmoid)",
                    )

    def test_discriminator_learns_to_tell_apart(self) -> None:
        """The critic's loss is lower where it tells reals from fakes."""
        loss = self.build()
        right = loss.discriminator(constant(REAL), constant(FAKE))
        wrong = loss.discriminator(constant(FAKE), constant(REAL))
        self.expect(
            float(right) < float(wrong),
            f"the critic's loss is {float(right):.4g} where it is right and {float(wrong):.4g} where it is wrong",
            "higher logits mean more real: turn a sign",
        )

    def test_generator_learns_to_be_taken_for_real(self) -> None:
        """The generator's loss is lower where its samples are taken for real."""
        loss = self.build()
        good, bad = (loss.generator(constant((REAL + FAKE) / 2), constant(value)) for value in (REAL, FAKE))
        self.expect(
            float(good) < float(bad),
            f"the generator's loss is {float(good):.4g} where fakes pass for real and {float(bad):.4g} where not",
            "higher logits mean more real: turn a sign",
        )

    def test_gradients_reach_the_logits(self) -> None:
        """Both sides can be differentiated."""
        loss = self.build()
        real, fake = (trained(critique((ROWS,), size=0.5, seed=seed)) for seed in (1, 2))
        both = (*real.logits, *fake.logits)
        for side, value, logits in (
            ("discriminator", loss.discriminator(real, fake), both),
            ("generator", loss.generator(real, fake), fake.logits),
        ):
            found = torch.autograd.grad(value, logits, allow_unused=True) if value.requires_grad else (None,)
            self.expect(
                all(gradient is not None and bool(gradient.isfinite().all()) for gradient in found),
                f"no finite gradient of {side}() reaches its logits",
                "compute it from the logits without detach()",
            )

    def test_needs_real_is_honoured(self) -> None:
        """Where ``needs_real`` is False the generator's side does without the real critique; where True it reads it."""
        loss = self.build()
        fake = critique((ROWS,), seed=2)
        one, other = (loss.generator(critique((ROWS,), seed=seed), fake) for seed in (3, 4))
        if loss.needs_real:
            self.expect(
                not torch.equal(one, other),
                "needs_real is True, and the generator's side is the same whatever the real critique is",
                "set needs_real = False, which spares a forward pass of the critic",
            )
            return
        alone = self.attempt(
            lambda: loss.generator(None, fake),
            "needs_real is False, and generator(None, fake) fails",
            "set needs_real = True, or do not read the real critique",
        )
        self.expect(
            torch.equal(one, other) and torch.equal(one, alone),
            "needs_real is False, and the generator's side depends on the real critique",
            "set needs_real = True",
        )

    def test_scales_count_alike(self) -> None:
        """Several scales are averaged: repeating one changes nothing."""
        loss = self.build()
        pairs = [
            (critique(*[(ROWS,)] * scales, seed=1, same=True), critique(*[(ROWS,)] * scales, seed=2, same=True))
            for scales in (1, 3)
        ]
        for side in ("discriminator", "generator"):
            one, three = (getattr(loss, side)(real, fake) for real, fake in pairs)
            self.expect_close(
                one, three, f"{side}() counts scales more than once", "average over critique.logits, do not add them"
            )

    def test_realness_is_a_probability(self) -> None:
        """Where the loss gives one: one a sample, in [0, 1], higher for higher logits."""
        loss = self.build()
        opinion = critique((ROWS,), (ROWS, 1, 4, 4), size=5.0, seed=1)
        found = loss.realness(opinion)
        if found is None:
            return
        self.expect(
            tuple(found.shape) == (ROWS,) and bool(((found >= 0) & (found <= 1)).all()),
            f"realness gives {found.tolist()} for {ROWS} samples",
            "return one probability a sample, or None where the loss gives none",
        )
        low, high = (float(loss.realness(constant(value)).mean()) for value in (FAKE, REAL))
        self.expect(low < high, "realness falls as logits rise", "higher logits mean more real")


def critique(*shapes: tuple[int, ...], size: float = 1.0, seed: int = 0, same: bool = False) -> Critique:
    """Return logits of some shapes, of random values of a size; the same for every scale if asked."""
    rng = torch.Generator().manual_seed(seed)
    logits = [size * torch.randn(shape, generator=rng) for shape in shapes]
    return Critique(tuple(logits[:1] * len(logits) if same else logits))


def constant(value: float) -> Critique:
    """Return a critique of one logit for every sample."""
    return Critique((torch.full((ROWS,), value),))


def trained(opinion: Critique) -> Critique:
    """Return a critique whose logits take a gradient."""
    logits: list[Any] = [value.requires_grad_(True) for value in opinion.logits]
    return Critique(tuple(logits))
