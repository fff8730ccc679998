"""Score generated samples with a recipe's metrics."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from sparring.errors import Problem, RecipeError
from sparring.interfaces.data import Batch, Condition, Data
from sparring.interfaces.metric import Encoder, Metric
from sparring.recipes.schema import Best, Evaluate, Recipe
from sparring.training.generate import CHUNK, conditions_for, evaluating, first_rows, generate, only_labels
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

    Where conditions are more than class labels they come with samples of their own: a photograph with its sketch, a
    spectrogram with its sound. Metrics then see, row by row, the very sample whose condition the generated one was
    made from. Fewer held-out rows than ``spec.count`` are used again, on both sides.
    """
    chosen = _apart if only_labels(data.conditions) else _matched
    condition, reals = chosen(data, spec.count, seed)
    fake = generate(network, spec.count, condition, seed=mix(seed, "evaluate"), device=device)
    with evaluating(network), torch.random.fork_rng(devices=[]):
        for metric in metrics:
            metric.reset()
            metric.examine(network)
        for start, real in zip(range(0, spec.count, CHUNK), reals, strict=True):
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


def _matched(data: Data, count: int, seed: int) -> tuple[Condition, Iterator[Batch]]:
    """Return conditions, and in chunks the samples that they belong to, in the same order."""
    rows = first_rows(data, count, seed=seed)
    chunks = (rows.rows(slice(start, start + CHUNK)) for start in range(0, count, CHUNK))
    return {name: rows.condition[name] for name in data.conditions}, chunks


def _apart(data: Data, count: int, seed: int) -> tuple[Condition, Iterator[Batch]]:
    """Return classes in turn, and in chunks a choice of samples, each row once; the last chunks may be empty."""
    return conditions_for(count, data.conditions, data, seed=seed), _once_each(data, count, seed)


def _once_each(data: Data, count: int, seed: int) -> Iterator[Batch]:
    rng = generator_at("cpu", seed, "evaluate")
    rows = min(count, len(data))
    chosen = torch.randperm(len(data), generator=rng)[:rows]
    for start in range(0, count, CHUNK):
        if start < rows:
            real = data.gather(chosen[start : start + CHUNK], rng=rng).to(torch.device("cpu"))
        else:
            real = real.rows(slice(0, 0))  # data need not know how to gather nothing
        yield real


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
