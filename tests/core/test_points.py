"""Points in the plane, and the metric that counts their clusters."""

from __future__ import annotations

import math
from typing import Literal

import pytest
import torch

from sparring.data.memory import MemoryData
from sparring.data.points import Points
from sparring.errors import DataError, TrainingError
from sparring.interfaces.data import Batch
from sparring.metrics.modes import Modes
from sparring.spaces.array import ArraySpace
from sparring.spaces.label import LabelSpace
from sparring.spaces.point import PointSpace

Arrangement = Literal["ring", "grid", "spiral"]
ARRANGEMENTS: list[Arrangement] = ["ring", "grid", "spiral"]
assert ARRANGEMENTS
RNG = torch.Generator()


def everything(data: Points | MemoryData) -> Batch:
    return data.gather(torch.arange(len(data)), rng=RNG)


@pytest.mark.parametrize("arrangement", ARRANGEMENTS)
@pytest.mark.parametrize("modes", [1, 2, 8, 25])
def test_clusters_lie_where_they_should(arrangement: Arrangement, modes: int) -> None:
    data = Points(arrangement, count=2000, modes=modes, spread=0.01, labels=True)
    batch = everything(data)
    assert isinstance(data.space, PointSpace)
    assert data.centres.shape == (modes, 2)
    assert data.centres.abs().max() <= 2 + 1e-6
    if modes > 1:
        assert torch.pdist(data.centres).min() > 0.2
    offset = batch.sample - data.centres[batch.condition["label"]]
    assert float(offset.std()) == pytest.approx(0.01, rel=0.05)
    shares = batch.condition["label"].bincount()
    assert int(shares.max() - shares.min()) <= 1


def test_known_centres() -> None:
    ring, grid = Points("ring", modes=4).centres, Points("grid", modes=9).centres
    torch.testing.assert_close(ring, torch.tensor([[2.0, 0], [0, 2], [-2, 0], [0, -2]]))
    assert grid.tolist() == [[x, y] for y in (-2.0, 0.0, 2.0) for x in (-2.0, 0.0, 2.0)]
    assert Points("spiral", modes=5).centres[-1].norm() == pytest.approx(2)


def test_published_protocols_are_there_to_scale() -> None:
    """Lin et al. (2018): 8 centres on a ring of radius 1 with σ = 0.01; a grid of spacing 2 with σ = 0.05."""
    ring, grid = Points("ring", spread=0.02), Points("grid", modes=25, spread=0.025)
    assert ring.centres.norm(dim=1).tolist() == pytest.approx([1 / 0.01 * ring.spread] * 8)
    assert float(torch.pdist(grid.centres).min()) == pytest.approx(2 / 0.05 * grid.spread)
    hundred = Points("grid", count=100_000, modes=100, labels=True)
    assert len(hundred) == len(hundred.split("test")) == 100_000
    assert everything(hundred).condition["label"].bincount().tolist() == [1000] * 100
    assert float(torch.pdist(hundred.centres).min()) == pytest.approx(4 / 9)


def test_a_draw_is_fixed_by_its_seed_and_the_test_split_is_another() -> None:
    first, again, other = Points(count=100), Points(count=100), Points(count=100, seed=1)
    assert everything(first).sample.equal(everything(again).sample)
    assert not everything(first).sample.equal(everything(other).sample)
    held_out = first.split("test")
    assert len(held_out) == len(first) == 100
    assert held_out.centres is first.centres
    assert torch.cdist(everything(held_out).sample, everything(first).sample).min() > 0


def test_labels_are_a_condition_only_when_asked() -> None:
    assert Points().conditions == {}
    assert everything(Points(count=8)).condition == {}
    label = Points(modes=3, labels=True).conditions["label"]
    assert isinstance(label, LabelSpace)
    assert label.classes == ["0", "1", "2"]


def test_impossible_points_are_refused() -> None:
    with pytest.raises(ValueError, match="count must be at least modes"):
        Points(count=3, modes=8)


# ---- the metric ----


def modes_of(samples: torch.Tensor, data: Points) -> dict[str, float]:
    metric = Modes(data)
    for part in torch.split(samples, 7):
        metric.update(Batch(part), Batch(part))
    return metric.compute()


def test_real_points_reach_every_mode() -> None:
    data = Points(count=4000)
    values = modes_of(everything(data.split("test")).sample, data)
    assert next(iter(values)) == "modes"
    assert values["modes"] == 8
    # A plane Gaussian keeps 1 − exp(−9/2) of its mass within three standard deviations.
    assert values["high_quality"] == pytest.approx(1 - math.exp(-4.5), abs=0.006)
    assert values["reverse_kl"] == pytest.approx(0, abs=1e-9)


def test_a_collapsed_generator_reaches_one() -> None:
    data = Points()
    values = modes_of(data.centres[:1].repeat(20, 1), data)
    assert values == pytest.approx({"modes": 1, "high_quality": 1, "reverse_kl": math.log(8)})


def test_far_samples_count_for_no_mode() -> None:
    data = Points(spread=0.1)
    samples = torch.cat([data.centres[:2] + torch.tensor([0.29, 0.0]), data.centres[2:4] + torch.tensor([0.31, 0.0])])
    values = modes_of(samples, data)
    assert values == pytest.approx({"modes": 2, "high_quality": 0.5, "reverse_kl": math.log(2)})


def test_the_metric_resets_and_refuses_nothing_and_other_data() -> None:
    metric = Modes(Points())
    metric.update(Batch(torch.zeros(1, 2)), Batch(torch.zeros(1, 2)))
    metric.reset()
    with pytest.raises(TrainingError, match="no samples"):
        metric.compute()
    with pytest.raises(DataError, match="know their clusters"):
        Modes(MemoryData(ArraySpace([2]), torch.zeros(3, 2)))
