"""Recipes trained with several seeds, and what is said of their scores; nothing to run by itself.

A seed's folder holds, beside the run, ``scored.json`` once it is finished, and is then not trained again. One that is
there but not finished is trained anew, so that its time is that of one unbroken run.
"""

from __future__ import annotations

import json
import math
import resource
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import sparring
from sparring.report.record import read_run
from sparring.training import checkpoint
from sparring.training.generate import generator_role

SCORED = "scored.json"
T_95 = {2: 12.71, 3: 4.30, 4: 3.18, 5: 2.78}  # Student's t by the number of values: 95 %, two-sided


@dataclass(frozen=True)
class Scored:
    """One seed's figures.

    Attributes:
        seconds: Processor time of the whole run, evaluations and start included: on one thread, what the run takes
            where nothing else is running.
        steps: Training steps.
        averaged: The metrics' values with the averaged weights, which `final/` holds.
        live: The same with the weights that were trained.
    """

    seconds: float
    steps: int
    averaged: dict[str, float]
    live: dict[str, float]


def scored(recipe: str, seed: int, out: Path, overrides: Sequence[str] = (), label: str = "") -> Scored:
    """Train a recipe with a seed where that is not yet done, and return its figures.

    Args:
        recipe: Its name.
        seed: Of the run, and of the samples that are scored.
        out: The folder of all runs.
        overrides: Changes to the recipe.
        label: Names the run's folder in place of the recipe's name.
    """
    folder = out / f"{label or recipe.rpartition('/')[2]}-{seed}"
    if not (folder / SCORED).is_file():
        shutil.rmtree(folder, ignore_errors=True)
        seconds = trained_apart(recipe, [f"seed={seed}", *overrides], folder)
        run = read_run(folder)
        averaged = run.of_kind("evaluate")[-1]["values"]
        steps = sum(stage["steps"] for stage in run.recipe["stages"])
        found = Scored(seconds, steps, averaged, live(folder))
        (folder / SCORED).write_text(json.dumps(asdict(found), indent=1), encoding="utf-8")
    return Scored(**json.loads((folder / SCORED).read_text(encoding="utf-8")))


def live(folder: Path) -> dict[str, float]:
    """Score the weights that a run's average followed, by the recipe's own metrics and the noise that the run used."""
    loaded = sparring.load(folder)
    role = generator_role(loaded.networks)
    # There is no public way to ask for these weights: `load` takes the averaged ones, a checkpoint keeps both.
    checkpoint.load_weights(loaded.networks[role], checkpoint.listed(folder)[-1] / f"{role}.safetensors", role=role)
    return loaded.evaluate()


def trained_apart(recipe: str, overrides: Sequence[str], folder: Path) -> float:
    """Train in a process of its own, and return its processor time in seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "sparring", "run", recipe, *overrides, "--out", str(folder)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def trained(values: dict[str, Any], folder: Path) -> float:
    """Train a recipe anew in this process, without its evaluations, and return the processor time in seconds."""
    shutil.rmtree(folder, ignore_errors=True)
    before = resource.getrusage(resource.RUSAGE_SELF)
    sparring.train({key: value for key, value in values.items() if key != "evaluate"}, out=folder)
    after = resource.getrusage(resource.RUSAGE_SELF)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def interval(values: Sequence[float]) -> str:
    """Return a mean, and half of its 95 % interval."""
    if len(values) < 2:
        return f"{mean(values):.3f}"
    return f"{mean(values):.3f} ± {T_95.get(len(values), 1.96) * stdev(values) / math.sqrt(len(values)):.3f}"
