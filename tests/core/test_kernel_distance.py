"""The kernel distance against its definition and closed forms, in blocks, and what metrics hold in memory."""

from __future__ import annotations

import importlib.util
import itertools
import math
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from sparring.errors import TrainingError
from sparring.interfaces.data import Batch
from sparring.interfaces.metric import Encoder, Metric
from sparring.metrics.frechet import Frechet
from sparring.metrics.kernel_distance import AHEAD, PAIRS, KernelDistance, kernel_distance

FEATURES = 3


class Flat(Encoder):
    name = "flat"

    def forward(self, sample: Tensor) -> Tensor:
        return sample.flatten(1)


def draw(rows: int, seed: int, features: int = FEATURES, mean: float = 0.0) -> Tensor:
    return mean + torch.randn(rows, features, generator=torch.Generator().manual_seed(seed))


def score(metric: Metric, real: Tensor, fake: Tensor, batch: int = 50) -> dict[str, float]:
    metric.reset()
    for start in range(0, max(len(real), len(fake)), batch):
        metric.update(Batch(real[start : start + batch]), Batch(fake[start : start + batch]))
    return metric.compute()


# ---- one distance ----

rows_of_numbers = st.lists(st.lists(st.integers(-3, 3), min_size=2, max_size=2), min_size=2, max_size=6)


@given(first=rows_of_numbers, second=rows_of_numbers)
def test_it_is_the_definition(first: list[list[float]], second: list[list[float]]) -> None:
    def kernel(x: list[float], y: list[float]) -> float:
        return float((sum(a * b for a, b in zip(x, y, strict=True)) / 2 + 1) ** 3)

    def within(rows: list[list[float]]) -> float:
        pairs = [(i, j) for i in range(len(rows)) for j in range(len(rows)) if i != j]
        return sum(kernel(rows[i], rows[j]) for i, j in pairs) / len(pairs)

    between = sum(kernel(x, y) for x in first for y in second) / (len(first) * len(second))
    expected = within(first) + within(second) - 2 * between
    found = kernel_distance(torch.tensor(first, dtype=torch.float64), torch.tensor(second, dtype=torch.float64))
    assert found == pytest.approx(expected, abs=1e-9)


def test_two_points() -> None:
    # k(0, 0) = 1, k(1, 1) = 8 and k(0, 1) = 1.
    assert kernel_distance(torch.zeros(2, 1), torch.ones(2, 1)) == 7


def test_the_mean_is_that_of_the_distributions() -> None:
    """In one dimension the squared distance is Σ C(3, k) (μₖ − νₖ)², with the k-th moments about 0."""
    mean, rounds = 0.5, 400
    moments = (mean, 1 + mean**2, mean**3 + 3 * mean)
    expected = 3 * moments[0] ** 2 + 3 * (moments[1] - 1) ** 2 + moments[2] ** 2
    far = torch.tensor([kernel_distance(draw(60, seed, 1), draw(40, 1000 + seed, 1, mean)) for seed in range(rounds)])
    near = torch.tensor([kernel_distance(draw(60, seed, 1), draw(40, 1000 + seed, 1)) for seed in range(rounds)])
    for found, value in ((far, expected), (near, 0.0)):
        assert abs(float(found.mean()) - value) < 4 * float(found.std()) / math.sqrt(rounds)
    # Unbiased: of two draws of one distribution, many are less than nothing apart.
    assert 0.3 < float((near < 0).float().mean()) < 0.9


def test_parts_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = draw(70, 0), draw(50, 1)
    whole = kernel_distance(first, second)
    monkeypatch.setattr("sparring.metrics.kernel_distance.PAIRS", 7)
    assert kernel_distance(first, second) == pytest.approx(whole, rel=1e-9)


# ---- the metric ----


def test_blocks_are_averaged_and_their_deviation_given() -> None:
    real, fake = draw(300, 0), draw(300, 1, mean=0.3)
    found = score(KernelDistance(Flat(), block=100), real, fake)
    blocks = torch.tensor([kernel_distance(real[i : i + 100], fake[i : i + 100]) for i in (0, 100, 200)])
    assert found == pytest.approx(
        {"kernel_distance": float(blocks.mean()), "kernel_distance_deviation": float(blocks.std())}, rel=1e-5
    )


def test_what_is_left_counts_by_its_share() -> None:
    real, fake = draw(130, 0), draw(250, 1, mean=0.3)
    found = score(KernelDistance(Flat(), block=100), real, fake)
    block, rest = kernel_distance(real[:100], fake[:100]), kernel_distance(real[100:], fake[100:])
    assert found == pytest.approx({"kernel_distance": (block + 0.3 * rest) / 1.3})
    # A held-out split of less than a block is compared with all that is generated.
    few = score(KernelDistance(Flat()), real, fake)
    assert few == pytest.approx({"kernel_distance": kernel_distance(real, fake)})
    # One row has no spread: it is left out.
    assert score(KernelDistance(Flat(), block=100), real[:101], fake[:101]) == pytest.approx({"kernel_distance": block})


@given(cuts=st.lists(st.integers(0, 120), max_size=4), fewer=st.integers(0, 80))
def test_how_samples_are_cut_changes_nothing(cuts: list[int], fewer: int) -> None:
    real, fake = draw(120 - fewer, 0), draw(120, 1)
    metric = KernelDistance(Flat(), block=25)
    expected = score(metric, real, fake, batch=120)
    metric.reset()
    edges = sorted({0, *cuts, 120})
    for low, high in itertools.pairwise(edges):
        metric.update(Batch(real[low:high]), Batch(fake[low:high]))
    assert metric.compute() == pytest.approx(expected)


def test_too_few_samples_are_refused() -> None:
    metric = KernelDistance(Flat())
    for real, fake in ((0, 0), (1, 9), (9, 1)):
        metric.reset()
        metric.update(Batch(draw(real, 0)), Batch(draw(fake, 1)))
        with pytest.raises(TrainingError, match=f"seen {real} real and {fake} generated"):
            metric.compute()
    with pytest.raises(ValueError, match="block"):
        KernelDistance(Flat(), block=1)


# ---- memory ----


class Largest(TorchDispatchMode):
    """Note the size of the largest tensor that any operation gives."""

    def __init__(self) -> None:
        super().__init__()
        self.elements = 0

    def __torch_dispatch__(
        self, function: Callable[..., Any], types: Any, arguments: Any = (), options: Mapping[str, Any] | None = None
    ) -> Any:
        given_back = function(*arguments, **(options or {}))
        for one in given_back if isinstance(given_back, (tuple, list)) else (given_back,):
            if isinstance(one, Tensor):
                self.elements = max(self.elements, one.numel())
        return given_back


def held(metric: Metric) -> int:
    """Count the numbers in all tensors that a metric keeps."""

    def count(value: object) -> int:
        if isinstance(value, Tensor):
            return value.untyped_storage().nbytes() // value.element_size()
        if isinstance(value, dict):
            return sum(map(count, value.values()))
        if isinstance(value, (list, tuple)):
            return sum(map(count, value))
        return count(vars(value)) if type(value).__module__.startswith("sparring") else 0

    return sum(count(value) for name, value in vars(metric).items() if name != "encoder")


@pytest.mark.parametrize("ahead", [False, True], ids=["together", "more generated than real"])
@pytest.mark.parametrize("kind", [Frechet, KernelDistance])
def test_memory_does_not_grow_with_samples(kind: type[Metric], ahead: bool) -> None:
    metric = kind(Flat(), **({"block": 20} if kind is KernelDistance else {}))  # type: ignore[call-arg]
    batch, real, most = 32, draw(32, 0), []
    bound = 2 * (AHEAD * 20 + batch) * FEATURES
    for number in range(120):
        with Largest() as largest:
            metric.update(Batch(real if not ahead or number == 0 else real[:0]), Batch(draw(batch, number)))
        assert held(metric) <= bound
        assert largest.elements <= max(bound, batch * batch)
        most.append(held(metric))
    assert max(most[60:]) <= max(most[:60])
    with Largest() as largest:
        assert all(math.isfinite(value) for value in metric.compute().values())
    assert largest.elements <= PAIRS


def test_the_matrix_of_pairs_is_never_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sparring.metrics.kernel_distance.PAIRS", 1000)
    with Largest() as largest:
        kernel_distance(draw(200, 0), draw(500, 1))
    assert largest.elements <= 500 * FEATURES


# ---- another implementation ----


@pytest.mark.skipif(importlib.util.find_spec("torchmetrics") is None, reason="torchmetrics is not installed")
@pytest.mark.filterwarnings("ignore:.*save all extracted features in buffer:UserWarning")  # ours does not
def test_torchmetrics_agrees() -> None:
    from torchmetrics.image.fid import FrechetInceptionDistance
    from torchmetrics.image.kid import KernelInceptionDistance

    real, fake = draw(400, 0, 8).view(400, 2, 2, 2), draw(400, 1, 8, mean=0.4).view(400, 2, 2, 2)
    theirs = FrechetInceptionDistance(Flat(), input_img_size=(2, 2, 2))
    # A subset of all samples is the same set a hundred times.
    kernel = KernelInceptionDistance(Flat(), subsets=3, subset_size=400)
    for metric in (theirs, kernel):
        metric.update(real, real=True)
        metric.update(fake, real=False)
    assert score(Frechet(Flat()), real, fake)["frechet"] == pytest.approx(float(theirs.compute()), rel=1e-4)
    value, deviation = (float(one) for one in kernel.compute())
    assert score(KernelDistance(Flat()), real, fake)["kernel_distance"] == pytest.approx(value, rel=1e-4)
    assert deviation == pytest.approx(0, abs=1e-6)
