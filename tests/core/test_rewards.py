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
