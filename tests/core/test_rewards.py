"""Rewards of the core."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sparring.errors import TrainingError
from sparring.interfaces.data import Batch
from sparring.interfaces.reward import Reward
from sparring.rewards.length import Length
from sparring.rewards.sum import WeightedSum, normalised


@given(target=st.integers(1, 50), length=st.integers(0, 200))
def test_length_falls_linearly_from_its_target(target: int, length: int) -> None:
    value = float(Length(target)(Batch(torch.zeros(1, 200), lengths=torch.tensor([length])), None))
    assert value == pytest.approx(max(0.0, 1 - abs(length - target) / target), abs=1e-6)
    assert (value == 1) == (length == target)


def test_length_is_a_reward_and_needs_lengths() -> None:
    assert isinstance(Length(3), Reward)
    with pytest.raises(TrainingError, match="with lengths"):
        Length(3)(Batch(torch.zeros(2, 4)), None)
    with pytest.raises(ValueError, match="at least 1"):
        Length(0)


class Given:
    """The rewards that it was made with."""

    def __init__(self, *values: float) -> None:
        self.values = torch.tensor(values)

    def __call__(self, samples: Batch, reference: Batch | None) -> torch.Tensor:
        return self.values


ROWS = Batch(torch.zeros(3, 2))


def test_a_sum_weighs_its_parts_and_tells_their_means() -> None:
    reward = WeightedSum({"first": Given(1, 2, 6), "second": Given(10, torch.nan, 30)}, weights={"second": 0.5})
    found = reward(ROWS, None)
    assert found[[0, 2]].tolist() == [6, 21]
    assert found[1].isnan()
    assert {name: float(mean) for name, mean in reward.means.items()} == {"first": 3, "second": 20}


def test_a_normalised_part_is_told_apart_from_its_scale() -> None:
    one, other = (
        WeightedSum({"part": Given(*(scale * value for value in (1, 2, 6)))}, normalise=["part"])(ROWS, None)
        for scale in (1, 1000)
    )
    torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)
    assert float(one.mean()) == pytest.approx(0, abs=1e-5)
    assert float(one.std(correction=0)) == pytest.approx(1, abs=1e-3)
    assert normalised(torch.tensor([4.0])).tolist() == normalised(torch.tensor([4.0, 4.0])).tolist()[:1] == [0]
    unknown = normalised(torch.tensor([1.0, torch.nan, 3.0]))
    assert unknown[[0, 2]].tolist() == pytest.approx([-1, 1], abs=1e-3)
    assert unknown[1].isnan()


def test_odd_sums_are_refused() -> None:
    with pytest.raises(ValueError, match="no parts"):
        WeightedSum({})
    with pytest.raises(ValueError, match="'other' is no part"):
        WeightedSum({"part": Given(1)}, weights={"other": 1.0})
    with pytest.raises(TrainingError, match="different shapes"):
        WeightedSum({"part": Given(1, 2, 3), "other": lambda samples, reference: torch.zeros(3, 2)})(ROWS, None)
