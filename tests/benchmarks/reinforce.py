"""Rewards before and after: each recipe of reinforcement with its bound, and again without it, with several seeds.

The runs that recipes start from are trained too, with the same seed. Finished runs are not trained again. A page of
samples that nobody has chosen, before and after, is written for the first seed.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from sparring.report.page import write_joint_report
from sparring.report.record import read_run
from tests.benchmarks.seeds import trained_apart

SECONDS = "seconds.json"  # a finished run's processor time


@dataclass(frozen=True)
class Run:
    """A recipe with changes.

    Attributes:
        recipe: Its name.
        changes: To the recipe.
        source: The run that it starts from, one of ``SOURCES``.
        roles: The networks that do.
    """

    recipe: str
    changes: Sequence[str] = ()
    source: str = ""
    roles: Sequence[str] = ("generator",)


SOURCES = {
    "dcgan-digits": Run("image/dcgan-digits"),
    "gan-digits": Run("image/gan-digits"),
    "grammar-mle": Run("reinforce/length-kl", ["stages.1.steps=1"]),
    # Stopped early: the whole run is understood already, and leaves nothing to gain.
    "numbers-early": Run("audio/conditional-numbers", ["stages.0.steps=400", "evaluate.every=400"]),
}
BOTH = ("generator", "discriminator")
RUNS = {
    "length-kl": Run("reinforce/length-kl"),
    "length-kl, unbound": Run("reinforce/length-kl", ["stages.1.terms.0.weight=0"]),
    "digits-reward-gradient": Run("reinforce/digits-reward-gradient", [], "dcgan-digits", BOTH),
    "digits-reward-gradient, unbound": Run(
        "reinforce/digits-reward-gradient",
        ["stages.0.objective.anchor=0", "stages.0.objective.reward.weights.real=0"],
        "dcgan-digits",
        BOTH,
    ),
    "digits-latent-policy": Run("reinforce/digits-latent-policy", [], "dcgan-digits"),
    "digits-latent-policy, unbound": Run(
        "reinforce/digits-latent-policy", ["stages.0.terms.0.weight=0"], "dcgan-digits"
    ),
    "digits-wanted-class": Run("reinforce/digits-wanted-class", [], "gan-digits"),
    "digits-wanted-class, unbound": Run("reinforce/digits-wanted-class", ["stages.0.terms.0.weight=0"], "gan-digits"),
    "digits-wanted-class, by gradient": Run(
        "reinforce/digits-wanted-class", ["stages.0.objective.use=reward-gradient"], "gan-digits"
    ),
    "numbers-recognised": Run("reinforce/numbers-recognised", [], "numbers-early"),
    "seqgan-from-mle": Run("reinforce/seqgan-from-mle", [], "grammar-mle"),
    "chain": Run("reinforce/chain"),
}


def main() -> None:
    """Train what is missing, and print each run's metrics when its last stage began, and at its end."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks reinforce", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the folder of the runs")
    parser.add_argument("--only", nargs="+", default=list(RUNS), choices=list(RUNS), help="some of them")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("overrides", nargs="*", help="changes to every recipe of reinforcement")
    arguments = parser.parse_args()
    folders: dict[str, list[Path]] = {name: [] for name in arguments.only}
    for seed in arguments.seeds:
        for name in arguments.only:
            folders[name].append(trained(name, RUNS[name], seed, arguments.out, arguments.overrides))
    print("| run | figure | before | after |\n| --- | --- | --- | --- |")
    for name, those in folders.items():
        report(name, those)
    print(f"\nsamples: {write_joint_report([those[0] for those in folders.values()], arguments.out)}")


def trained(name: str, run: Run, seed: int, out: Path, overrides: Sequence[str]) -> Path:
    """Train a run and what it starts from, unless they are finished, and return its folder."""
    folder = out / f"{name.replace(', ', '-').replace(' ', '-')}-{seed}"
    changes = [*run.changes, *overrides, f"seed={seed}"]
    if run.source:
        source = trained(run.source, SOURCES[run.source], seed, out, ())
        changes += [f"networks.{role}.init.from={source}" for role in run.roles]
    if not (folder / SECONDS).is_file():
        shutil.rmtree(folder, ignore_errors=True)
        seconds = trained_apart(run.recipe, changes, folder)
        (folder / SECONDS).write_text(json.dumps(seconds), encoding="utf-8")
    return folder


def report(name: str, folders: Sequence[Path]) -> None:
    """Print metrics before the last stage and after it, the divergence that the runs ended with, and their time."""
    befores, afters, logged = [], [], []
    for folder in folders:
        run = read_run(folder)
        begun = sum(stage["steps"] for stage in run.recipe["stages"][:-1])
        evaluated = run.of_kind("evaluate")
        befores.append(next(line for line in evaluated if line["step"] >= begun)["values"])
        afters.append(evaluated[-1]["values"])
        logged.append(run.of_kind("log")[-1]["values"])
    for metric in afters[0]:
        row(name, metric, [values[metric] for values in befores], [values[metric] for values in afters])
    for term in logged[0]:
        if term.startswith("generator/") and term.rpartition("/")[2] in ("kl", "latent-kl", "anchor"):
            row(name, f"{term}, weighed", [], [values[term] for values in logged])
    row(name, "seconds of processor time", [], [json.loads((folder / SECONDS).read_text()) for folder in folders])


def row(name: str, figure: str, before: Sequence[float], after: Sequence[float]) -> None:
    """Print one row of the table."""
    print(f"| {name} | {figure} | {told(before)} | {told(after)} |")


def told(values: Sequence[float]) -> str:
    """Return a mean, and the smallest and the largest value where there are several."""
    if len(values) < 2:
        return "".join(f"{value:.4g}" for value in values)
    return f"{mean(values):.4g} ({min(values):.4g} to {max(values):.4g})"
