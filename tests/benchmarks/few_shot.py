"""Digits 5 to 9 from 100 images: from scratch, and from a GAN of the digits 0 to 4 in three ways, on five seeds.

PROTOCOL
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import resource
import shutil
from collections.abc import Mapping
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch

import sparring
from sparring.interfaces.metric import Metric
from sparring.plugins.registry import Registry
from sparring.recipes import source
from sparring.recipes.check import resolve
from sparring.recipes.schema import Recipe
from sparring.training import evaluation
from sparring.training.build import Builder

SOURCE, RECIPE = "transfer/digits-source", "transfer/digits-few-shot"
ARMS: Mapping[str, tuple[bool, bool, bool]] = {  # whether it starts from the source, freezes, and augments
    "scratch": (False, False, False),
    "scratch + augmentation": (False, False, True),
    "fine-tuned": (True, False, False),
    "FreezeD": (True, True, False),
    "FreezeD + augmentation": (True, True, True),
}
VALUES = {
    "frechet": "Fréchet distance",
    "kernel_distance": "kernel distance",
    "coverage": "coverage",
    "density": "density",
}
SCORED = "scored.json"
T_95 = {2: 12.71, 3: 4.30, 4: 3.18, 5: 2.78}  # Student's t by the number of values: 95 %, two-sided


def main() -> None:
    """Train and score what is missing, and print a table in Markdown."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks few_shot", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the folder of the runs")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5], help="which")
    parser.add_argument("--arms", nargs="+", default=list(ARMS), choices=list(ARMS), help="which")
    parser.add_argument("--rates", type=float, nargs="+", default=[RATE], help="learning rates to try")
    arguments = parser.parse_args()
    judge = Judge()
    for rate in arguments.rates:
        scores = {
            arm: [few_shot(judge, arm, seed, rate, arguments.out) for seed in arguments.seeds] for arm in arguments.arms
        }
        print(f"\nlr {rate:g}")
        report(scores)


RATE = 2.0e-3


class Judge:
    """The metrics of all runs, which look through one classifier; it learns once."""

    def __init__(self) -> None:
        values = source.read(source.find(RECIPE))
        labelled = {"use": "image/classifier", "labelled": {"use": "image/mnist-5000"}}
        uses = ({"use": "frechet"}, {"use": "kernel-distance"}, {"use": "coverage"})
        # One encoder is built for each metric, and the second and third take over what the first has learnt.
        values["evaluate"]["metrics"] = [{**use, "encoder": labelled} for use in uses]
        self.recipe: Recipe = resolve(values, Registry())
        self.data: Any = Registry().build("data", self.recipe.data, "data")
        built = Builder(
            self.recipe, Registry(), space=self.data.space, conditions=self.data.conditions, data=self.data
        ).metrics()
        self.metrics: list[Metric] = built

    def score(self, folder: Path, seed: int) -> dict[str, float]:
        """Score a run's final weights against the 500 held-out images."""
        spec, network = self.recipe.evaluate, sparring.load(folder).networks["generator"]
        assert spec is not None
        device = torch.device("cpu")
        return evaluation.evaluate(network, self.data.split("test"), spec, self.metrics, seed, device).values


def few_shot(judge: Judge, arm: str, seed: int, rate: float, out: Path) -> dict[str, float]:
    """Train one arm with a seed where that is not yet done, and return its scores."""
    name = arm.lower().replace(" ", "")
    folder = out / f"{name}-{rate:g}-{seed}"
    if not (folder / SCORED).is_file():
        values = copy.deepcopy(source.read(source.find(RECIPE)))
        start, freeze, augment = ARMS[arm]
        for role, network in values["networks"].items():
            network["init"] = {
                "from": str(source_run(seed, out)),
                "freeze": ["blocks.0.*"] * (freeze and role != "generator"),
            }
            if not start:
                del network["init"]
        if not augment:
            del values["stages"][0]["objective"]["augmentation"]
        for role, optimizer in values["stages"][0]["optimizers"].items():
            optimizer["lr"] = rate
            values["stages"][0]["schedules"][f"optimizers.{role}.lr"] |= {"start": rate, "end": rate / 10}
        values["data"]["seed"] = values["seed"] = seed
        seconds = trained(values, folder)
        found = {**judge.score(folder, seed), "seconds": seconds}
        (folder / SCORED).write_text(json.dumps(found, indent=1), encoding="utf-8")
    scores: dict[str, float] = json.loads((folder / SCORED).read_text(encoding="utf-8"))
    print(f"{arm}, seed {seed}: " + ", ".join(f"{name} {value:.3f}" for name, value in scores.items()), flush=True)
    return scores


def source_run(seed: int, out: Path) -> Path:
    """Return the folder of a seed's source, trained on the digits 0 to 4."""
    folder = out / f"source-{seed}"
    if not (folder / "final").is_dir():
        values = source.read(source.find(SOURCE))
        seconds = trained({**values, "seed": seed}, folder)
        print(f"source, seed {seed}: {seconds:.0f} s", flush=True)
    return folder


def trained(values: dict[str, Any], folder: Path) -> float:
    """Train a recipe without its evaluations, and return the processor time in seconds."""
    shutil.rmtree(folder, ignore_errors=True)
    before = resource.getrusage(resource.RUSAGE_SELF)
    sparring.train({key: value for key, value in values.items() if key != "evaluate"}, out=folder)
    after = resource.getrusage(resource.RUSAGE_SELF)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def report(scores: Mapping[str, list[dict[str, float]]]) -> None:
    """Print each arm's scores, with 95 % intervals where there are several seeds."""
    print(f"\n| arm | {' | '.join(VALUES.values())} | seconds |\n| --- |{' --- |' * (len(VALUES) + 1)}")
    for arm, rows in scores.items():
        cells = [interval([row[name] for row in rows]) for name in VALUES]
        print(f"| {arm} | {' | '.join(cells)} | {mean(row['seconds'] for row in rows):.0f} |")


def interval(values: list[float]) -> str:
    """Return a mean, and half of its 95 % interval."""
    if len(values) < 2:
        return f"{mean(values):.3f}"
    return f"{mean(values):.3f} ± {T_95.get(len(values), 1.96) * stdev(values) / math.sqrt(len(values)):.3f}"
