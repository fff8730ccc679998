"""Networks inside networks: an option that asks for a generator or a discriminator takes a component."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import torch
from torch import nn

import sparring
from sparring import Discriminator, Generator
from sparring.cli.schema import recipe_schema
from sparring.errors import RecipeError
from sparring.plugins.options import component_kind
from sparring.plugins.registry import Registry
from sparring.recipes.check import resolve
from sparring.training.checkpoint import read_weights
from tests.core.training.running import tiny

CODED = {
    "use": "coded",
    "generator": {"use": "mlp", "latent_dim": 7, "width": 12, "depth": 1},
    "categorical": [3],
    "continuous": 1,
}
HEADS = {
    "use": "heads",
    "discriminator": {"use": "mlp", "width": 12, "depth": 2},
    "categorical": [3],
    "continuous": 1,
}


def nested(**networks: Any) -> dict[str, Any]:
    """Return a small InfoGAN."""
    return tiny(
        {"terms": [{"use": "mutual-information"}]},
        networks={"generator": {**CODED, **networks.get("generator", {})}, "discriminator": HEADS},
    )


def test_networks_are_kinds_of_options() -> None:
    assert component_kind(Generator) == "generator"
    assert component_kind(list[Discriminator] | None) == "discriminator"


def test_mistakes_are_found_at_their_place() -> None:
    values = nested()
    values["networks"]["generator"]["generator"] = {"use": "mpl", "latent_dim": 7}
    values["networks"]["discriminator"]["discriminator"] = {"use": "mlp", "widht": 12, "depth": "deep"}
    with pytest.raises(RecipeError) as raised:
        resolve(values, Registry())
    said = {problem.where: problem.what for problem in raised.value.problems}
    assert "did you mean 'mlp'" in said["networks.generator.generator.use"]
    assert "did you mean 'width'" in said["networks.discriminator.discriminator.widht"]
    assert "networks.discriminator.discriminator.depth" in said


def test_a_generator_is_no_discriminator() -> None:
    values = nested()
    values["networks"]["discriminator"]["discriminator"] = {"use": "coded", "generator": "mlp"}
    with pytest.raises(RecipeError, match="'coded' is a generator") as raised:
        resolve(values, Registry())
    assert raised.value.problems[0].where == "networks.discriminator.discriminator.use"


def test_the_schema_of_recipes_knows_nested_networks() -> None:
    registry = Registry()
    registry.load_all()
    schema = recipe_schema(registry)
    jsonschema.Draft7Validator.check_schema(schema)
    validator = jsonschema.Draft7Validator(schema)
    assert validator.is_valid(nested())
    by_name = nested()
    by_name["networks"]["generator"]["generator"] = "mlp"
    assert validator.is_valid(by_name)
    for wrong in ({"use": "mpl"}, {"use": "mlp", "widht": 3}, {"use": "heads"}):
        values = nested()
        values["networks"]["generator"]["generator"] = wrong
        assert not validator.is_valid(values), wrong


@pytest.mark.parametrize("initializer", ["orthogonal", {"use": "normal", "std": 0.5}])
def test_an_initializer_reaches_the_inner_network(tmp_path: Path, initializer: Any) -> None:
    sparring.train(nested(), out=tmp_path / "plain", overrides=["stages.0.steps=1"])
    sparring.train(
        nested(generator={"init": initializer}), out=tmp_path / "run", overrides=["stages.0.steps=1", "samples=null"]
    )
    first = tmp_path / "run" / "checkpoints" / "00000000" / "generator.safetensors"
    weights = read_weights(first)
    assert not weights["generator.hidden.0.0.bias"].any()  # initialisers set biases to 0
    plain = read_weights(tmp_path / "plain" / "checkpoints" / "00000000" / "generator.safetensors")
    assert plain["generator.hidden.0.0.bias"].any()
    if initializer == "orthogonal":
        weight = weights["generator.hidden.0.0.weight"]  # (12, 7): orthogonal columns
        torch.testing.assert_close(weight.T @ weight, torch.eye(7))


def test_a_nested_network_is_saved_loaded_and_frozen_as_one(tmp_path: Path) -> None:
    sparring.train(nested(), out=tmp_path / "first")
    frozen = {"init": {"from": str(tmp_path / "first"), "freeze": ["generator.hidden.*"]}}
    sparring.train(nested(generator=frozen), out=tmp_path / "second")
    before, after = (read_weights(tmp_path / name / "final" / "generator.safetensors") for name in ("first", "second"))
    assert torch.equal(before["generator.hidden.0.0.weight"], after["generator.hidden.0.0.weight"])
    assert not torch.equal(before["generator.last.weight"], after["generator.last.weight"])
    trained = sparring.load(tmp_path / "second")
    made = trained.generate(6)
    assert set(made.extras) == {"code.0", "code.continuous"}
    network = trained.networks["generator"]
    assert isinstance(network, nn.Module)
    assert len(network.codes) == 2
