"""The LSTM oracle: where each GAN recipe lies against maximum likelihood over temperatures, on several oracles.

For each seed, which is the oracle's too, `text/oracle-mle` is trained and sampled at several temperatures: that gives a
curve of (NLL_oracle, NLL_test). A GAN's point is beyond it where its NLL_oracle is lower than the curve's at the same
NLL_test. Finished runs are not trained again.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch

import sparring
from sparring.interfaces.generator import SequenceGenerator
from sparring.report.record import read_run
from sparring.training import checkpoint
from tests.benchmarks.seeds import scored

MLE = "oracle-mle"
# Imitation goes on in the place of the dense game: what its 800 steps give by themselves.
LONGER = "oracle-mle-longer"
CONTROL = [
    "stages.1.objective={use: likelihood}",
    "stages.1.terms=[]",
    "stages.1.optimizers={generator: {use: adam, lr: 1.0e-3}}",
]
AGAINST = (LONGER, "oracle-gumbel", "oracle-reinforce", "oracle-dense")
TEMPERATURES = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1)
COUNT = 4000  # sequences at each temperature, and held-out ones
T_95 = {2: 12.71, 3: 4.30, 4: 3.18, 5: 2.78, 6: 2.57, 7: 2.45, 8: 2.36, 9: 2.31, 10: 2.26}  # Student's, by sample size
POINTS = "frontier.json"

# Of SeqGAN's one oracle, 5,000 words, length 20, NLL_oracle alone; what is known of them stands in the documentation.
PUBLISHED = [
    ("real sequences", "5.75"),
    ("maximum likelihood (SeqGAN's paper)", "9.04"),
    ("SeqGAN (its paper)", "8.74"),
    ("RankGAN (its paper)", "8.25"),
    ("LeakGAN (its paper)", "7.04"),
    ("RelGAN (its paper)", "6.68"),
    ("maximum likelihood at temperature 0.4, another oracle of entropy 5.89 (ours)", "5.90"),
]


def main() -> None:
    """Train what is missing, and print tables in Markdown."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks oracle", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the folder of the runs")
    parser.add_argument("--seeds", type=int, default=5, help="how many, from 0 on")
    parser.add_argument("--vocabulary", type=int, default=500, help="words; SeqGAN has 5000")
    parser.add_argument("--length", type=int, default=20, help="words of a sequence")
    parser.add_argument(
        "--recipes",
        nargs="*",
        default=list(AGAINST),
        metavar="RECIPE",
        help=f"of text/, beside {MLE}",
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    curves: dict[str, list[dict[str, Any]]] = {name: [] for name in (MLE, *arguments.recipes)}
    for seed in range(arguments.seeds):
        for name, runs in curves.items():
            runs.append(measured(name, seed, arguments))
    overview(curves)
    margins(curves)
    print("\n| published, NLL_oracle | value |\n| --- | --- |")
    for name, value in PUBLISHED:
        print(f"| {name} | {value} |")


def measured(name: str, seed: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """Train a recipe with a seed where that is not yet done, and return its points by temperature."""
    tier = f"{name}-{arguments.vocabulary}x{arguments.length}"
    overrides = [f"data.seed={seed}", f"data.vocabulary={arguments.vocabulary}", f"data.length={arguments.length}"]
    recipe, control = ("oracle-dense", CONTROL) if name == LONGER else (name, [])
    run = scored(f"text/{recipe}", seed, arguments.out, [*overrides, *control], label=tier)
    file = arguments.out / f"{tier}-{seed}" / POINTS
    if not file.is_file():
        file.write_text(json.dumps(points(file.parent) | {"seconds": run.seconds}, indent=1), encoding="utf-8")
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def points(folder: Path) -> dict[str, Any]:
    """Return the points of the weights that a run ended with, kept or not, and which ones it kept."""
    from sparring_text.data.oracle import Oracle
    from sparring_text.metrics.temperature_frontier import frontier

    run = read_run(folder)
    data = Oracle(**{name: value for name, value in run.recipe["data"].items() if name != "use"})
    trained = sparring.load(folder)
    generator = trained.networks["generator"].eval()
    assert isinstance(generator, SequenceGenerator)
    checkpoint.load_weights(generator, checkpoint.listed(folder)[-1] / "generator.safetensors", role="generator")
    held_out = data.split("test").gather(torch.arange(COUNT), rng=torch.Generator().manual_seed(0)).sample
    found = frontier(generator, data, held_out, TEMPERATURES, COUNT, seed=1)
    best = min(run.of_kind("evaluate"), key=lambda line: line["values"]["nll_gap"])
    return {
        "entropy": data.entropy.mean,
        "kept_step": best["step"],
        "kept_gap": best["values"]["nll_gap"],
        "points": [[point.temperature, point.nll_oracle.mean, point.nll_test.mean] for point in found],
    }


def overview(curves: dict[str, list[dict[str, Any]]]) -> None:
    """Print each recipe's gaps to the oracles' entropy over temperatures, as means over seeds."""
    seeds = len(curves[MLE])
    print(f"\nGaps to the oracle's entropy in nats a token, NLL_oracle / NLL_test, means over {seeds} oracles.\n")
    print(f"| | {' | '.join(f'T = {value}' for value in TEMPERATURES)} | kept step | minutes a run |")
    print(f"| --- |{' --- |' * (len(TEMPERATURES) + 2)}")
    for name, runs in curves.items():
        cells = []
        for place in range(len(TEMPERATURES)):
            oracle = mean(run["points"][place][1] - run["entropy"] for run in runs)
            test = mean(run["points"][place][2] - run["entropy"] for run in runs)
            cells.append(f"{oracle:.2f} / {test:.2f}")
        steps = ", ".join(f"{run['kept_step']:,}" for run in runs)
        print(f"| {name} | {' | '.join(cells)} | {steps} | {mean(run['seconds'] for run in runs) / 60:.1f} |")


def margins(curves: dict[str, list[dict[str, Any]]]) -> None:
    """Print by how much each recipe's points are beyond the curve of maximum likelihood, with intervals."""
    print(
        "\nHow much lower NLL_oracle is than maximum likelihood's at the same NLL_test, in nats a token (95 % interval"
    )
    print("over oracles); below 0: higher.\n\n| | at T = 1 | best temperature |\n| --- | --- | --- |")
    for name, runs in curves.items():
        if name == MLE:
            continue
        pairs = [
            [margin(tuple(point[1:]), base["points"]) for point in run["points"]]
            for run, base in zip(runs, curves[MLE], strict=True)
        ]
        at_one = [row[TEMPERATURES.index(1.0)] for row in pairs]
        best = max(range(len(TEMPERATURES)), key=lambda place: mean(row[place] for row in pairs))
        print(f"| {name} | {interval(at_one)} | {interval([row[best] for row in pairs])} at {TEMPERATURES[best]} |")


def margin(point: tuple[float, float], curve: list[list[float]]) -> float:
    """Return how much lower a point's NLL_oracle is than the curve's at its NLL_test, between points along lines.

    Beyond its ends the curve is continued along its outermost lines.
    """
    oracle, test = point
    # From cold to hot NLL_test falls at first, and rises again when it is too hot: what comes after is of no use.
    useful = curve[: min(range(len(curve)), key=lambda place: curve[place][2]) + 1]
    ordered = sorted((row[2], row[1]) for row in useful)
    place = min(max(sum(test > known for known, _ in ordered), 1), len(ordered) - 1)
    (left, at_left), (right, at_right) = ordered[place - 1], ordered[place]
    return at_left + (at_right - at_left) * (test - left) / (right - left) - oracle


def interval(values: list[float]) -> str:
    """Return a mean and half of its 95 % interval."""
    if len(values) < 2:
        return f"{mean(values):+.3f}"
    return f"{mean(values):+.3f} ± {T_95.get(len(values), 1.96) * stdev(values) / math.sqrt(len(values)):.3f}"
