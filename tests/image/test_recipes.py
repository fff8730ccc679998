"""The shipped recipes have no mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

import sparring_image
from sparring.builtin import plugin as core
from sparring.plugins.registry import Registry
from sparring.recipes.check import resolve

FOLDER = Path(__file__).parents[2] / "recipes" / "image"
RECIPES = sorted(FOLDER.glob("*.yaml"))


@pytest.fixture
def registry() -> Registry:
    """The plugins of the checkout, whether or not they are installed."""
    registry = Registry()
    known = {record.name for record in registry.records}
    for plugin in (core, sparring_image.plugin):
        if plugin.name not in known:
            registry.add(plugin)
    return registry


def test_there_are_recipes() -> None:
    assert {"dcgan-digits", "own-images"} <= {path.stem for path in RECIPES}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_recipes_have_no_mistakes(path: Path, registry: Registry) -> None:
    values = yaml.safe_load(path.read_text())
    recipe = resolve(values, registry)
    assert recipe.name == f"image/{path.stem}"
    # Points in the plane are the core's own.
    assert recipe.needs == ([] if recipe.data.use == "points" else ["image"])
    for stage in recipe.stages:
        for name, schedule in stage.schedules.items():
            # Where a rate has a schedule, the optimiser's own number must be the same one, or it would mislead.
            if name.startswith("optimizers."):
                assert schedule.options["start"] == stage.optimizers[name.split(".")[1]].options["lr"]
