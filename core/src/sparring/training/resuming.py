"""Resuming, extending and branching a run: which checkpoint, and which changes of the recipe it allows."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sparring.errors import CheckpointError, Problem, RecipeError
from sparring.recipes.schema import Recipe
from sparring.training import checkpoint, journal, record

CHANGEABLE = re.compile(r"(checkpoint|samples|evaluate|log|callbacks|threads|device)(\..*)?|stages\.\d+\.steps")
"""The recipe paths that may change when a run is resumed in its own folder."""


def choose_checkpoint(folder: Path, step: int | None) -> Path | None:
    """Return the checkpoint of a step, or else the last one; None where the run was killed before its first."""
    saved = checkpoint.listed(folder)
    if not saved and step is None:
        return None
    if step is None:
        return saved[-1]
    for path in saved:
        if int(path.name) == step:
            return path
    steps = ", ".join(str(int(path.name)) for path in saved)
    raise CheckpointError(f"there is no checkpoint of step {step}", where=str(folder), remedy=f"use one of: {steps}")


def check_identity(manifest: checkpoint.Manifest, recipe: Recipe, path: Path) -> None:
    """Refuse a checkpoint of other networks, and a stage that is to end before its place."""
    if manifest.identity != record.identity(recipe):
        raise CheckpointError(
            "this checkpoint belongs to another recipe: its networks differ",
            where=str(path),
            remedy="resume with the recipe that the run was started with",
        )
    over = sum(stage.steps for stage in recipe.stages[: manifest.stage])
    if over + manifest.stage_step != manifest.step:
        places = [f"stages.{index}.steps" for index in range(manifest.stage)]
        raise RecipeError(
            [
                Problem(
                    place,
                    "the stage is over, and a later one has begun",
                    "extend the last stage; or branch from a checkpoint of this one with --from and --out",
                )
                for place in places
            ],
            recipe="the resumed run",
        )
    if manifest.stage < len(recipe.stages) and manifest.stage_step > recipe.stages[manifest.stage].steps:
        raise RecipeError(
            [
                Problem(
                    f"stages.{manifest.stage}.steps",
                    f"{manifest.stage_step} steps are done already",
                    "a run can be extended but not shortened; branch it with --from and --out",
                )
            ],
            recipe="the resumed run",
        )


def check_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """Refuse changes that would make a folder tell of one recipe and hold another's weights."""
    problems = [
        Problem(
            path, "cannot change when a run is resumed", "branch the run: `sparring resume DIR --from STEP --out NEW`"
        )
        for path in _differences(before, after)
        if not CHANGEABLE.fullmatch(path)
    ]
    if problems:
        raise RecipeError(problems, recipe="the resumed run")


def _differences(before: Any, after: Any, path: str = "") -> list[str]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        keys = dict.fromkeys([*before, *after])
        return [
            found for key in keys for found in _differences(before.get(key), after.get(key), f"{path}.{key}".strip("."))
        ]
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        pairs = enumerate(zip(before, after, strict=True))
        return [found for index, (old, new) in pairs for found in _differences(old, new, f"{path}.{index}".strip("."))]
    return [] if before == after else [path]


def branch(folder: Path, out: Path, chosen: Path, manifest: checkpoint.Manifest) -> None:
    """Copy a run's past, up to a checkpoint, into the folder of another."""
    shutil.copytree(chosen, out / checkpoint.FOLDER / chosen.name)
    (out / journal.NAME).write_bytes((folder / journal.NAME).read_bytes()[: manifest.journal])
    for drawn in sorted((folder / "samples").glob("*")):
        if drawn.is_file():
            (out / "samples").mkdir(exist_ok=True)
            shutil.copy(drawn, out / "samples" / drawn.name)
        elif drawn.name.isdigit() and int(drawn.name) <= manifest.step:
            shutil.copytree(drawn, out / "samples" / drawn.name)
