"""A generator too small for the truth: a critic's gain on likelihood, sampled at any temperature, on several oracles.

Three sets of weights are sampled at many temperatures: those that the likelihood of text/oracle-narrow ends with, those
at the end of its game, and those of as many further steps of likelihood in the game's place. Each gives a curve of
(NLL_oracle, NLL_test); the game's is beyond that of the longer likelihood where its NLL_oracle is lower at the same
NLL_test. Finished runs are not trained again.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from statistics import mean

import torch

import sparring
from sparring.interfaces.generator import SequenceGenerator
from sparring.report.record import read_run
from sparring.training import checkpoint
from sparring_text.data.oracle import Oracle
from sparring_text.metrics.temperature_frontier import frontier
from tests.benchmarks.oracle import CONTROL, COUNT, interval, margin
from tests.benchmarks.seeds import scored

TEMPERATURES = (0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.9, 1.0)
KINDS = ("likelihood", "longer", "game")
POINTS = "frontier.json"

Curve = list[list[float]]
"""Of each temperature: itself, and by how much both likelihoods exceed the oracle's entropy."""


def main() -> None:
    """Train what is missing, and print a table in Markdown."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks oracle_narrow", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the folder of the runs")
    parser.add_argument("--seeds", type=int, default=5, help="how many, from 0 on")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    runs = [measured(seed, arguments.out) for seed in range(arguments.seeds)]
    print(f"NLL_oracle / NLL_test above the entropy, nats a token, means over {len(runs)} oracles\n")
    print("| temperature | likelihood | 3,000 steps more of it | game | the game's NLL_oracle is lower by |")
    print("| --- | --- | --- | --- | --- |")
    for place, temperature in enumerate(TEMPERATURES):
        cells = [
            " / ".join(f"{mean(run[kind][place][value] for run in runs):.2f}" for value in (1, 2)) for kind in KINDS
        ]
        gains = [margin((run["game"][place][1], run["game"][place][2]), run["longer"]) for run in runs]
        print(f"| {temperature:g} | {' | '.join(cells)} | {interval(gains)} |")
    sums = {kind: [min(oracle + test for _, oracle, test in run[kind]) for run in runs] for kind in KINDS}
    for kind in KINDS:
        print(f"\nsmallest sum of both gaps, {kind}: {mean(sums[kind]):.3f}", end="")
    print(f"\nthe game's is lower by {interval([a - b for a, b in zip(sums['longer'], sums['game'], strict=True)])}")


def measured(seed: int, out: Path) -> dict[str, Curve]:
    """Train with a seed, which is the oracle's too, where that is not yet done, and return all three curves."""
    found: dict[str, Curve] = {}
    for kind, label, changes in (("game", "oracle-narrow", []), ("longer", "oracle-narrow-longer", CONTROL)):
        scored("text/oracle-narrow", seed, out, [f"data.seed={seed}", "checkpoint.keep=99", *changes], label=label)
        folder = out / f"{label}-{seed}"
        if not (folder / POINTS).is_file():
            (folder / POINTS).write_text(json.dumps(curves(folder, kind), indent=1), encoding="utf-8")
        found.update(json.loads((folder / POINTS).read_text(encoding="utf-8")))
    return found


def curves(folder: Path, kind: str) -> dict[str, Curve]:
    """Return the curves of a run: of its first stage, and of its last, which is of a kind."""
    recipe = read_run(folder).recipe
    data = Oracle(**{name: value for name, value in recipe["data"].items() if name != "use"})
    held_out = data.split("test").gather(torch.arange(COUNT), rng=torch.Generator().manual_seed(0)).sample
    generator = sparring.load(folder).networks["generator"].eval()
    assert isinstance(generator, SequenceGenerator)
    ends = recipe["stages"][0]["steps"], sum(stage["steps"] for stage in recipe["stages"])
    found = {}
    for name, step in zip(("likelihood", kind), ends, strict=True):
        weights = folder / "checkpoints" / f"{step:08}" / "generator.safetensors"
        checkpoint.load_weights(generator, weights, role="generator")
        points = frontier(generator, data, held_out, TEMPERATURES, COUNT, seed=1)
        entropy = data.entropy.mean
        found[name] = [[one.temperature, one.nll_oracle.mean - entropy, one.nll_test.mean - entropy] for one in points]
    return found
