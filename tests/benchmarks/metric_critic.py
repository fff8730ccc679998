"""What a metric critic knows: how its predictions on held-out samples go with the score that it has learnt.

Of a run whose last stage is by the objective metric-critic: correlation with the true score, of what the generator
makes of held-out conditions, of the condition that the critic was given too, and of real samples.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import sparring
from sparring.interfaces.data import Batch
from sparring.interfaces.discriminator import lift_critique
from sparring.losses.reduction import scores
from sparring.objectives.metric_critic import REFERENCE, SCORE
from sparring.plugins.options import ComponentSpec
from sparring.plugins.registry import Registry


def main() -> None:
    """Print a table in Markdown."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks metric_critic", description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="the folder of a run")
    parser.add_argument("--count", type=int, default=80, help="held-out samples")
    parser.add_argument("--seed", type=int, default=1, help="of what is generated")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    trained, registry = sparring.load(arguments.run), Registry()
    data: Any = registry.build("data", trained.recipe.data, "data")
    options = trained.recipe.stages[-1].objective.options
    chosen = {"use": options["reward"]} if isinstance(options["reward"], str) else options["reward"]
    about = {"data": data, "space": data.space, "conditions": data.conditions}
    reward: Any = registry.build("reward", ComponentSpec.model_validate(chosen), "reward", **about)
    held_out = data.split("test")
    rows = torch.arange(min(arguments.count, len(held_out)))
    real = held_out.gather(rows, rng=torch.Generator().manual_seed(arguments.seed))
    made = trained.generate(len(real), condition=real.condition, seed=arguments.seed).sample
    kinds = {"made": made, "real": real.sample}
    if options.get("given"):
        kinds["given"] = real.condition[options["given"]]
    print("| samples | mean score | its deviation | root mean square error | Pearson | Spearman |")
    print("| --- | --- | --- | --- | --- | --- |")
    found = {}
    for kind, sample in kinds.items():
        true_B = reward(Batch(sample, real.condition, real.lengths), real).float()
        with torch.no_grad():
            seen = {**real.condition, REFERENCE: real.sample}
            critique = lift_critique(trained.networks["discriminator"](sample, seen, real.lengths))
        predicted_B = critique.outputs[SCORE] if SCORE in critique.outputs else scores(critique)
        known_B = true_B.isfinite()
        found[kind] = torch.stack([true_B[known_B], predicted_B[known_B]])
        show(kind, found[kind])
    show("all of them", torch.cat(list(found.values()), dim=1))


def show(kind: str, pair_2B: Tensor) -> None:
    """Print how predictions go with true scores."""
    true_B, predicted_B = pair_2B
    error = (predicted_B - true_B).square().mean().sqrt()
    ranks_2B = pair_2B.argsort(dim=1).argsort(dim=1).float()
    values = (true_B.mean(), true_B.std(), error, pair_2B.corrcoef()[0, 1], ranks_2B.corrcoef()[0, 1])
    print(f"| {kind} | {' | '.join(f'{value.item():.3f}' for value in values)} |", flush=True)
