"""Rewards of how strokes look: known strokes, and gradients."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from sparring import Batch
from sparring_image.digits import Digits
from sparring_image.look import Ink, Slant

SPACE = Digits().space


def stroke(*columns: int) -> Tensor:
    """Draw a black 8x8 picture with a dot of ink in each row from the top, at these columns."""
    picture = torch.full((1, 1, 8, 8), -1.0)
    picture[0, 0, torch.arange(len(columns)), torch.tensor(columns)] = 1.0
    return picture


def test_ink_is_a_share() -> None:
    pictures = torch.cat([torch.full((1, 1, 8, 8), -1.0), stroke(*range(8)), torch.full((1, 1, 8, 8), 1.0)])
    assert Ink(SPACE)(Batch(pictures), None).tolist() == pytest.approx([0, 8 / 64, 1])


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ((3,) * 8, 0.0),
        ((7, 6, 5, 4, 3, 2, 1, 0), 1.0),
        ((0, 1, 2, 3, 4, 5, 6, 7), -1.0),
        ((4, 4, 3, 3, 2, 2, 1, 1), 0.476),
    ],
)
def test_slant_is_columns_for_each_row_upwards(columns: tuple[int, ...], expected: float) -> None:
    found = float(Slant(SPACE, most=2.0)(Batch(stroke(*columns)), None))
    assert found == pytest.approx(expected, abs=0.04)  # the faint ground pulls a little towards 0


def test_slant_ends_and_a_blank_picture_has_none() -> None:
    leaning = stroke(7, 6, 5, 4, 3, 2, 1, 0)
    assert float(Slant(SPACE, most=0.5)(Batch(leaning), None)) == 0.5
    assert float(Slant(SPACE)(Batch(torch.full((1, 1, 8, 8), -1.0)), None)) == pytest.approx(0, abs=1e-4)
    with pytest.raises(ValueError, match="most"):
        Slant(SPACE, most=0)


@pytest.mark.parametrize("reward", [Ink(SPACE), Slant(SPACE)])
def test_they_have_gradients(reward: Ink | Slant) -> None:
    pictures = Digits().gather(torch.arange(9), rng=torch.Generator()).sample.float().requires_grad_(True)
    reward(Batch(pictures), None).sum().backward()
    assert pictures.grad is not None
    assert pictures.grad.isfinite().all()
    assert pictures.grad.flatten(1).any(1).all()
