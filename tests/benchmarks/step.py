"""The cost of a training step: ours, a bare hand-written loop's, and the commonly copied DCGAN loop's.

Steps are interleaved, a few of each loop in turn, so that a machine that slows down slows all of them; what is reported
is the median over rounds of the ratio of times. The images are scikit-learn's digits as 32x32 colour PNG files; the
networks have width 64, the batch is 64.
"""

from __future__ import annotations

import argparse
import copy
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from sklearn.datasets import load_digits

from sparring.plugins.registry import Registry
from sparring.recipes.check import resolve
from sparring.training.build import Builder
from sparring.training.loop import StagedTrainer
from sparring.training.parallel import Parallel
from sparring.training.run import Run
from tests.benchmarks.bare import BATCH, LATENT, SIZE, WIDTH, BareLoop, CopiedLoop, Mended

Step = Callable[[], None]


def main() -> None:
    """Measure, and print a table in Markdown."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks step", description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--steps", type=int, default=4, help="steps of each loop in a round")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        images = Path(folder) / "images"
        write_images(images)
        ours = OurLoop(images, Path(folder) / "run")
        contenders = {"ours": ours.step, "bare loop, same settings": ours.as_bare_loop().step}
        report("Ours against a bare loop", measure(contenders, arguments), "bare loop, same settings")

        copied: dict[str, Step] = {"copied loop": CopiedLoop(images).step}
        for field in fields(Mended):
            copied[f"copied loop, {field.name.replace('_', ' ')}"] = CopiedLoop(
                images, Mended(**{field.name: True})
            ).step
        report("The copied loop, one habit mended at a time", measure(copied, arguments), "copied loop")

        against: dict[str, Step] = {"copied loop": copied["copied loop"], "ours": ours.step}
        for name, settings in VARIANTS.items():
            against[f"ours, {name}"] = OurLoop(images, Path(folder) / name.replace(" ", "-"), **settings).step
        report("Ours against the copied loop", measure(against, arguments), "copied loop")
    print(f"\n{platform.processor() or platform.machine()}, {arguments.threads} threads, torch {torch.__version__}")


VARIANTS: dict[str, dict[str, Any]] = {
    "reusing the fake": {"reuse_fake": True},
    "channels last": {"memory_format": "channels_last"},
    "bf16": {"precision": "bf16"},
    "channels last and bf16": {"memory_format": "channels_last", "precision": "bf16"},
    "all three": {"reuse_fake": True, "memory_format": "channels_last", "precision": "bf16"},
}


class OurLoop:
    """The framework's own step, as ``sparring run`` takes it."""

    def __init__(self, images: Path, out: Path, *, reuse_fake: bool = False, **settings: str) -> None:
        self.enter(recipe(images, reuse_fake=reuse_fake, **settings), out)

    def enter(self, values: dict[str, Any], out: Path) -> None:
        """Begin a run of a recipe, and enter its first stage."""
        out.mkdir(parents=True)
        self.registry = Registry()
        self.recipe = resolve(values, self.registry)
        self.data = self.registry.build("data", self.recipe.data, "data")
        builder = Builder(
            self.recipe, self.registry, space=self.data.space, conditions=self.data.conditions, data=self.data
        )
        parallel = Parallel.start(self.recipe.device)
        self.run = Run(self.recipe, out, builder, self.data, parallel, networks={})
        self.trainer = StagedTrainer()
        self.stage = self.run.enter_stage()
        self.initial = copy.deepcopy(self.run.networks)

    def step(self) -> None:
        """Take a step, with everything that follows it."""
        self.trainer.step(self.run, self.stage)
        self.run.stage_step += 1
        self.run.after_step(self.stage)

    def as_bare_loop(self) -> BareLoop:
        """Return the hand-written loop over copies of the same networks and the same pixels."""
        return BareLoop(self.initial["generator"], self.initial["discriminator"], self.pixels())

    def pixels(self) -> torch.Tensor:
        """Return the training images as bytes ``(N, C, H, W)``."""
        everything = self.data.gather(torch.arange(len(self.data)), rng=torch.Generator())
        return ((everything.sample + 1) * 127.5).round().to(torch.uint8)


def recipe(images: Path, *, reuse_fake: bool, **settings: str) -> dict[str, Any]:
    """Return DCGAN's settings as a recipe."""
    adam = {"use": "adam", "lr": 2e-4, "betas": [0.5, 0.999]}
    network = {"use": "image/dcgan", "width": WIDTH, "start": 4}
    return {
        "schema": 1,
        "name": "benchmark",
        "device": "cpu",
        **settings,
        "data": {"use": "image/folder", "path": str(images), "height": SIZE, "width": SIZE, "labels": False},
        "networks": {
            "generator": {**network, "latent_dim": LATENT, "init": "normal"},
            "discriminator": {**network, "normalization": "batch", "init": "normal"},
        },
        "stages": [
            {
                "name": "adversarial",
                "objective": {"use": "adversarial", "loss": "non-saturating", "reuse_fake": reuse_fake},
                "steps": 10**9,
                "batch": BATCH,
                "optimizers": {"generator": adam, "discriminator": adam},
            }
        ],
        "checkpoint": {"every": 10**9},
    }


def write_images(folder: Path) -> None:
    """Write scikit-learn's digits as 32x32 colour files."""
    folder.mkdir(parents=True)
    for index, digit in enumerate(load_digits().images):
        grey = Image.fromarray((digit * 15.9).astype("uint8"))
        grey.convert("RGB").resize((SIZE, SIZE), Image.Resampling.BICUBIC).save(folder / f"{index:05d}.png")


def measure(contenders: dict[str, Step], arguments: argparse.Namespace) -> dict[str, list[float]]:
    """Return each contender's seconds a step, round by round; the first round warms up and is dropped."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for round_number in range(arguments.rounds + 1):
        for name, step in contenders.items():
            start = time.perf_counter()
            for _ in range(arguments.steps):
                step()
            if round_number:
                seconds[name].append((time.perf_counter() - start) / arguments.steps)
    return seconds


def report(title: str, seconds: dict[str, list[float]], base: str) -> None:
    """Print a table of ratios to a base, the median over rounds and the middle half of them."""
    print(f"\n### {title}\n\n| loop | ms a step (median) | ratio (median) | middle half |\n| --- | --- | --- | --- |")
    for name, times in seconds.items():
        ratios = sorted(ours / theirs for ours, theirs in zip(times, seconds[base], strict=True))
        low, high = ratios[len(ratios) // 4], ratios[-1 - len(ratios) // 4]
        milliseconds = 1000 * statistics.median(times)
        print(f"| {name} | {milliseconds:.1f} | {statistics.median(ratios):.3f} | {low:.3f} to {high:.3f} |")
