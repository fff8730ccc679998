"""LeCam and consistency regularisation: values, state, and who learns."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from sparring.interfaces.augmentation import Augmentation
from sparring.interfaces.context import Context
from sparring.interfaces.data import Batch, Condition
from sparring.interfaces.discriminator import Discriminator
from sparring.interfaces.generator import Generator
from sparring.terms.consistency import Consistency
from sparring.terms.lecam import LeCam
from sparring.testing.contract import rng_at, through_a_file


class Scaled(Discriminator):
    """D(x) = factor · sum of x."""

    def __init__(self, factor: float = 1.0) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))

    def forward(self, sample: Tensor, condition: Condition, lengths: Tensor | None = None) -> Tensor:
        return self.factor * sample.sum(1)


class Constant(Generator):
    """Makes one point."""

    latent_shape = (1,)

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.tensor(value))

    def forward(self, latent: Tensor | None, condition: Condition) -> Tensor:
        assert latent is not None
        return self.value.expand(len(latent), 1)


class Moved(Augmentation):
    """T(x) = x + by; ``by`` is state."""

    def __init__(self, by: float) -> None:
        super().__init__()
        self.register_buffer("by", torch.tensor(by))

    def forward(self, sample: Tensor, condition: Condition, *, rng: torch.Generator) -> Tensor:
        return sample + self.by


class Noisy(Augmentation):
    def forward(self, sample: Tensor, condition: Condition, *, rng: torch.Generator) -> Tensor:
        return sample + torch.randn(sample.shape, generator=rng)


def context(real: list[float], fake: float, *, factor: float = 1.0) -> Context:
    generator = Constant(fake).requires_grad_(False)
    batch = Batch(torch.tensor(real)[:, None])
    return Context({"generator": generator, "discriminator": Scaled(factor)}, batch, rng=rng_at(0))


def test_lecam_is_each_sides_distance_from_the_others_average() -> None:
    term = LeCam(decay=0.75)
    # The first batch sets the averages: real 2, generated −1.
    first = term(context([1.0, 3.0], -1.0))
    assert float(first.detach()) == pytest.approx(((1 + 1) ** 2 + (3 + 1) ** 2) / 2 + (-1 - 2) ** 2)
    # Then they move by a quarter of the way: real 2 + (6 − 2) / 4 = 3, generated −1 + (3 + 1) / 4 = 0.
    second = term(context([6.0], 3.0))
    assert float(second.detach()) == pytest.approx(6.0**2 + (3.0 - 3.0) ** 2)
    assert term.averages.tolist() == pytest.approx([3.0, 0.0])
    assert not term.averages.requires_grad


def test_lecam_teaches_the_critic_alone_and_averages_over_processes() -> None:
    term, seen = LeCam(), context([1.0, 3.0], -1.0)
    term(seen).backward()
    # d/df of E(f x − f F)² + E(f y − f R)², with the averages f F and f R held: 2 (x − F) x + 2 (y − R) y.
    wanted = (2 * 2 * 1 + 2 * 4 * 3) / 2 + 2 * (-1 - 2) * -1
    assert float(seen.networks["discriminator"].factor.grad) == pytest.approx(wanted)
    shared = LeCam()
    other = context([1.0, 3.0], -1.0)
    other.average = lambda value: torch.full_like(value, 7.0)
    shared(other)
    assert shared.averages.tolist() == [7.0, 7.0]


def test_lecam_survives_a_checkpoint() -> None:
    term, other = LeCam(), LeCam()
    term(context([1.0], 2.0))
    other.load_state_dict(through_a_file(term.state_dict()))
    assert torch.equal(term(context([4.0], 5.0)), other(context([4.0], 5.0)))
    fresh = LeCam()
    fresh.load_state_dict(through_a_file(LeCam().state_dict()))
    assert fresh.averages is None
    with pytest.raises(ValueError, match="decay"):
        LeCam(decay=1.0)


def test_consistency_is_the_squared_change_of_opinion() -> None:
    seen = context([1.0, 5.0], 3.0, factor=2.0)
    term = Consistency(Moved(0.5))
    value = term(seen)
    assert float(value.detach()) == pytest.approx((2 * 0.5) ** 2)
    value.backward()
    assert float(seen.networks["discriminator"].factor.grad) == pytest.approx(2 * 2 * 0.5**2)
    both = Consistency(Moved(0.5), generated=True)(context([1.0, 5.0], 3.0, factor=2.0))
    assert float(both.detach()) == pytest.approx(2 * (2 * 0.5) ** 2)


def test_consistency_draws_from_the_context_and_keeps_the_augmentations_state() -> None:
    values = [Consistency(Noisy())(context([1.0, 2.0], 0.0)) for _ in range(2)]
    assert torch.equal(*values)
    assert values[0] > 0
    term, other = Consistency(Moved(0.5)), Consistency(Moved(0.0))
    other.load_state_dict(through_a_file(term.state_dict()))
    assert float(other.augmentation.by) == 0.5
