"""The Fréchet distance against closed forms and scipy, and moments that stream."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from sparring.errors import TrainingError
from sparring.interfaces.data import Batch
from sparring.interfaces.metric import Encoder
from sparring.metrics.frechet import Frechet, frechet_distance
from sparring.metrics.moments import Moments


class Flat(Encoder):
    """The sample itself, with one weight that must be left alone."""

    name = "flat"

    def __init__(self) -> None:
        super().__init__()
        self.dropout = torch.nn.Dropout(0.5)
        self.scale = torch.nn.Parameter(torch.ones(()))

    def forward(self, sample: Tensor) -> Tensor:
        values: Tensor = self.dropout(sample.flatten(1) * self.scale)
        return values


def covariance(size: int, seed: int, rank: int | None = None) -> Tensor:
    factor = torch.randn(size, rank or size, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return factor @ factor.T


spreads = st.lists(st.floats(0, 10), min_size=3, max_size=3)
centres = st.lists(st.floats(-10, 10), min_size=3, max_size=3)


@given(means=st.tuples(centres, centres), deviations=st.tuples(spreads, spreads))
def test_diagonal_gaussians(
    means: tuple[list[float], list[float]], deviations: tuple[list[float], list[float]]
) -> None:
    first, second = (torch.tensor(mean, dtype=torch.float64) for mean in means)
    broad, narrow = (torch.tensor(deviation, dtype=torch.float64) for deviation in deviations)
    expected = float((first - second).square().sum() + (broad - narrow).square().sum())
    value = frechet_distance(first, broad.square().diag(), second, narrow.square().diag())
    assert value == pytest.approx(expected, rel=1e-9, abs=1e-5)


@pytest.mark.parametrize("rank", [1, 4, 12])
def test_equal_gaussians_are_no_distance_apart(rank: int) -> None:
    mean, spread = torch.ones(12), covariance(12, 0, rank)
    assert frechet_distance(mean, spread, mean, spread) == pytest.approx(0, abs=1e-5)


@given(seed=st.integers(0, 1000), size=st.integers(1, 8))
def test_symmetry_rotation_and_scale(seed: int, size: int) -> None:
    first, second = covariance(size, seed), covariance(size, seed + 1)
    mean, other = first[0], second[0]
    value = frechet_distance(mean, first, other, second)
    assert value >= 0
    assert value == pytest.approx(frechet_distance(other, second, mean, first), rel=1e-7, abs=1e-7)
    turn = torch.linalg.qr(covariance(size, seed + 2))[0]
    turned = frechet_distance(turn @ mean, turn @ first @ turn.T, turn @ other, turn @ second @ turn.T)
    assert turned == pytest.approx(value, rel=1e-6, abs=1e-6)
    assert frechet_distance(2 * mean, 4 * first, 2 * other, 4 * second) == pytest.approx(4 * value, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("rank", [20, 5])
def test_scipys_matrix_root_agrees(rank: int) -> None:
    linalg = pytest.importorskip("scipy.linalg")
    first, second = covariance(20, 3, rank), covariance(20, 4)
    mean, other = torch.zeros(20, dtype=torch.float64), torch.ones(20, dtype=torch.float64)
    root = linalg.sqrtm((first @ second).numpy())
    expected = 20 + float(first.trace() + second.trace()) - 2 * float(root.trace().real)
    assert frechet_distance(mean, first, other, second) == pytest.approx(expected, rel=1e-5)


# ---- moments ----


@given(sizes=st.lists(st.integers(0, 9), min_size=1, max_size=6), offset=st.sampled_from([0.0, 1e6]))
def test_moments_do_not_depend_on_the_batches(sizes: list[int], offset: float) -> None:
    rows = torch.randn(sum(sizes) + 2, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) + offset
    moments = Moments()
    for part in torch.split(rows, [*sizes, 2]):
        moments.update(part)
    assert moments.count == len(rows)
    torch.testing.assert_close(moments.mean, rows.mean(0))
    torch.testing.assert_close(moments.covariance, rows.T.cov(), rtol=1e-6, atol=1e-8)


def test_too_few_samples_are_reported() -> None:
    moments = Moments()
    with pytest.raises(TrainingError, match="0 were seen"):
        _ = moments.mean
    moments.update(torch.ones(1, 2))
    with pytest.raises(TrainingError, match="1 were seen"):
        _ = moments.covariance


# ---- the metric ----


def test_the_metric_measures_what_the_encoder_sees() -> None:
    rng = torch.Generator().manual_seed(0)
    real, fake = torch.randn(5000, 2, 2, generator=rng), 2 * torch.randn(4000, 2, 2, generator=rng) + 1
    metric = Frechet(Flat())
    assert (metric.better, metric.encoder.name) == ("lower", "flat")
    for index in range(10):
        metric.update(Batch(real[500 * index :][:500]), Batch(fake[400 * index :][:400]))
    flat, other = real.flatten(1).double(), fake.flatten(1).double()
    expected = frechet_distance(flat.mean(0), flat.T.cov(), other.mean(0), other.T.cov())
    assert metric.compute() == {"frechet": pytest.approx(expected)}
    # Four independent coordinates: (2 − 1)² for the spread and 1 for the mean, each.
    assert expected == pytest.approx(8, rel=0.1)
    metric.reset()
    with pytest.raises(TrainingError, match="0 were seen"):
        metric.compute()


def test_real_samples_against_themselves() -> None:
    batch = Batch(torch.randn(100, 3))
    metric = Frechet(Flat())
    metric.update(batch, batch)
    assert metric.compute()["frechet"] == pytest.approx(0, abs=1e-6)
