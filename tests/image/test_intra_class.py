"""The distance within classes sees what a distance over all of them together does not."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from sparring.data.memory import MemoryData
from sparring.errors import DataError, TrainingError
from sparring.interfaces.data import Batch
from sparring.interfaces.metric import Encoder
from sparring.metrics.frechet import Frechet
from sparring.spaces.array import ArraySpace
from sparring.spaces.label import LabelSpace
from sparring_image.intra_class import IntraClass

torch.set_num_threads(1)

MEANS = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
LABEL = torch.arange(900) % 3


class Flat(Encoder):
    name = "flat"

    def forward(self, sample: Tensor) -> Tensor:
        return sample.flatten(1)


def around(label: Tensor, seed: int, spread: float = 1.0) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return MEANS[label] + spread * torch.randn(len(label), 2, generator=rng)


def data(names: list[str] | None = None) -> MemoryData:
    labels = LabelSpace(names or ["here", "right", "up"])
    return MemoryData(ArraySpace([2]), around(LABEL, 0), {"label": (labels, LABEL)})


def both(real: Tensor, fake: Tensor, asked: Tensor = LABEL) -> tuple[float, float]:
    """Return the distance within classes, and that of all together."""
    intra, whole = IntraClass(data(), Flat()), Frechet(Flat())
    for metric in (intra, whole):
        for rows in torch.arange(len(LABEL)).split(250):
            metric.update(Batch(real[rows], {"label": LABEL[rows]}), Batch(fake[rows], {"label": asked[rows]}))
    return intra.compute()["intra_frechet"], whole.compute()["frechet"]


def test_samples_of_the_right_classes_are_near() -> None:
    within, together = both(around(LABEL, 1), around(LABEL, 2))
    assert within < 0.05
    assert together < 0.5


def test_a_generator_that_ignores_its_label_is_seen() -> None:
    drawn = LABEL[torch.randperm(900, generator=torch.Generator().manual_seed(3))]
    within, together = both(around(LABEL, 1), around(drawn, 2))
    assert together < 0.5
    # The mean of all lies √(2 · (10 / 3)²) = 4.7 from the first centre, and further from the others.
    assert within > 20


def test_a_generator_of_one_sample_a_class_is_seen() -> None:
    """Without spread in a class the distance is the trace of the real covariance: 2 of two unit coordinates."""
    within, together = both(around(LABEL, 1), around(LABEL, 2, spread=0.0))
    assert within == pytest.approx(2, rel=0.1)
    assert together < 0.5


def test_the_value_is_the_mean_over_classes() -> None:
    shift = torch.tensor([0.0, 1.0, 2.0])[LABEL].unsqueeze(1)
    real = around(LABEL, 1)
    within, _ = both(real, real + shift)
    assert within == pytest.approx((0 + 2 * 1 + 2 * 4) / 3, rel=1e-4)


def test_classes_without_samples_are_named() -> None:
    metric = IntraClass(data(), Flat())
    few = Batch(around(LABEL[:5], 0), {"label": LABEL[:5]})
    metric.update(few, few)
    with pytest.raises(TrainingError, match="'up' there are 1 real and 1 generated"):
        metric.compute()
    with pytest.raises(DataError, match="no labels"):
        IntraClass(MemoryData(ArraySpace([2]), torch.zeros(4, 2)), Flat())
