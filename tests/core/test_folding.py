"""Weight norm is folded without a change of what is computed, and without harm to copies."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

from sparring.networks.folding import fold_weight_norm


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        weight_norm(nn.Linear(4, 6)),
        nn.Sequential(weight_norm(nn.Linear(6, 6), dim=None), nn.Tanh()),
        spectral_norm(nn.Linear(6, 5)),
        nn.Linear(5, 2),
    )


def test_it_computes_the_same_with_plain_weights() -> None:
    folded = network().eval()
    given = torch.randn(3, 4)
    with torch.no_grad():
        before = folded(given)
        assert fold_weight_norm(folded) == 2
        torch.testing.assert_close(folded(given), before)
    assert {"0.weight", "1.0.weight", "2.parametrizations.weight.original"} <= folded.state_dict().keys()
    assert type(folded[0]) is nn.Linear
    assert folded[0].weight.requires_grad
    assert fold_weight_norm(folded) == 0


@pytest.mark.parametrize("original_first", [False, True])
def test_copies_are_left_whole(original_first: bool) -> None:
    """Copies of a layer share the class that torch makes for its parametrisation."""
    one = network()
    other = copy.deepcopy(one)
    fold_weight_norm(one if original_first else other)
    given = torch.randn(3, 4)
    for each in (one.eval(), other.eval()):
        each(given).sum().backward()
    torch.testing.assert_close(one(given), other(given))


def test_what_is_frozen_stays_frozen() -> None:
    frozen = network().requires_grad_(False)
    fold_weight_norm(frozen)
    assert not any(parameter.requires_grad for parameter in frozen.parameters())
