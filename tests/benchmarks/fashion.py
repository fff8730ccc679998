"""Fashion-MNIST: our recipe for a processor beside the plain DCGAN, after the same number of real images.

Both have the same layers and sizes and see 300,000 images. Each is scored after every 50,000 of them by the Fréchet
distance to the 10,000 test images, through a classifier of the data's own. Runs that are there already are not trained
again, and broken ones go on from their last checkpoint. Other recipes may be named, and join the second table.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from sparring.interfaces.data import Batch, Data
from sparring.metrics.frechet import Frechet
from sparring.report.record import read_run

PLAIN, FAST = "image/dcgan-fashion", "image/fast-fashion"
CLAIM_FROM = 140_000  # images seen: from the evaluation near 150,000 on, half of the plain recipe's distance is claimed
COUNT, CHUNK = 10_000, 250
COMPUTED = "seconds.json"


def main() -> None:
    """Train what is missing, and print two tables in Markdown."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks fashion", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the folder of the runs")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="of our recipe; the plain one has the first")
    parser.add_argument("--also", nargs="*", default=[], metavar="RECIPE", help="further recipes, such as wgan-fashion")
    arguments = parser.parse_args()
    first, *others = arguments.seeds
    plain = trained(PLAIN, first, arguments.out)
    fast = [trained(FAST, seed, arguments.out) for seed in (first, *others)]
    compare(plain, fast)
    overview([plain, *fast, *(trained(f"image/{name}", first, arguments.out) for name in arguments.also)])
    print(f"\nReal against real ({COUNT:,} training images, {COUNT:,} test images): {real_against_real():.2f}")


def trained(recipe: str, seed: int, out: Path) -> Path:
    """Train a recipe, or go on with its run, and return its folder."""
    folder = out / f"{recipe.rpartition('/')[2]}-{seed}"
    command = [sys.executable, "-m", "sparring"]
    if not (folder / "recipe.yaml").is_file():
        command += ["run", recipe, f"seed={seed}", "--out", str(folder)]
    elif not read_run(folder).finished:
        command += ["resume", str(folder)]
    else:
        return folder
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime + computed(folder)
    (folder / COMPUTED).write_text(json.dumps(seconds), encoding="utf-8")
    return folder


def computed(folder: Path) -> float:
    """Return a run's processor time in seconds, of all its parts that ended: on one thread, the time when idle."""
    file = folder / COMPUTED
    return float(json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else 0.0


def course(folder: Path) -> dict[int, dict[str, float]]:
    """Return a run's scores by the number of real images seen."""
    run = read_run(folder)
    return {line["step"] * images_a_step(run.recipe): line["values"] for line in run.of_kind("evaluate")}


def images_a_step(recipe: Mapping[str, Any]) -> int:
    """Return the real images that a step reads: each update of the critic has its own batch."""
    stage = recipe["stages"][0]
    objective = stage["objective"]
    # Where the generator's update does not go on with the critic's, a loss that compares pairs reads one more batch.
    further = not objective.get("reuse_fake", False) and objective["loss"] in ("relativistic", {"use": "relativistic"})
    return int(stage["batch"]) * (int(objective.get("discriminator_steps", 1)) + further)


def compare(plain: Path, fast: list[Path]) -> None:
    """Print the distances of both recipes at each budget, and whether what we claim holds."""
    base, ours = course(plain), [course(folder) for folder in fast]
    titles = [folder.name for folder in (plain, *fast)]
    print(f"\n| real images seen | {' | '.join(titles)} | largest ratio |\n| --- |{' --- |' * (len(titles) + 1)}")
    held = True
    for seen in [seen for seen in base if seen and all(seen in one for one in ours)]:
        distances = [one[seen]["frechet"] for one in ours]
        ratio = max(distances) / base[seen]["frechet"]
        held = held and (seen < CLAIM_FROM or ratio <= 0.5)
        row = " | ".join(f"{value:.1f}" for value in (base[seen]["frechet"], *distances))
        print(f"| {seen:,} | {row} | {ratio:.2f} |")
    print(f"\nAt most half of the plain recipe's distance from 150,000 images on: {held}")
    for folder, scores in zip(fast, ours, strict=True):
        values = [score["frechet"] for score in scores.values()]
        print(f"{folder.name}: last {values[-1]:.2f}, best {min(values):.2f}, ratio {values[-1] / min(values):.3f}")


def overview(folders: list[Path]) -> None:
    """Print what each run saw, took and reached."""
    print("\n| run | real images seen | processor minutes | Fréchet distance | right class |")
    print("| --- | --- | --- | --- | --- |")
    for folder in folders:
        seen, scores = list(course(folder).items())[-1]
        right = f"{scores['right_class']:.1%}" if "right_class" in scores else ""
        print(f"| {folder.name} | {seen:,} | {computed(folder) / 60:.1f} | {scores['frechet']:.1f} | {right} |")


def real_against_real() -> float:
    """Return the distance of training images, chosen at random, to the test images."""
    from sparring_image.encoders import ClassifierEncoder
    from sparring_image.fashion import FashionMnist

    torch.set_num_threads(1)
    data = FashionMnist()
    metric = Frechet(ClassifierEncoder(data))
    rng = torch.Generator().manual_seed(0)
    chosen = torch.randperm(len(data), generator=rng)[:COUNT]
    for start in range(0, COUNT, CHUNK):
        rows = slice(start, start + CHUNK)
        metric.update(_rows(data.split("test"), torch.arange(COUNT)[rows], rng), _rows(data, chosen[rows], rng))
    return metric.compute()["frechet"]


def _rows(data: Data, indices: torch.Tensor, rng: torch.Generator) -> Batch:
    return data.gather(indices, rng=rng)
