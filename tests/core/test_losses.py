"""Adversarial losses: values and gradients against closed forms."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from sparring.errors import TrainingError
from sparring.interfaces.discriminator import Critique
from sparring.interfaces.loss import Loss
from sparring.losses.cross_entropy import Minimax, NonSaturating
from sparring.losses.hinge import Hinge
from sparring.losses.least_squares import LeastSquares
from sparring.losses.relativistic import Relativistic
from sparring.losses.wasserstein import Wasserstein

LOSSES: list[Loss] = [Minimax(), NonSaturating(), LeastSquares(), Wasserstein(), Hinge(), Relativistic()]
CROSS_ENTROPY: list[Minimax | NonSaturating] = [Minimax(), NonSaturating()]
assert LOSSES

logits = st.lists(st.floats(-20, 20, width=32), min_size=1, max_size=6)


def critique(*values: list[float]) -> Critique:
    return Critique(tuple(torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in values))


def log_sigmoid(value: float) -> float:
    return -math.log1p(math.exp(-value)) if value > 0 else value - math.log1p(math.exp(value))


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def gradient(loss: Tensor, of: Critique) -> Tensor:
    return torch.autograd.grad(loss, of.logits[0])[0]


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)
def test_every_loss_satisfies_the_protocol_and_gives_scalars(loss: Loss) -> None:
    assert isinstance(loss, Loss)
    real, fake = critique([0.5, -1.0]), critique([1.5, 0.0])
    assert loss.discriminator(real, fake).shape == ()
    assert loss.generator(real if loss.needs_real else None, fake).shape == ()
    realness = loss.realness(fake)
    assert realness is None or realness.shape == (2,)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)
def test_the_sides_pull_logits_in_opposite_directions(loss: Loss) -> None:
    # Inside the margins of every loss: the critic raises reals and lowers fakes, the generator raises fakes.
    real, fake = critique([0.3, -0.2, 0.1]), critique([0.2, 0.4, 0.1])
    assert (gradient(loss.discriminator(real, fake), real) < 0).all()
    assert (gradient(loss.discriminator(real, fake), fake) > 0).all()
    assert (gradient(loss.generator(real, fake), fake) < 0).all()


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)
def test_scales_count_alike_whatever_their_number_of_logits(loss: Loss) -> None:
    real, fake = critique([0.5, -1.0]), critique([1.5, 0.0])
    other_real, other_fake = critique([0.1]), critique([0.7])
    both = loss.discriminator(Critique(real.logits + other_real.logits), Critique(fake.logits + other_fake.logits))
    apart = (loss.discriminator(real, fake) + loss.discriminator(other_real, other_fake)) / 2
    torch.testing.assert_close(both, apart)
    both = loss.generator(Critique(real.logits + other_real.logits), Critique(fake.logits + other_fake.logits))
    apart = (loss.generator(real, fake) + loss.generator(other_real, other_fake)) / 2
    torch.testing.assert_close(both, apart)


@pytest.mark.parametrize("loss", CROSS_ENTROPY, ids=lambda loss: type(loss).__name__)
@given(on_real=logits, on_fake=logits)
def test_cross_entropy_critic(loss: Minimax | NonSaturating, on_real: list[float], on_fake: list[float]) -> None:
    real, fake = critique(on_real), critique(on_fake)
    expected = -mean([log_sigmoid(value) for value in on_real]) - mean([log_sigmoid(-value) for value in on_fake])
    value = loss.discriminator(real, fake)
    assert value.item() == pytest.approx(expected, rel=1e-9)
    torch.testing.assert_close(gradient(value, real), -torch.sigmoid(-real.logits[0]) / len(on_real))


@given(on_fake=logits)
def test_non_saturating_generator(on_fake: list[float]) -> None:
    fake = critique(on_fake)
    value = NonSaturating().generator(None, fake)
    assert value.item() == pytest.approx(-mean([log_sigmoid(value) for value in on_fake]), rel=1e-9)
    torch.testing.assert_close(gradient(value, fake), -(1 - torch.sigmoid(fake.logits[0])) / len(on_fake))


@given(on_fake=logits)
def test_minimax_generator_is_the_critics_part_with_its_sign_turned(on_fake: list[float]) -> None:
    fake = critique(on_fake)
    value = Minimax().generator(None, fake)
    assert value.item() == pytest.approx(mean([log_sigmoid(-value) for value in on_fake]), rel=1e-9)
    torch.testing.assert_close(gradient(value, fake), -torch.sigmoid(fake.logits[0]) / len(on_fake))


def test_cross_entropy_stays_finite_where_the_sigmoid_rounds() -> None:
    real, fake = critique([-1000.0]), critique([1000.0])
    assert NonSaturating().discriminator(real, fake).item() == 2000.0
    assert gradient(NonSaturating().discriminator(real, fake), fake).isfinite().all()


def test_realness_is_the_mean_probability_over_positions_and_scales() -> None:
    opinion = Critique((torch.tensor([0.0, 100.0]), torch.tensor([[0.0, 100.0], [-100.0, -100.0]])))
    torch.testing.assert_close(NonSaturating().realness(opinion), torch.tensor([0.625, 0.5]))


@given(on_real=logits, on_fake=logits)
def test_least_squares(on_real: list[float], on_fake: list[float]) -> None:
    real, fake = critique(on_real), critique(on_fake)
    expected = (mean([(value - 1) ** 2 for value in on_real]) + mean([value**2 for value in on_fake])) / 2
    assert LeastSquares().discriminator(real, fake).item() == pytest.approx(expected, rel=1e-9)
    value = LeastSquares().generator(None, fake)
    torch.testing.assert_close(gradient(value, fake), (fake.logits[0] - 1) / len(on_fake))


@given(on_real=logits, on_fake=logits)
def test_wasserstein(on_real: list[float], on_fake: list[float]) -> None:
    real, fake = critique(on_real), critique(on_fake)
    assert Wasserstein().discriminator(real, fake).item() == pytest.approx(mean(on_fake) - mean(on_real), abs=1e-9)
    assert Wasserstein().generator(None, fake).item() == pytest.approx(-mean(on_fake), abs=1e-9)


def test_hinge_at_known_logits() -> None:
    real, fake = critique([2.0, 0.5, -1.0]), critique([-2.0, -0.5, 1.0])
    value = Hinge().discriminator(real, fake)
    assert value.item() == pytest.approx((0 + 0.5 + 2) / 3 + (0 + 0.5 + 2) / 3)
    third = 1 / 3
    torch.testing.assert_close(gradient(value, real), torch.tensor([0, -third, -third], dtype=torch.float64))
    assert Hinge().generator(None, fake).item() == pytest.approx(0.5)


@given(pairs=st.lists(st.tuples(st.floats(-20, 20), st.floats(-20, 20)), min_size=1, max_size=6))
def test_relativistic_pairs_and_swaps(pairs: list[tuple[float, float]]) -> None:
    real, fake = critique([pair[0] for pair in pairs]), critique([pair[1] for pair in pairs])
    loss = Relativistic()
    expected = -mean([log_sigmoid(on_real - on_fake) for on_real, on_fake in pairs])
    value = loss.discriminator(real, fake)
    assert value.item() == pytest.approx(expected, rel=1e-9, abs=1e-12)
    # The generator plays the same game with the roles swapped, and only differences of logits matter.
    torch.testing.assert_close(loss.generator(real, fake), loss.discriminator(fake, real))
    torch.testing.assert_close(gradient(value, real), -gradient(loss.discriminator(real, fake), fake))
    shifted = Critique((real.logits[0] + 3,)), Critique((fake.logits[0] + 3,))
    torch.testing.assert_close(loss.discriminator(*shifted), value)


def test_relativistic_refuses_what_it_cannot_pair() -> None:
    for fake in (critique([0.0]), Critique((torch.zeros(2, 1),)), critique([0.0, 1.0], [0.0, 1.0])):
        with pytest.raises(TrainingError, match="pairs each real sample"):
            Relativistic().discriminator(critique([0.0, 1.0]), fake)
    with pytest.raises(TrainingError, match="no critique of real samples"):
        Relativistic().generator(None, critique([0.0]))
