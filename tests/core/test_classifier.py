"""What classifiers of all domains share: passes over data, learning, a memory for what was learnt, and randomness."""

from __future__ import annotations

import gc
import math

import pytest
import torch
from torch import Tensor, nn

from sparring.data.memory import MemoryData
from sparring.metrics import classifier
from sparring.metrics.classifier import batches, held_out_accuracy, learn, remembered, set_apart
from sparring.spaces.label import LabelSpace
from sparring.spaces.point import PointSpace

torch.set_num_threads(1)


def two_clusters(count: int = 100, *, held_out: bool = True) -> MemoryData:
    label = torch.arange(count) % 2
    rng = torch.Generator().manual_seed(0)
    points = torch.randn(count, 2, generator=rng) * 0.1 + (2.0 * label[:, None] - 1)
    chosen = {"test": torch.arange(count - 20, count)} if held_out else {}
    return MemoryData(PointSpace(2), points, {"label": (LabelSpace(["low", "high"]), label)}, held_out=chosen)


def rng() -> torch.Generator:
    return torch.Generator().manual_seed(1)


@pytest.mark.parametrize(("count", "size"), [(10, 4), (10, 10), (3, 8), (7, 1)])
def test_every_pass_shows_every_row_once(count: int, size: int) -> None:
    data = two_clusters(count, held_out=False)
    found = batches(data, rng(), size)
    seen: list[Tensor] = []
    while sum(map(len, seen)) < 3 * count:
        seen.append(next(found).sample)
        assert len(seen[-1]) == size
    rows = torch.cat(seen)
    everything = data.gather(torch.arange(count), rng=rng()).sample
    for start in (0, count, 2 * count):
        shown = rows[start : start + count]
        assert {tuple(row.tolist()) for row in shown} == {tuple(row.tolist()) for row in everything}


def test_it_learns_and_measures() -> None:
    data = two_clusters()
    with set_apart(0):
        network = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 2))
        shown = ((batch.sample, batch.condition["label"]) for batch in batches(data.split("train"), rng()))
        learn(network, network, shown, 60)
    assert held_out_accuracy(network, network, data) == 1.0
    assert not network.training
    nothing = held_out_accuracy(network, network, two_clusters(held_out=False))
    assert math.isnan(nothing)


def test_what_shows_no_class_is_given_equal_shares() -> None:
    data = two_clusters()

    def far(sample: Tensor) -> Tensor:
        return sample + torch.tensor([8.0, -8.0])

    def confidence(unlike: bool) -> float:
        with set_apart(0):
            network = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 2))
            shown = ((batch.sample, batch.condition["label"]) for batch in batches(data.split("train"), rng()))
            learn(network, network, shown, 300, unlike=far if unlike else None)
            sample = data.gather(torch.arange(40), rng=rng()).sample
            return float(network(far(sample)).softmax(dim=1).amax(dim=1).mean().detach())

    assert confidence(True) < 0.6 < 0.8 < confidence(False)


def test_what_was_made_is_forgotten_with_its_data() -> None:
    data = two_clusters()
    first: list[int] = remembered(data, ("a", 1), list)
    assert remembered(data, ("a", 1), list) is first
    assert remembered(data, ("a", 2), list) is not first
    assert remembered(two_clusters(), ("a", 1), lambda: "another's") == "another's"
    known = len(classifier._REMEMBERED)
    del data
    gc.collect()
    assert len(classifier._REMEMBERED) < known


def test_randomness_is_set_apart() -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    with torch.inference_mode(), set_apart(0):
        first = torch.randn(3, requires_grad=True)
        assert first.sum().requires_grad
    assert torch.equal(torch.get_rng_state(), before)
    with set_apart(0):
        assert torch.equal(torch.randn(3), first)
    with pytest.raises(KeyError), set_apart(0):
        raise KeyError
    assert torch.equal(torch.get_rng_state(), before)
