"""Digits 5 to 9 from 100 images: from scratch, and from a GAN of the digits 0 to 4 in three ways, on five seeds.

The protocol, fixed before seeds 1 to 5 were run; docs/explanation/results-transfer.md repeats it with what came out.

- One source serves all: `transfer/digits-source`, the digits 0 to 4, seed 0. A seed decides the rest: the 100 images of
  the digits 5 to 9 that an arm sees (20 each), first weights, batches and noise. The arms of a seed share its images.
- The arms differ in nothing but: *scratch* has fresh weights; *fine-tuned* has both networks' weights from the source;
  *FreezeD* also freezes the critic's first block; *FreezeD + augmentation* is `transfer/digits-few-shot` as it is.
- All have the recipe's 400 steps of 32 images and its learning rate of 0.004, falling to a tenth. On seed 0, with 1,000
  steps and a source of 2,000, 0.001 was worse for scratch and for FreezeD. Seed 0 is not among the five.
- Scored are the averaged weights at the end: 500 samples against the 500 held-out images of the digits 5 to 9, through
  one classifier that has learnt all ten digits. The Fréchet distance decides; kernel distance and coverage are shown.
- The claim: the 95 % intervals of *FreezeD + augmentation* and of *scratch* do not overlap. It is reported either way.
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
from sparring.interfaces.data import Data
from sparring.interfaces.metric import Metric
from sparring.metrics.coverage import Coverage
from sparring.metrics.frechet import Frechet
from sparring.metrics.kernel_distance import KernelDistance
from sparring.plugins.registry import Registry
from sparring.recipes import source
from sparring.recipes.check import resolve
from sparring.training import evaluation
from sparring_image.encoders import ClassifierEncoder
from sparring_image.mnist import Mnist5000

SOURCE, RECIPE = "transfer/digits-source", "transfer/digits-few-shot"
ARMS: Mapping[str, tuple[bool, bool, bool]] = {  # whether it starts from the source, freezes, and augments
    "scratch": (False, False, False),
    "fine-tuned": (True, False, False),
    "FreezeD": (True, True, False),
    "FreezeD + augmentation": (True, True, True),
}
VALUES = {
    "frechet": "Fréchet distance",
    "kernel_distance": "kernel distance",
    "coverage": "coverage",
}
SCORED = "scored.json"
CLASSIFIER_STEPS = 400
T_95 = {2: 12.71, 3: 4.30, 4: 3.18, 5: 2.78}  # Student's t by the number of values: 95 %, two-sided


def main() -> None:
    """Train and score what is missing, and print a table in Markdown."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks few_shot", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the folder of the runs")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5], help="which")
    parser.add_argument("--arms", nargs="+", default=list(ARMS), choices=list(ARMS), help="which")
    arguments = parser.parse_args()
    judge = Judge()
    scores: dict[str, list[dict[str, float]]] = {arm: [] for arm in arguments.arms}
    for seed in arguments.seeds:
        for arm in arguments.arms:
            scores[arm].append(few_shot(judge, arm, seed, arguments.out))
    report(scores)


class Judge:
    """The metrics of all runs, which look through one classifier; it learns once."""

    def __init__(self) -> None:
        recipe = resolve(source.read(source.find(RECIPE)), Registry())
        assert recipe.evaluate is not None
        self.data: Data = Registry().build("data", recipe.data, "data")
        self.spec = recipe.evaluate
        encoder = ClassifierEncoder(Mnist5000(), steps=CLASSIFIER_STEPS)
        print(f"the classifier finds {encoder.accuracy:.1%} of the held-out digits", flush=True)
        self.metrics: list[Metric] = [Frechet(encoder), KernelDistance(encoder), Coverage(encoder)]

    def score(self, folder: Path, seed: int) -> dict[str, float]:
        """Score a run's final weights against the 500 held-out images."""
        network, device = sparring.load(folder).networks["generator"], torch.device("cpu")
        return evaluation.evaluate(network, self.data.split("test"), self.spec, self.metrics, seed, device).values


def few_shot(judge: Judge, arm: str, seed: int, out: Path) -> dict[str, float]:
    """Train one arm with a seed where that is not yet done, and return its scores."""
    name = arm.lower().replace(" ", "")
    folder = out / f"{name}-{seed}"
    if not (folder / SCORED).is_file():
        values = copy.deepcopy(source.read(source.find(RECIPE)))
        start, freeze, augment = ARMS[arm]
        for role, network in values["networks"].items():
            network["init"] = {
                "from": str(source_run(out)),
                "freeze": ["blocks.0.*"] * (freeze and role != "generator"),
            }
            if not start:
                del network["init"]
        if not augment:
            del values["stages"][0]["objective"]["augmentation"]
        values["data"]["seed"] = values["seed"] = seed
        seconds = trained(values, folder)
        found = {**judge.score(folder, seed), "seconds": seconds}
        (folder / SCORED).write_text(json.dumps(found, indent=1), encoding="utf-8")
    scores: dict[str, float] = json.loads((folder / SCORED).read_text(encoding="utf-8"))
    print(f"{arm}, seed {seed}: " + ", ".join(f"{name} {value:.3f}" for name, value in scores.items()), flush=True)
    return scores


def source_run(out: Path) -> Path:
    """Return the folder of the source, trained on the digits 0 to 4."""
    folder = out / "source"
    if not (folder / "final").is_dir():
        values = source.read(source.find(SOURCE))
        print(f"source: {trained(values, folder):.0f} s", flush=True)
    return folder


def trained(values: dict[str, Any], folder: Path) -> float:
    """Train a recipe without its evaluations, and return the processor time in seconds."""
    shutil.rmtree(folder, ignore_errors=True)
    before = resource.getrusage(resource.RUSAGE_SELF)
    sparring.train({key: value for key, value in values.items() if key != "evaluate"}, out=folder)
    after = resource.getrusage(resource.RUSAGE_SELF)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def report(scores: Mapping[str, list[dict[str, float]]], values: Mapping[str, str] = VALUES) -> None:
    """Print each arm's scores under their headings, with 95 % intervals where there are several seeds."""
    print(f"\n| arm | {' | '.join(values.values())} | seconds |\n| --- |{' --- |' * (len(values) + 1)}")
    for arm, rows in scores.items():
        cells = [interval([row[name] for row in rows]) for name in values]
        print(f"| {arm} | {' | '.join(cells)} | {mean(row['seconds'] for row in rows):.0f} |")


def interval(values: list[float]) -> str:
    """Return a mean, and half of its 95 % interval."""
    if len(values) < 2:
        return f"{mean(values):.3f}"
    return f"{mean(values):.3f} ± {T_95.get(len(values), 1.96) * stdev(values) / math.sqrt(len(values)):.3f}"
