"""The shipped recipe has no mistakes, and trains."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

import sparring
from sparring.plugins.registry import Registry
from sparring.recipes.check import resolve

FOLDER = Path(__file__).parents[2] / "recipes" / "text"
RECIPES = sorted(FOLDER.glob("*.yaml"))


@pytest.fixture
def values() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((FOLDER / "gumbel-sentences.yaml").read_text(encoding="utf-8"))
    return found


def test_there_are_recipes() -> None:
    assert "gumbel-sentences" in {path.stem for path in RECIPES}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_recipes_have_no_mistakes(path: Path) -> None:
    recipe = resolve(yaml.safe_load(path.read_text(encoding="utf-8")), Registry())
    assert recipe.name == f"text/{path.stem}"
    assert recipe.needs == ["text"]
    for stage in recipe.stages:
        for name, schedule in stage.schedules.items():
            # Where a rate has a schedule, the optimiser's own number must be the same one, or it would mislead.
            if name.endswith(".lr"):
                assert schedule.options["start"] in {one.options["lr"] for one in stage.optimizers.values()}


def test_the_recipe_trains_two_steps_of_each_stage(tmp_path: Path, values: dict[str, Any]) -> None:
    values["data"]["vocabulary"] = 300
    for stage in values["stages"]:
        stage["steps"] = 2
    values["evaluate"] |= {"every": 2, "count": 40}
    values["checkpoint"]["every"] = 2
    values["samples"] |= {"every": 2}
    values["log"] = {"every": 1}
    result = sparring.train(values, out=tmp_path / "run")
    assert result.status == "finished"
    assert result.step == 2 * len(values["stages"])
    assert values["checkpoint"]["keep"]["best"] in result.metrics
    # The run's folder alone is enough to write sentences.
    batch = sparring.load(tmp_path / "run").generate(5, seed=1)
    shown = sparring.load(tmp_path / "run").space.preview(batch.sample)
    assert len(shown.splitlines()) == 5
    config = json.loads((tmp_path / "run" / "final" / "config.json").read_text(encoding="utf-8"))
    assert config["spaces"]["sample"]["use"] == "text/tokens"
    previews = sorted((tmp_path / "run" / "samples").rglob("*.txt"))
    assert len(previews) >= 3
    assert previews[-1].read_text(encoding="utf-8").startswith(" 1  ")
