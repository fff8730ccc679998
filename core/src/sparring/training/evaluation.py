"""Score generated samples with a recipe's metrics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from sparring.errors import Problem, RecipeError
from sparring.interfaces.data import Data
from sparring.interfaces.metric import Encoder, Metric
from sparring.recipes.schema import Best, Evaluate, Recipe
from sparring.training.generate import CHUNK, conditions_for, generate
from sparring.training.randomness import generator_at, mix


@dataclass(frozen=True)
class Evaluation:
    """The figures of one evaluation.

    Attributes:
        values: Every metric's values, by name.
        better: Which way each metric's main value improves: ``higher`` or ``lower``.
        encoders: The name of the network that a value was seen through, where there is one: without it the figure
            cannot be compared with another.
    """

    values: dict[str, float]
    better: dict[str, str]
    encoders: dict[str, str]


def evaluate(
    network: nn.Module, data: Data, spec: Evaluate, metrics: Sequence[Metric], seed: int, device: torch.device
) -> Evaluation:
    """Score a generator against held-out data.

    The same held-out samples, latents and conditions are used whenever the arguments are the same.
    """
    condition = conditions_for(spec.count, data.conditions, data, seed=seed)
    fake = generate(network, spec.count, condition, seed=mix(seed, "evaluate"), device=device)
    for metric in metrics:
        metric.reset()
    rng = generator_at("cpu", seed, "evaluate")
    rows = min(spec.count, len(data))
    chosen = torch.randperm(len(data), generator=rng)[:rows]
    with torch.random.fork_rng(devices=[]):
        for start in range(0, max(rows, spec.count), CHUNK):
            if start < rows:
                real = data.gather(chosen[start : start + CHUNK], rng=rng).to(torch.device("cpu"))
            else:
                real = real.rows(slice(0, 0))  # data need not know how to gather nothing
            part = fake.rows(slice(start, start + CHUNK))
            for metric in metrics:
                metric.update(real, part)
        found = Evaluation({}, {}, {})
        for metric in metrics:
            scores = metric.compute()
            found.values.update(scores)
            found.better[next(iter(scores))] = metric.better
            encoder = getattr(metric, "encoder", None)
            if isinstance(encoder, Encoder):
                found.encoders.update(dict.fromkeys(scores, encoder.name))
    return found


def check_best(recipe: Recipe, better: dict[str, str]) -> None:
    """Raise where the recipe keeps the best of something that is no metric's main value."""
    keep = recipe.checkpoint.keep
    if isinstance(keep, Best) and keep.best not in better:
        problem = Problem(
            "checkpoint.keep.best",
            f"'{keep.best}' is not the main value of a metric",
            f"use one of: {', '.join(better)}",
        )
        raise RecipeError([problem], recipe=recipe.name)
