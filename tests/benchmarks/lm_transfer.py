"""A pretrained language model on the Bible's short verses by LoRA: by likelihood alone, and by likelihood and a critic.

The protocol, fixed before it was run; docs/explanation/results-transfer.md repeats it with what came out.

- `transfer/lm-bible` is *likelihood + critic*. *Likelihood* is a branch of that very run at the end of its first stage,
  and has as many further steps, at the same learning rate, by likelihood alone: what differs is the critic's pressure
  and the bound of the divergence. *Pretrained* is the model as it is.
- Steps are equal, and time is not: a step against the critic also draws sentences twice. Both times are printed.
- Perplexity is the model's own, of a held-out verse's tokens and its end. Scored besides are as many sentences as there
  are held-out verses: Fréchet distance through MiniLM (FED), BLEU-4, Self-BLEU-4, distinct-2.
- Colder sampling raises most scores, so likelihood is sampled at four temperatures, and its curve is read where its
  Self-BLEU-4 is that of *likelihood + critic* at temperature 1. There the lower FED decides.
- One seed, and one draw of sentences: a difference in FED as small as 5 % is called none.
"""

from __future__ import annotations

import argparse
import copy
import math
import shutil
import time
from pathlib import Path
from typing import Any

import torch

import sparring
from sparring.interfaces.data import Batch
from sparring.interfaces.generator import SequenceGenerator
from sparring.plugins.options import ComponentSpec
from sparring.plugins.registry import Registry
from sparring.recipes import source
from sparring.recipes.check import resolve
from sparring.training import checkpoint
from sparring_text.networks.causal_lm import CausalLMGenerator
from sparring_text.spaces import token_space
from tests.benchmarks import real_text
from tests.benchmarks.seeds import trained

RECIPE = "transfer/lm-bible"
METRICS = ("frechet", "text/bleu", "text/self-bleu", "text/distinct")
SAMPLED = {name: title for name, title in real_text.COLUMNS.items() if not name.endswith("perplexity")}
COLUMNS = {"perplexity": "held-out perplexity", **SAMPLED}
FEW = 50  # verses at a time


def main() -> None:
    """Train what is missing, and print a table in Markdown and sentences that nobody has chosen."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks lm_transfer", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the folder of the runs")
    parser.add_argument("--model", required=True, help="the model: a GGUF file, a folder or a hub's name")
    parser.add_argument("--seed", type=int, default=0, help="of both runs")
    parser.add_argument("--shown", type=int, default=10, help="sentences of each kind that are printed")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    values = copy.deepcopy(source.read(source.find(RECIPE)))
    values["seed"] = arguments.seed
    values["data"]["tokens"] = values["networks"]["generator"]["pretrained"] = arguments.model
    values["checkpoint"] = {"every": values["stages"][0]["steps"], "keep": 99}
    critic, likelihood = runs(values, arguments.out)
    data: Any = Registry().build("data", resolve(values, Registry()).data, "data")
    metrics = [
        Registry().build("metric", ComponentSpec(use=use, **real_text.METRICS[use]), "metrics", space=data.space)
        for use in METRICS
    ]
    held_out = real_text.drawn(data.split("test"), len(data.split("test")), seed=0)
    print(f"{len(data):,} verses to learn from, {len(held_out):,} held out\n")
    print(f"| | {' | '.join(COLUMNS.values())} |\n| --- |{' --- |' * len(COLUMNS)}", flush=True)
    verses = real_text.drawn(data, len(held_out), seed=1)
    real = {"perplexity": math.nan, **real_text.scored(metrics, held_out, verses, SAMPLED)}
    real_text.line("real verses, of training", real, COLUMNS)
    shown, curves = {"held out": held_out}, {}
    for name, temperatures in (
        ("pretrained", (1.0,)),
        ("likelihood", real_text.TEMPERATURES),
        ("likelihood + critic", (1.0,)),
    ):
        if name == "pretrained":
            generator: SequenceGenerator = CausalLMGenerator(data.space, {}, arguments.model).eval()
        else:
            generator = finished(likelihood if name == "likelihood" else critic)
        foretold = perplexity(generator, held_out)
        for temperature in temperatures:
            fake = real_text.written(generator, held_out, temperature)
            scores = {"perplexity": foretold, **real_text.scored(metrics, held_out, fake, SAMPLED)}
            curves.setdefault(name, []).append(scores)
            real_text.line(f"{name}, T = {temperature:g}", scores, COLUMNS)
            if temperature == 1:
                shown[name] = fake
    (point,) = curves["likelihood + critic"]
    matched = {name: real_text.matched(curves["likelihood"], point, name) for name in COLUMNS}
    real_text.line("likelihood at that Self-BLEU-4", matched, COLUMNS)
    space = token_space(data.space, "this benchmark")
    for name, batch in shown.items():
        print(f"\n{name}:\n")
        print("\n".join(space.decode(row) for row in batch.sample[: arguments.shown]))


def runs(values: dict[str, Any], out: Path) -> tuple[Path, Path]:
    """Train both runs where that is not yet done, say what they cost, and return their folders."""
    critic, likelihood = out / "critic", out / "likelihood"
    if not (critic / "final").is_dir():
        print(f"likelihood + critic: {trained(values, critic):.0f} s of processor time", flush=True)
    if not (likelihood / "final").is_dir():
        shutil.rmtree(likelihood, ignore_errors=True)
        before, (first, second) = time.process_time(), values["stages"]
        generator = second["optimizers"]["generator"]
        changes = [
            "stages.1.objective={use: likelihood}",
            "stages.1.terms=[]",
            f"stages.1.optimizers={{generator: {{use: adamw, lr: {generator['lr']}, clip: {generator['clip']}}}}}",
        ]
        sparring.resume(critic, step=first["steps"], out=likelihood, overrides=changes)
        print(f"likelihood, from step {first['steps']} on: {time.process_time() - before:.0f} s of it", flush=True)
    adapters = checkpoint.listed(critic)[-1] / "generator.safetensors"
    whole = critic / checkpoint.FINAL / "generator.safetensors"
    sizes = [file.stat().st_size / 1e6 for file in (adapters, whole)]
    print(f"a checkpoint's generator has {sizes[0]:.2f} MB, and the final one, which is whole, {sizes[1]:.0f} MB")
    return critic, likelihood


def finished(folder: Path) -> SequenceGenerator:
    """Return a finished run's generator."""
    generator = sparring.load(folder).networks["generator"]
    assert isinstance(generator, SequenceGenerator)
    return generator


@torch.no_grad()
def perplexity(generator: SequenceGenerator, verses: Batch) -> float:
    """Return the perplexity of verses' tokens, their ends among them, under the generator itself."""
    assert verses.lengths is not None
    total = 0.0
    for rows in torch.arange(len(verses)).split(FEW):
        total += float(generator.log_prob(verses.sample[rows], {}, verses.lengths[rows]).double().sum())
    return math.exp(-total / int(verses.lengths.sum()))
