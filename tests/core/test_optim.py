"""Optimisers, the correction for lazy updates, and weight clipping."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.optim import Optimizer

from sparring.training.constraints import WeightClip
from sparring.training.optim import adam, adamw, correct_for_lazy_updates, lazy_correction, rmsprop, sgd

Make = Callable[..., Optimizer]
REFERENCES: list[tuple[Make, type[Optimizer], dict[str, Any]]] = [
    (sgd, torch.optim.SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    (adam, torch.optim.Adam, {"lr": 0.1, "betas": (0.5, 0.9), "weight_decay": 0.01}),
    (adamw, torch.optim.AdamW, {"lr": 0.1, "betas": (0.0, 0.99), "eps": 1e-6, "weight_decay": 0.1}),
    (rmsprop, torch.optim.RMSprop, {"lr": 0.1, "alpha": 0.9, "eps": 1e-6, "momentum": 0.5, "weight_decay": 0.1}),
]
assert REFERENCES


def parameters() -> list[nn.Parameter]:
    rng = torch.Generator().manual_seed(0)
    return [nn.Parameter(torch.randn(4, 3, generator=rng)), nn.Parameter(torch.randn(5, generator=rng))]


@pytest.mark.parametrize(("make", "reference", "options"), REFERENCES, ids=["sgd", "adam", "adamw", "rmsprop"])
def test_steps_equal_torchs_plain_form(make: Make, reference: Make, options: dict[str, Any]) -> None:
    ours, theirs = parameters(), parameters()
    fast, plain = make(iter(ours), **options), reference(theirs, foreach=False, **options)
    for _ in range(5):
        for some, optimizer in ((ours, fast), (theirs, plain)):
            optimizer.zero_grad()
            torch.stack([parameter.square().sum() for parameter in some]).sum().backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    for mine, yours in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, yours)


@pytest.mark.parametrize("make", [sgd, adam, adamw])
def test_the_fastest_form_is_used(make: Make) -> None:
    assert make(parameters()).param_groups[0]["fused"] is True
    elsewhere = make([nn.Parameter(torch.zeros(2, device="meta"))]).param_groups[0]
    assert elsewhere["fused"] is False
    assert elsewhere["foreach"] is True


def test_rmsprop_which_torch_does_not_fuse_takes_the_next_best_form() -> None:
    assert rmsprop(parameters()).param_groups[0]["foreach"] is True


def test_betas_may_be_written_as_integers() -> None:
    for make in (adam, adamw):
        assert make(parameters(), betas=(0, 0.99)).param_groups[0]["betas"] == (0.0, 0.99)


def test_lazy_correction_of_known_schedules() -> None:
    assert lazy_correction([1, 16]) == pytest.approx(16 / 17)
    assert lazy_correction([1, 4]) == pytest.approx(4 / 5)
    assert lazy_correction([1, 16, 8]) == pytest.approx(1 / (1 + 1 / 16 + 1 / 8))
    assert lazy_correction([16]) == lazy_correction([1]) == lazy_correction([1, 1]) == lazy_correction([]) == 1.0


@given(every=st.lists(st.integers(1, 64), min_size=2, max_size=5))
def test_lazy_correction_undoes_the_additional_steps(every: list[int]) -> None:
    correction = lazy_correction([1, *every])
    assert 0 < correction <= 1
    if max(every) > 1:
        assert correction * (1 + sum(1 / number for number in every)) == pytest.approx(1)


def test_the_correction_reaches_adam_and_rmsprop_and_spares_sgd() -> None:
    optimizer = adam(parameters(), lr=0.1, betas=(0.0, 0.99))
    assert correct_for_lazy_updates(optimizer, [1, 16]) == pytest.approx(16 / 17)
    group = optimizer.param_groups[0]
    assert group["lr"] == pytest.approx(0.1 * 16 / 17)
    assert group["betas"] == pytest.approx((0.0, 0.99 ** (16 / 17)))

    optimizer = rmsprop(parameters(), lr=0.1, alpha=0.9)
    assert correct_for_lazy_updates(optimizer, [1, 16]) == pytest.approx(16 / 17)
    group = optimizer.param_groups[0]
    assert (group["lr"], group["alpha"]) == pytest.approx((0.1 * 16 / 17, 0.9 ** (16 / 17)))

    plain = sgd(parameters(), lr=0.1)
    assert correct_for_lazy_updates(plain, [1, 16]) == 1.0
    assert plain.param_groups[0]["lr"] == 0.1


def test_weight_clip_keeps_to_the_limit_and_spares_frozen_weights() -> None:
    free, frozen = nn.Linear(8, 8), nn.Linear(8, 8).requires_grad_(False)
    before, kept = free.weight.detach().clone(), frozen.weight.clone()
    WeightClip(0.05)(nn.Sequential(free, frozen))
    torch.testing.assert_close(free.weight.detach(), before.clamp(-0.05, 0.05), rtol=0, atol=0)
    assert frozen.weight.equal(kept)
    with pytest.raises(ValueError, match="limit"):
        WeightClip(0.0)
