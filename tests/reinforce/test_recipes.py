"""The shipped recipes of reinforcement have no mistakes, and train."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import sparring
from sparring.plugins.registry import Registry
from sparring.recipes.check import resolve
from tests.reinforce.small import RECIPES, values_of
from tests.text.corpora import write
from tests.text.pretrained_models import source

STEPS = 2

WORDS: Mapping[str, Any] = {
    "use": "audio/spoken-numbers",
    "variants": 10,
    "labels": False,
    "space": {"use": "audio/waveform", "sample_rate": 8000, "length": 4000},
}

# Beside the data, the recipe that a run it starts from was made by: fetched as that run would have been.
SMALL: Mapping[str, Mapping[str, Any]] = {
    "chain": {"count": 400},
    "digits-latent-policy": {},
    "digits-reward-gradient": {},
    "digits-wanted-class": {},
    "enhance-pesq": {"of": WORDS},
    "grpo-causal-lm": {},
    "length-kl": {"count": 400},
    "numbers-recognised": {"variants": 10},
    "seqgan-from-mle": {"count": 400},
}


def small(values: dict[str, Any], name: str, folder: Path) -> dict[str, Any]:
    """Shorten a recipe to two steps a stage."""
    values["data"] |= SMALL[name]
    if name == "grpo-causal-lm":
        _small_language(values, folder)
    for stage in values["stages"]:
        stage |= {"steps": STEPS, "batch": 8}
        stage["objective"] |= {"rollouts": 2} if "rollouts" in stage["objective"] else {}
        stage["objective"] |= {"group": 4} if "group" in stage["objective"] else {}
    for metric in values["evaluate"]["metrics"]:
        _hasten(metric)
    for stage in values["stages"]:
        _hasten(stage["objective"])
    values["evaluate"] |= {"every": 100, "count": 40}
    values["checkpoint"]["every"] = 2
    values["samples"] |= {"every": 100, "count": 10}
    return values


def _small_language(values: dict[str, Any], folder: Path) -> None:
    """Put models of random weights in the place of pretrained ones, which nobody has fetched here."""
    values["data"] = {"use": "text/lines", "path": str(write(folder / "lines.txt")), "tokens": source("llama")}
    values["networks"]["generator"]["pretrained"] = source("llama")
    values["networks"]["discriminator"]["pretrained"] = source("bert")
    values["evaluate"]["metrics"] = [metric for metric in values["evaluate"]["metrics"] if "encoder" not in metric]


def _hasten(options: Any) -> None:
    """Have classifiers learn for a moment only."""
    if isinstance(options, dict):
        for name, value in options.items():
            if name == "encoder":
                options[name] = {**({"use": value} if isinstance(value, str) else value), "steps": 10}
            _hasten(options[name])


def source_of(values: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a recipe of a run with the same networks but for the policy: what the recipe asks to be made first."""
    networks = {}
    for role, spec in values["networks"].items():
        inner = spec["generator"] if spec["use"] == "steered" else spec
        networks[role] = {key: value for key, value in inner.items() if key != "init"}
    objective = {"use": "likelihood"} if name == "seqgan-from-mle" else {"use": "regression"}
    stage = {"name": "first", "objective": objective, "optimizers": {"generator": {"use": "sgd", "lr": 0.01}}}
    return {**values, "networks": networks, "stages": [{**stage, "steps": 1, "batch": 8}], "evaluate": None}


def test_every_recipe_has_small_data() -> None:
    assert set(SMALL) == set(RECIPES)


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_have_no_mistakes(name: str) -> None:
    recipe = resolve(values_of(name), Registry())
    assert recipe.name == f"reinforce/{name}"


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_train_two_steps_of_each_stage(tmp_path: Path, name: str) -> None:
    values = small(values_of(name), name, tmp_path)
    started = [spec for spec in values["networks"].values() if "init" in spec]
    if started:
        sparring.train(source_of(values, name), out=tmp_path / "source")
    for spec in started:
        spec["init"]["from"] = str(tmp_path / "source")
    result = sparring.train(values, out=tmp_path / "run")
    assert result.status == "finished"
    assert result.step == STEPS * len(values["stages"])
    trained = sparring.load(tmp_path / "run")
    assert len(trained.generate(5, seed=1).sample) == 5
