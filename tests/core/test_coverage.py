"""Precision, recall, density and coverage against their definitions and the published expectations."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from sparring.errors import TrainingError
from sparring.interfaces.data import Batch
from sparring.interfaces.metric import Encoder
from sparring.metrics.coverage import Coverage, coverage_of

NAMES = ["coverage", "density", "precision", "recall"]


class Flat(Encoder):
    name = "flat"

    def forward(self, sample: Tensor) -> Tensor:
        return sample.flatten(1)


def draw(rows: int, seed: int, features: int = 2) -> Tensor:
    return torch.randn(rows, features, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def by_definition(real: list[list[float]], fake: list[list[float]], neighbours: int) -> dict[str, float]:
    """Write the formulas of Naeem et al. (2020), section 3, down as they stand."""

    def radius(rows: list[list[float]], index: int) -> float:
        others = sorted(math.dist(rows[index], row) for other, row in enumerate(rows) if other != index)
        return others[neighbours - 1] + 1e-9

    real_radii = [radius(real, index) for index in range(len(real))]
    fake_radii = [radius(fake, index) for index in range(len(fake))]
    inside = [[math.dist(x, y) <= reach for x, reach in zip(real, real_radii, strict=True)] for y in fake]
    return {
        "coverage": sum(any(row[index] for row in inside) for index in range(len(real))) / len(real),
        "density": sum(map(sum, inside)) / (neighbours * len(fake)),
        "precision": sum(map(any, inside)) / len(fake),
        "recall": sum(any(math.dist(x, y) <= reach for y, reach in zip(fake, fake_radii, strict=True)) for x in real)
        / len(real),
    }


# Whole numbers: many rows are equally far, and some the same.
points = st.lists(st.lists(st.integers(-4, 4), min_size=2, max_size=2), min_size=4, max_size=12)


@given(real=points, fake=points, neighbours=st.integers(1, 3))
def test_it_is_the_definition(real: list[list[float]], fake: list[list[float]], neighbours: int) -> None:
    rows = torch.tensor(real, dtype=torch.float64), torch.tensor(fake, dtype=torch.float64)
    assert coverage_of(*rows, neighbours) == pytest.approx(by_definition(real, fake, neighbours))


@given(seed=st.integers(0, 200), neighbours=st.integers(1, 4))
def test_it_is_the_definition_far_from_the_origin(seed: int, neighbours: int) -> None:
    real, fake = 1e4 + draw(9, seed), 1e4 + draw(7, 1000 + seed)
    expected = by_definition(real.tolist(), fake.tolist(), neighbours)
    assert coverage_of(real, fake, neighbours) == pytest.approx(expected)


@pytest.mark.parametrize(("reals", "fakes", "neighbours"), [(40, 40, 5), (30, 60, 3), (60, 20, 1)])
def test_one_distribution_scores_what_was_published(reals: int, fakes: int, neighbours: int) -> None:
    """Naeem et al. (2020), lemmas 1 and 2: density is 1 on average, and coverage has a closed form."""
    found = [coverage_of(draw(reals, seed), draw(fakes, 10_000 + seed), neighbours) for seed in range(300)]
    missed = math.prod((reals - i) / (reals + fakes - i) for i in range(1, neighbours + 1))
    for name, expected in (("density", 1.0), ("coverage", 1 - missed)):
        values = torch.tensor([one[name] for one in found], dtype=torch.float64)
        assert abs(float(values.mean()) - expected) < 4 * float(values.std()) / math.sqrt(300)


def test_copies_of_the_real_samples() -> None:
    real = draw(50, 0)
    # Each ball holds its own copy and those of its five neighbours.
    assert coverage_of(real, real.clone(), 5) == {"coverage": 1, "density": 6 / 5, "precision": 1, "recall": 1}


def test_collapse_and_noise_are_told_apart() -> None:
    real = draw(200, 0)
    collapsed = coverage_of(real, real[:1] + 1e-3 * draw(200, 1), 5)
    assert collapsed["precision"] == 1
    assert collapsed["coverage"] < 0.1
    assert collapsed["recall"] < 0.02
    noise = coverage_of(real, 30 + draw(200, 2), 5)
    assert noise == {"coverage": 0, "density": 0, "precision": 0, "recall": 0}


def test_an_outlier_deceives_precision_and_not_density() -> None:
    """Naeem et al. (2020), figure 1: a real outlier's ball is large, and generated samples gather around it."""
    real = torch.cat([draw(99, 0), torch.tensor([[40.0, 0.0]])])
    fake = torch.cat([draw(20, 1), torch.tensor([[35.0, 0.0]]) + draw(80, 2)])
    found = coverage_of(real, fake, 5)
    assert found["precision"] > 0.95
    assert found["density"] < 0.5
    assert found["coverage"] < 0.7


def test_recall_and_precision_change_places() -> None:
    first, second = draw(60, 0), 0.5 * draw(80, 1) + 0.3
    there, back = coverage_of(first, second, 3), coverage_of(second, first, 3)
    assert there["recall"] == back["precision"]
    assert there["precision"] == back["recall"]


def test_parts_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    real, fake = draw(70, 0), draw(50, 1)
    whole = coverage_of(real, fake, 4)
    for pairs in (1, 70, 333):
        monkeypatch.setattr("sparring.metrics.coverage.PAIRS", pairs)
        assert coverage_of(real, fake, 4) == whole


# ---- the metric ----


def test_the_metric_gathers_both_sides() -> None:
    real, fake = draw(90, 0).float(), draw(60, 1).float()
    metric = Coverage(Flat(), neighbours=3)
    for start in range(0, 90, 20):
        metric.update(Batch(real[start : start + 20]), Batch(fake[start : start + 20]))
    found = metric.compute()
    assert list(found) == NAMES
    assert found == coverage_of(real, fake, 3)
    metric.reset()
    metric.update(Batch(real[:3]), Batch(fake))
    with pytest.raises(TrainingError, match="3 real and 60 generated"):
        metric.compute()
    with pytest.raises(ValueError, match="neighbours"):
        Coverage(Flat(), neighbours=0)
