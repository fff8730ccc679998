"""The shipped recipes have no mistakes, and train."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

import sparring
from sparring.plugins.registry import Registry
from sparring.recipes.check import resolve
from tests.text.corpora import SENTENCES, write

FOLDER = Path(__file__).parents[2] / "recipes" / "text"
RECIPES = sorted(path.stem for path in FOLDER.glob("*.yaml"))
ORACLE = {"vocabulary": 50, "length": 6, "count": 200, "held_out_count": 100}
STEPS = 2

# What stands in for data that are large, or that would have to be fetched: options, or another component.
SMALL: Mapping[str, Mapping[str, Any]] = {
    "oracle-mle": ORACLE,
    "oracle-dense": ORACLE,
    "oracle-narrow": ORACLE,
    "oracle-gumbel": ORACLE,
    "oracle-reinforce": ORACLE,
    "grammar-gumbel": {"count": 400},
    "gumbel-sentences": {"vocabulary": 300},
    "wordnet-gumbel": {"vocabulary": 300},
    "own-text": {"path": "lines"},
    "bible-transformer": {"use": "text/lines", "path": "lines"},
    "brown-genres": {"use": "text/table", "path": "table", "label": "mark"},
}


def values_of(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    return found


def small(name: str, folder: Path) -> dict[str, Any]:
    """Return a recipe with small data of the same kind, and two steps a stage."""
    values = values_of(name)
    marked = [f'"{text}",{"called" if text.endswith("!") else "said"}' for text in SENTENCES]
    files = {"lines": write(folder / "lines.txt"), "table": write(folder / "table.csv", ["text,mark", *marked])}
    values["data"] |= SMALL[name]
    if values["data"].get("path") in files:
        values["data"]["path"] = str(files[values["data"]["path"]])
    for stage in values["stages"]:
        stage |= {"steps": STEPS, "batch": 8}
        objective = stage["objective"]
        if "rollouts" in objective:
            objective["rollouts"] = 2
        for schedule in stage.get("schedules", {}).values():
            schedule.pop("warmup", None)
    values["evaluate"] |= {"every": 2, "count": 30}
    values["checkpoint"]["every"] = 2
    values["samples"] |= {"every": 2, "count": 4}
    values["log"] = {"every": 1}
    return values


def test_every_recipe_has_small_data() -> None:
    assert len(RECIPES) >= 11
    assert set(SMALL) == set(RECIPES)


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_have_no_mistakes(name: str) -> None:
    recipe = resolve(values_of(name), Registry())
    assert recipe.name == f"text/{name}"
    assert recipe.needs == ["text"]
    for stage in recipe.stages:
        for path, schedule in stage.schedules.items():
            # Where a rate has a schedule, the optimiser's own number must be the same one, or it would mislead.
            if path.endswith(".lr"):
                assert schedule.options["start"] in {one.options["lr"] for one in stage.optimizers.values()}


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_train_two_steps_of_each_stage(tmp_path: Path, name: str) -> None:
    values = small(name, tmp_path)
    result = sparring.train(values, out=tmp_path / "run")
    assert result.status == "finished"
    assert result.step == STEPS * len(values["stages"])
    assert values["checkpoint"]["keep"]["best"] in result.metrics
    # The run's folder alone is enough to write sentences.
    trained = sparring.load(tmp_path / "run")
    shown = trained.space.preview(trained.generate(5, seed=1).sample)
    assert len(shown.splitlines()) == 5
    config = json.loads((tmp_path / "run" / "final" / "config.json").read_text(encoding="utf-8"))
    assert config["spaces"]["sample"]["use"] == "text/tokens"
    previews = sorted((tmp_path / "run" / "samples").rglob("*.txt"))
    assert len(previews) >= len(values["stages"]) + 1
    assert "1  " in previews[-1].read_text(encoding="utf-8")
