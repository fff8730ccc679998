"""Rewards before and after: each recipe of reinforcement with its bound, and again without it.

Recipes that start from another run need that run first: see the comments at their head. Finished runs are not trained
again.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from sparring.report.record import read_run

RUNS: dict[str, tuple[str, list[str]]] = {
    "digits-reward-gradient": ("reinforce/digits-reward-gradient", []),
    "digits-reward-gradient, unbound": (
        "reinforce/digits-reward-gradient",
        ["stages.0.objective.anchor=0", "stages.0.objective.reward.weights.real=0"],
    ),
    "digits-latent-policy": ("reinforce/digits-latent-policy", []),
    "digits-latent-policy, unbound": ("reinforce/digits-latent-policy", ["stages.0.terms.0.weight=0"]),
    "numbers-recognised": ("reinforce/numbers-recognised", []),
    "length-kl": ("reinforce/length-kl", []),
    "length-kl, unbound": ("reinforce/length-kl", ["stages.1.terms.0.weight=0"]),
    "seqgan-from-mle": ("reinforce/seqgan-from-mle", []),
    "chain": ("reinforce/chain", []),
}


def main() -> None:
    """Train what is missing, and print each run's metrics when its last stage began, and at its end."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks reinforce", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the folder of the runs")
    parser.add_argument("--only", nargs="+", default=list(RUNS), choices=list(RUNS), help="some of them")
    parser.add_argument("overrides", nargs="*", help="changes to every recipe, such as seed=1")
    arguments = parser.parse_args()
    print("| run | metric | before | after |\n| --- | --- | --- | --- |")
    for name in arguments.only:
        report(name, trained(name, arguments.out, arguments.overrides))


def trained(name: str, out: Path, overrides: Sequence[str]) -> Path:
    """Train a run, unless it is finished, and return its folder."""
    recipe, changes = RUNS[name]
    folder = out / name.replace(", ", "-")
    if not (folder / "final").is_dir():
        command = [sys.executable, "-m", "sparring", "run", recipe, *changes, *overrides, "--out", str(folder)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return folder


def report(name: str, folder: Path) -> None:
    """Print a run's metrics before its last stage and after it, and the divergence that it ended with."""
    run = read_run(folder)
    begun = sum(stage["steps"] for stage in run.recipe["stages"][:-1])
    evaluated = run.of_kind("evaluate")
    before = next(line for line in evaluated if line["step"] >= begun)["values"]
    for metric, value in evaluated[-1]["values"].items():
        print(f"| {name} | {metric} | {before[metric]:.4g} | {value:.4g} |")
    for term, value in run.of_kind("log")[-1]["values"].items():
        if term.startswith("generator/") and term.rpartition("/")[2] in ("kl", "latent-kl", "anchor"):
            print(f"| {name} | {term}, weighed | | {value:.4g} |")
