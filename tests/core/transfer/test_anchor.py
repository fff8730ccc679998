"""The anchor: its distances in closed form, and that a resumed run still knows where it began."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sparring import Batch, Condition, Context, Discriminator, Generator
from sparring.api import resume, train
from sparring.errors import TrainingError
from sparring.terms.anchor import Anchor
from tests.core.training.running import CrashAt, assert_same_run, tensors, tiny


class Scale(Generator):
    """The latent times a number, plus another."""

    latent_shape = (3,)

    def __init__(self) -> None:
        super().__init__()
        self.factor, self.offset = nn.Parameter(torch.ones(3)), nn.Parameter(torch.zeros(1))

    def forward(self, latent: Tensor | None, condition: Condition) -> Tensor:
        assert latent is not None
        return latent * self.factor + self.offset


class Sum(Discriminator):
    """The sum of a sample, times a number."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.ones(()))

    def forward(self, sample: Tensor, condition: Condition, lengths: Tensor | None = None) -> Tensor:
        return self.factor * sample.sum(1)


def context(networks: dict[str, nn.Module]) -> Context:
    return Context(networks, Batch(torch.arange(12.0).view(4, 3)), rng=torch.Generator().manual_seed(0))


def value(term: Anchor, networks: dict[str, nn.Module]) -> Tensor:
    seen = context(networks)
    term.prepare(seen)
    return term(seen)


def test_of_weights_it_is_half_the_squared_distance() -> None:
    networks: dict[str, nn.Module] = {"generator": Scale()}
    terms = [Anchor(), Anchor(layers=["factor"])]
    assert [float(value(term, networks).detach()) for term in terms] == [0, 0]
    with torch.no_grad():
        networks["generator"].factor.add_(torch.tensor([1.0, 2.0, 0.0]))  # type: ignore[operator, union-attr]
        networks["generator"].offset.sub_(3.0)  # type: ignore[operator, union-attr]
    found = [value(term, networks) for term in terms]
    assert [float(one.detach()) for one in found] == [7.0, 2.5]
    found[0].backward()
    assert networks["generator"].offset.grad.tolist() == [-3.0]  # type: ignore[operator, union-attr]


def test_of_outputs_it_is_the_mean_squared_distance() -> None:
    networks: dict[str, nn.Module] = {"generator": Scale(), "discriminator": Sum()}
    made, judged = Anchor(hold="outputs"), Anchor("discriminator", hold="outputs")
    assert float(value(made, networks).detach()) == float(value(judged, networks).detach()) == 0
    with torch.no_grad():
        networks["generator"].offset.add_(2.0)  # type: ignore[operator, union-attr]
        networks["discriminator"].factor.add_(0.5)  # type: ignore[operator, union-attr]
    assert float(value(made, networks).detach()) == pytest.approx(4.0)
    sums = torch.tensor([3.0, 12.0, 21.0, 30.0])
    assert float(value(judged, networks).detach()) == pytest.approx(float((0.5 * sums).square().mean()))


def test_its_state_is_where_the_network_began() -> None:
    networks: dict[str, nn.Module] = {"generator": Scale()}
    term = Anchor()
    value(term, networks)
    with torch.no_grad():
        networks["generator"].offset.add_(2.0)  # type: ignore[operator, union-attr]
    again = Anchor()
    again.load_state_dict(term.state_dict())
    assert again.state_dict()["first"].keys() == term.state_dict()["first"].keys()
    assert float(value(again, networks).detach()) == float(value(term, networks).detach()) == 2.0


def test_patterns_that_name_nothing() -> None:
    with pytest.raises(TrainingError, match="names no parameter of 'generator' that learns"):
        value(Anchor(layers=["body"]), {"generator": Scale()})


def anchored(weight: float, **options: Any) -> dict[str, Any]:
    return tiny({"terms": [{"use": "anchor", "weight": weight, **options}]})


def test_a_heavier_anchor_holds_nearer(tmp_path: Path) -> None:
    first = {}
    for weight in (0.0, 100.0):
        folder = tmp_path / f"{weight:g}"
        train(anchored(weight), out=folder)
        first[weight] = tensors(folder, "generator")
    from safetensors.torch import load_file

    began = load_file(tmp_path / "0" / "checkpoints" / "00000004" / "generator.safetensors")
    start = load_file(tmp_path / "100" / "checkpoints" / "00000004" / "generator.safetensors")

    def moved(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
        return sum(float((one[name] - other[name]).square().sum()) for name in one)

    assert moved(first[100.0], start) < 0.2 * moved(first[0.0], began)


@pytest.mark.parametrize("hold", ["weights", "outputs"])
def test_a_resumed_run_is_the_unbroken_one(hold: str, tmp_path: Path) -> None:
    recipe = anchored(1.0, hold=hold)
    train(recipe, out=tmp_path / "unbroken")
    with pytest.raises(Exception, match=r"^$"):
        train(recipe, out=tmp_path / "broken", listeners=[CrashAt(7)])
    resume(tmp_path / "broken")
    assert_same_run(tmp_path / "unbroken", tmp_path / "broken")
