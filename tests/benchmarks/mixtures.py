"""Mixtures of Gaussians: modes found, their balance and sharpness, over many seeds, beside published figures.

The ring and the 5x5 grid are PacGAN's to scale; the grid of 100 modes is ParticleGAN's to scale. 2,500 samples are
scored; a sample is of high quality within three standard deviations of a centre, and a mode is found if one such sample
hits it. Finished seeds are not trained again.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import mean

from tests.benchmarks.seeds import Scored, scored

RECIPES = ("image/mixtures-ring", "image/mixtures-grid", "image/mixtures-grid-100")

# Modes, high-quality share in per cent, reverse KL, as published.
PUBLISHED = {
    "image/mixtures-ring": [
        ("GAN (in PacGAN's paper, 10 runs)", "6.3 ± 0.5", "98.2", "0.45"),
        ("ALI (same)", "6.6", "97.6", "0.36"),
        ("PacGAN2 (same)", "7.9 ± 0.1", "95.6", "0.07"),
        ("PacGAN4 (same)", "7.8", "95.9", "0.07"),
        ("Unrolled GAN (in VEEGAN's paper)", "7.6", "35.6", ""),
        ("VEEGAN (its own paper)", "8", "52.9", ""),
    ],
    "image/mixtures-grid": [
        ("GAN (in PacGAN's paper, 10 runs)", "17.3 ± 0.8", "94.8", "0.70"),
        ("ALI (same)", "24.1", "95.7", "0.14"),
        ("PacGAN2 (same)", "23.8", "91.3", "0.13"),
        ("PacGAN4 (same)", "24.8 ± 0.2", "93.6", "0.04"),
        ("Unrolled GAN (in VEEGAN's paper)", "23.6", "16", ""),
        ("VEEGAN (its own paper)", "24.6", "40", ""),
    ],
    "image/mixtures-grid-100": [
        ("ParticleGAN (its documentation): a table of 20,000 learnt latents", "100", "98.3 to 98.9", ""),
    ],
}


def main() -> None:
    """Train what is missing, and print a table for each mixture, in Markdown."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks mixtures", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the folder of the runs")
    parser.add_argument("--seeds", type=int, default=10, help="how many, from 0 on")
    parser.add_argument("--recipes", nargs="+", default=RECIPES, choices=RECIPES, metavar="RECIPE")
    arguments = parser.parse_args()
    for recipe in arguments.recipes:
        report(recipe, [scored(recipe, seed, arguments.out) for seed in range(arguments.seeds)])


def report(recipe: str, runs: list[Scored]) -> None:
    """Print one mixture's table."""
    minutes = [run.seconds / 60 for run in runs]
    print(f"\n### {recipe}: {len(runs)} seeds, {runs[0].steps:,} steps")
    print(f"\nProcessor minutes a run: {mean(minutes):.1f} on average, {max(minutes):.1f} at most.")
    print("\n| | modes | high quality, % | reverse KL |\n| --- | --- | --- | --- |")
    for name, values in (
        ("ours, averaged weights", [run.averaged for run in runs]),
        ("ours, live weights", [run.live for run in runs]),
    ):
        modes = [value["modes"] for value in values]
        quality = [100 * value["high_quality"] for value in values]
        divergence = [value["reverse_kl"] for value in values]
        print(
            f"| {name} | {mean(modes):.1f}, least {min(modes):.0f} | {mean(quality):.1f}, least {min(quality):.1f} "
            f"| {mean(divergence):.4f}, most {max(divergence):.4f} |"
        )
    for row in PUBLISHED[recipe]:
        print(f"| {' | '.join(row)} |")
