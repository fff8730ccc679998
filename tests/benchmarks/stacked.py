"""Stacked digits: how many of a thousand modes are reached, by our recipe and by a plain DCGAN of the same size.

The plain DCGAN is the recipe with DCGAN's own loss and settings: the non-saturating loss without penalties, batch norm
in both networks, Adam at 2e-4 with a momentum of 0.5, and the same number of images. Finished seeds are not trained
again.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import mean

from tests.benchmarks.seeds import Scored, scored

RECIPE = "image/stacked-digits"
_ADAM = "{use: adam, lr: 2.0e-4, betas: [0.5, 0.999]}"
PLAIN = (
    "networks.generator.init=normal",
    "networks.discriminator.init=normal",
    "networks.discriminator.normalization=batch",
    "stages.0.objective={use: adversarial, loss: non-saturating, reuse_fake: true}",
    "stages.0.terms=[]",
    "stages.0.schedules={}",
    f"stages.0.optimizers={{generator: {_ADAM}, discriminator: {_ADAM}}}",
)

# Modes and KL on stacked MNIST, whose digits have 28x28 pixels: another data set, so these are not rivals of ours.
PUBLISHED = [
    ("stacked MNIST: DCGAN, as PacGAN's authors ran it", "78.9 ± 6.5", "4.50"),
    ("stacked MNIST: VEEGAN (same table)", "150", "2.95"),
    ("stacked MNIST: PacDCGAN2 (same table, 10 runs)", "1000 ± 0", "0.06 ± 0.003"),
    ("stacked MNIST: a small ResNet with the loss of R3GAN (its paper, section 2.4)", "1000", "0.0781"),
]


def main() -> None:
    """Train what is missing, and print a table in Markdown."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks stacked", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the folder of the runs")
    parser.add_argument("--seeds", type=int, default=5, help="how many, from 0 on")
    arguments = parser.parse_args()
    seeds = range(arguments.seeds)
    ours = [scored(RECIPE, seed, arguments.out) for seed in seeds]
    plain = [scored(RECIPE, seed, arguments.out, PLAIN, label="stacked-digits-plain") for seed in seeds]
    report(ours, plain)


def report(ours: list[Scored], plain: list[Scored]) -> None:
    """Print the table."""
    accuracy = [run.averaged["classifier_accuracy"] for run in ours]
    print(
        f"\n{len(ours)} seeds, {ours[0].steps:,} steps; the classifier reads {mean(accuracy):.1%} of held-out digits."
    )
    print("\n| | modes | reverse KL | Fréchet distance | processor minutes a run |\n| --- | --- | --- | --- | --- |")
    for name, runs in (("ours", ours), ("a plain DCGAN of the same size", plain)):
        minutes = mean(run.seconds for run in runs) / 60
        for weights, values in (
            ("averaged weights", [run.averaged for run in runs]),
            ("live weights", [run.live for run in runs]),
        ):
            modes = [value["modes"] for value in values]
            divergence = [value["reverse_kl"] for value in values]
            print(
                f"| {name}, {weights} | {mean(modes):.1f}, least {min(modes):.0f} "
                f"| {mean(divergence):.4f}, most {max(divergence):.4f} "
                f"| {mean(value['frechet'] for value in values):.3g} | {minutes:.1f} |"
            )
    for row in PUBLISHED:
        print(f"| {' | '.join(row)} | | |")
