"""Real text by likelihood and by GAN, at the same variety: Fréchet distance, reverse perplexity, BLEU, Self-BLEU.

A run of two stages is needed that has kept all of its checkpoints (`checkpoint.keep=99`). Its weights at the end of the
first stage are those of maximum likelihood; they are sampled at several temperatures, which gives a curve. The weights
at its end are the GAN's, sampled at temperature 1. Bare scores of the two say little, as sampling colder raises most of
them: so the likelihood's curve is read where its Self-BLEU-4 is the GAN's.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

import sparring
from sparring.interfaces.data import Batch, Data
from sparring.interfaces.generator import SequenceGenerator
from sparring.interfaces.metric import Metric
from sparring.plugins.options import ComponentSpec
from sparring.plugins.registry import Registry
from sparring.training import checkpoint
from sparring.training.randomness import generator_at
from sparring_text.spaces import token_space

TEMPERATURES = (0.8, 0.9, 1.0, 1.1)
ROWS = 250  # sentences that are drawn together
METRICS = {
    "frechet": {"encoder": {"use": "text/sentence-encoder"}},
    "text/reverse-perplexity": {},
    "text/bleu": {},
    "text/self-bleu": {},
    "text/distinct": {},
}
COLUMNS = {
    "frechet": "FED, MiniLM",
    "reverse_perplexity": "reverse perplexity",
    "forward_perplexity": "forward perplexity",
    "bleu4": "BLEU-4",
    "self_bleu4": "Self-BLEU-4",
    "distinct2": "distinct-2",
}
VARIETY = "self_bleu4"

Scores = Mapping[str, float]


def main() -> None:
    """Score, and print a table in Markdown and sentences that nobody has chosen."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks real_text", description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="the folder of a run of two stages")
    parser.add_argument("--count", type=int, default=1000, help="sentences of each kind")
    parser.add_argument("--shown", type=int, default=20, help="sentences of each kind that are printed")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    trained = sparring.load(arguments.run)
    data: Any = Registry().build("data", trained.recipe.data, "data")
    metrics = [
        Registry().build("metric", ComponentSpec(use=use, **options), "metrics", data=data, space=data.space)
        for use, options in METRICS.items()
    ]
    held_out = drawn(data.split("test"), arguments.count, seed=0)
    count = len(held_out)
    print(f"{arguments.run.name}: {count:,} sentences of each kind, against held-out ones\n")
    real = scored(metrics, held_out, drawn(data.split("train"), count, seed=1))
    ends = [sum(stage.steps for stage in trained.recipe.stages[: place + 1]) for place in range(2)]
    curve, samples = [], {}
    for name, step, temperatures in (("likelihood", ends[0], TEMPERATURES), ("GAN", ends[1], (1.0,))):
        generator = at_step(trained, arguments.run, step)
        for temperature in temperatures:
            fake = written(generator, held_out, temperature)
            scores = scored(metrics, held_out, fake)
            curve.append((name, temperature, scores))
            if temperature == 1:
                samples[name] = fake
    show(real, curve)
    space = token_space(trained.space, "this benchmark")
    for name, fake in {**samples, "held out": held_out}.items():
        print(f"\n{name}:\n")
        print("\n".join(space.decode(row) for row in fake.sample[: arguments.shown]))


def drawn(data: Data, count: int, seed: int) -> Batch:
    """Return sentences that chance has chosen."""
    rng = torch.Generator().manual_seed(seed)
    return data.gather(torch.randperm(len(data), generator=rng)[:count], rng=rng).to(torch.device("cpu"))


def at_step(trained: Any, folder: Path, step: int) -> SequenceGenerator:
    """Return the generator as it was after a step: averaged where the stage has kept an average."""
    (place,) = [path for path in checkpoint.listed(folder) if int(path.name) == step]
    average, live = place / "generator.average.safetensors", place / "generator.safetensors"
    generator = trained.networks["generator"]
    checkpoint.load_weights(generator, average if average.is_file() else live, role="generator")
    assert isinstance(generator, SequenceGenerator)
    return generator


@torch.no_grad()
def written(generator: SequenceGenerator, like: Batch, temperature: float) -> Batch:
    """Draw as many sentences as there are rows, each for the condition of one."""
    tokens, lengths = [], []
    for rows in torch.arange(len(like)).split(ROWS):
        condition = {name: value[rows] for name, value in like.condition.items()}
        rng = generator_at("cpu", 0, "real_text", int(rows[0]))
        made = generator.sample(len(rows), condition, rng=rng, temperature=temperature)
        assert made.lengths is not None
        tokens.append(made.sample)
        lengths.append(made.lengths)
    return Batch(torch.cat(tokens), like.condition, torch.cat(lengths))


def scored(
    metrics: Sequence[Metric], real: Batch, fake: Batch, columns: Mapping[str, str] = COLUMNS
) -> dict[str, float]:
    """Return the columns of the table."""
    values: dict[str, float] = {}
    for metric in metrics:
        metric.reset()
        for rows in torch.arange(len(real)).split(ROWS):
            metric.update(real.rows(rows), fake.rows(rows))
        values.update(metric.compute())
    return {name: values[name] for name in columns}


def show(real: Scores, curve: Sequence[tuple[str, float, Scores]]) -> None:
    """Print a row for each kind of sentences, and the likelihood's at the GAN's variety."""
    print(f"| | {' | '.join(COLUMNS.values())} |\n| --- |{' --- |' * len(COLUMNS)}")
    line("real sentences, of training", real)
    for name, temperature, scores in curve:
        line(f"{name}, T = {temperature:g}", scores)
    likelihood = [scores for name, _, scores in curve if name == "likelihood"]
    gan = next(scores for name, _, scores in curve if name == "GAN")
    line("likelihood at the GAN's Self-BLEU-4", {name: matched(likelihood, gan, name) for name in COLUMNS})


def matched(curve: Sequence[Scores], point: Scores, name: str) -> float:
    """Return a score of the likelihood where its variety is a point's, between temperatures along lines."""
    ordered = sorted(curve, key=lambda scores: scores[VARIETY])
    place = min(max(sum(point[VARIETY] > scores[VARIETY] for scores in ordered), 1), len(ordered) - 1)
    left, right = ordered[place - 1], ordered[place]
    share = (point[VARIETY] - left[VARIETY]) / (right[VARIETY] - left[VARIETY])
    return left[name] + share * (right[name] - left[name])


def line(name: str, scores: Scores, columns: Mapping[str, str] = COLUMNS) -> None:
    """Print one row."""
    print(f"| {name} | {' | '.join(f'{scores[column]:.3g}' for column in columns)} |", flush=True)
