"""What metrics see: which real rows, beside which generated ones, and what the generator says of these."""

from __future__ import annotations

from typing import ClassVar, Literal

import pytest
import torch
from torch import Tensor, nn

from sparring.data.memory import MemoryData
from sparring.interfaces.data import Batch, Condition
from sparring.interfaces.generator import Generated, Generator
from sparring.interfaces.metric import Metric
from sparring.interfaces.space import Space
from sparring.recipes.schema import Evaluate
from sparring.spaces.label import LabelSpace
from sparring.spaces.point import PointSpace
from sparring.training.evaluation import evaluate
from sparring.training.generate import CHUNK, generate

CPU = torch.device("cpu")
SPEC = {"every": 1, "metrics": [{"use": "modes"}]}


class Echo(Generator):
    """Makes of each condition its negative, and says row by row where it came from."""

    def forward(self, latent: Tensor | None, condition: Condition) -> Generated:
        image = condition["image"]
        extras = {"first": image[:, 0], "whole": image, "not-rows": torch.zeros(3), "scalar": torch.tensor(1.0)}
        return Generated(-image, extras=extras)


class Keep(Metric):
    """Keeps what it is shown."""

    better: ClassVar[Literal["higher", "lower"]] = "higher"

    def reset(self) -> None:
        self.pairs: list[tuple[Batch, Batch]] = []

    def update(self, real: Batch, fake: Batch) -> None:
        self.pairs.append((real, fake))

    def compute(self) -> dict[str, float]:
        return {"kept": float(len(self.pairs))}


def pairs(rows: int, *, label: bool = False) -> MemoryData:
    """Return points whose condition is twice the point, so that a row is known by either."""
    sample = torch.arange(2.0 * rows).reshape(rows, 2)
    conditions: dict[str, tuple[Space, Tensor]] = {"image": (PointSpace(), 2 * sample)}
    if label:
        conditions["label"] = (LabelSpace([str(row) for row in range(rows)]), torch.arange(rows))
    return MemoryData(PointSpace(), sample, conditions)


@pytest.mark.parametrize(("rows", "count"), [(40, 25), (40, 40), (10, 25), (300, 2 * CHUNK + 3)])
@pytest.mark.parametrize("label", [False, True])
def test_metrics_see_the_very_rows_that_conditions_come_from(rows: int, count: int, label: bool) -> None:
    metric = Keep()
    evaluate(Echo(), pairs(rows, label=label), Evaluate(count=count, **SPEC), [metric], 3, CPU)
    real, fake = (Batch.concatenate([pair[side] for pair in metric.pairs]) for side in (0, 1))
    assert len(real) == len(fake) == count
    assert all(len(one) == len(other) <= CHUNK for one, other in metric.pairs)
    assert torch.equal(fake.condition["image"], 2 * real.sample)
    assert torch.equal(fake.sample, -2 * real.sample)
    assert len(real.sample.unique(dim=0)) == min(rows, count)  # every row before any comes again
    if label:
        assert torch.equal(fake.condition["label"], real.condition["label"])


def test_the_same_rows_are_used_at_every_evaluation_and_others_with_another_seed() -> None:
    seen = []
    for seed in (3, 3, 4):
        metric = Keep()
        evaluate(Echo(), pairs(40), Evaluate(count=10, **SPEC), [metric], seed, CPU)
        seen.append(metric.pairs[0][0].sample)
    assert torch.equal(seen[0], seen[1])
    assert not torch.equal(seen[0], seen[2])


class Labelled(Generator):
    latent_shape = (2,)

    def forward(self, latent: Tensor | None, condition: Condition) -> Tensor:
        assert latent is not None
        return latent


def test_classes_are_asked_for_in_turn_and_real_rows_are_used_once() -> None:
    label = LabelSpace(["a", "b", "c"])
    data = MemoryData(PointSpace(), torch.arange(20.0).reshape(10, 2), {"label": (label, torch.arange(10) % 3)})
    metric = Keep()
    evaluate(Labelled(), data, Evaluate(count=CHUNK + 4, **SPEC), [metric], 0, CPU)
    assert [(len(real), len(fake)) for real, fake in metric.pairs] == [(10, CHUNK), (0, 4)]
    assert metric.pairs[0][1].condition["label"][:4].tolist() == [0, 1, 2, 0]
    assert len(metric.pairs[0][0].sample.unique(dim=0)) == 10


def test_what_a_generator_says_of_each_row_reaches_metrics() -> None:
    metric = Keep()
    evaluate(Echo(), pairs(40), Evaluate(count=CHUNK + 9, **SPEC), [metric], 0, CPU)
    assert len(metric.pairs) == 2
    for real, fake in metric.pairs:
        assert torch.equal(fake.extras["first"], fake.condition["image"][:, 0])
        assert torch.equal(fake.extras["whole"], fake.condition["image"])
        assert set(fake.extras) == {"first", "whole"}  # what has no row for each sample stays behind
        assert not real.extras


class Asks(Keep):
    """Asks the generator itself, at the end as much as at the beginning."""

    def reset(self) -> None:
        super().reset()
        self.seen: list[nn.Module] = []

    def examine(self, generator: nn.Module) -> None:
        self.seen.append(generator)

    def compute(self) -> dict[str, float]:
        (generator,) = self.seen
        return {"training": float(generator.training)}


def test_a_metric_may_look_at_the_generator_in_evaluation_mode() -> None:
    metric, network = Asks(), Echo()
    network.train()
    for _ in range(2):
        found = evaluate(network, pairs(40), Evaluate(count=10, **SPEC), [Keep(), metric], 0, CPU)
        assert metric.seen == [network]
        assert len(metric.pairs) == 1
        assert found.values == {"kept": 1.0, "training": 0.0}
        assert network.training


# ---- extras of a batch ----


def test_extras_follow_rows_and_joins() -> None:
    batch = Batch(torch.arange(4.0)[:, None], {}, extras={"code": torch.tensor([3, 1, 2, 0])})
    assert batch.rows(slice(1, 3)).extras["code"].tolist() == [1, 2]
    assert batch.rows(torch.tensor([3, 0])).extras["code"].tolist() == [0, 3]
    joined = Batch.concatenate([batch, batch.rows(slice(2))])
    assert joined.extras["code"].tolist() == [3, 1, 2, 0, 3, 1]
    assert batch.to(torch.device("meta")).extras["code"].device.type == "meta"
    assert Batch(torch.zeros(2, 1)).extras == {}


def test_generated_extras_come_in_the_order_of_the_samples() -> None:
    image = torch.randn(CHUNK + 5, 2)
    made = generate(Echo(), CHUNK + 5, {"image": image}, seed=0, device=CPU)
    assert torch.equal(made.extras["whole"], image)
