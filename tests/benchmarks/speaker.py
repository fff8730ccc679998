"""A vocoder for a new speaker from a minute or two of speech: the source's as it is, one from scratch, and one adapted.

The protocol, fixed before seeds 1 to 3 were run; docs/explanation/results-transfer.md repeats it with what came out.

- One source serves all: a run of `audio/istft-vocoder-small`, a Russian man's voice, with the recipe's own seed. A
  seed decides the rest: which 44 of 551 English prompts of a woman are learnt from (one to two minutes), batches and
  weights.
- The arms: *zero-shot* is the source as it is; *scratch* and *adapted* have `transfer/vocoder-speaker`, its steps and
  its learning rates, and differ in nothing but their first weights, of both networks. Griffin-Lim of 32 iterations,
  which needs no training, is there to compare with.
- On seed 0, with 300 steps of the first stage alone, 0.0005 and 0.002 were no better than the recipe's 0.001 for
  adapted, and 0.002 no better for scratch. Seed 0 is not among the three.
- Scored are whole held-out prompts of at least two seconds, the same 60 places of the shuffled held-out ones for all
  arms of a seed: mel-cepstral distortion, PESQ, STOI, and the mel L1 of HiFi-GAN's loss, with the averaged weights.
- The claim: *adapted* has a lower mel-cepstral distortion and a higher PESQ than *zero-shot* and than *scratch*, on
  each seed and with 95 % intervals that do not overlap. It is reported either way; so is what Griffin-Lim does.
"""

from __future__ import annotations

import argparse
import copy
import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sparring.plugins.registry import Registry
from sparring.recipes import source
from sparring.recipes.check import resolve
from sparring_audio.clips import Clips
from sparring_audio.mels import MelSpace
from sparring_audio.vocoding import Vocoding
from tests.benchmarks import vocoders
from tests.benchmarks.seeds import SCORED, interval, trained

RECIPE = "transfer/vocoder-speaker"
UNTRAINED = ("Griffin-Lim", "zero-shot")
ARMS = (*UNTRAINED, "scratch", "adapted")
METRICS = ("audio/mel-cepstral-distortion", "audio/pesq", "audio/stoi")
VALUES = {name: vocoders.HEADINGS[name] for name in METRICS} | {"mel-l1": "mel L1"}
PROMPTS, SHORTEST = 60, 2.0  # held-out prompts that are scored, and their least duration in seconds
ITERATIONS = 32  # of Griffin-Lim


def main() -> None:
    """Train and score what is missing, and print a table in Markdown."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks speaker", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the folder of the runs")
    parser.add_argument("--source", type=Path, default=Path("runs/audio-istft-vocoder-small"), help="its run")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], help="which")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    scores: dict[str, list[dict[str, float]]] = {arm: [] for arm in ARMS}
    for seed in arguments.seeds:
        values = recipe_of(seed, arguments.source)
        sounds, mel = held_out(values)
        for arm in ARMS:
            scores[arm].append(scored(arm, values, sounds, mel, arguments.out / f"{arm.lower()}-{seed}"))
            shown = ", ".join(f"{name.rpartition('/')[2]} {value:.3f}" for name, value in scores[arm][-1].items())
            print(f"{arm}, seed {seed}: {shown}", flush=True)
    print(f"\n| arm | {' | '.join(VALUES.values())} | seconds |\n| --- |{' --- |' * (len(VALUES) + 1)}")
    for arm, rows in scores.items():
        cells = [interval([row[name] for row in rows]) for name in (*VALUES, "seconds")]
        print(f"| {arm} | {' | '.join(cells)} |")


def recipe_of(seed: int, start: Path) -> dict[str, Any]:
    """Return the recipe of the adapted arm, with a seed of its own for everything that chance decides."""
    values = copy.deepcopy(source.read(source.find(RECIPE)))
    values["data"]["of"]["seed"] = values["seed"] = seed
    for network in values["networks"].values():
        network["init"]["from"] = str(start)
    return values


def held_out(values: dict[str, Any]) -> tuple[list[Tensor], MelSpace]:
    """Return whole held-out prompts ``(1, 1, L)`` of whole hops, and the spectrograms' space."""
    data = Registry().build("data", resolve(values, Registry()).data, "data")
    assert isinstance(data, Vocoding)
    assert isinstance(data.of, Clips)
    train, part, rate = data.of, data.of.split("test"), data.mel.sample_rate
    learnt = sum(len(train.waveform(index)) for index in range(len(train))) / rate
    order = torch.randperm(len(part), generator=torch.Generator().manual_seed(0)).tolist()
    long = (sound for sound in map(part.waveform, order) if len(sound) >= SHORTEST * rate)
    sounds = [sound for sound, _ in zip(long, range(PROMPTS), strict=False)]
    heard = sum(map(len, sounds)) / rate
    print(f"{len(train)} prompts to learn from, {learnt:.0f} s; {len(sounds)} held out, {heard:.0f} s", flush=True)
    return [sound[: len(sound) // data.mel.hop * data.mel.hop][None, None] for sound in sounds], data.mel


def scored(arm: str, values: dict[str, Any], sounds: list[Tensor], mel: MelSpace, folder: Path) -> dict[str, float]:
    """Train an arm where that is not yet done, and return its scores on held-out prompts."""
    if not (folder / SCORED).is_file():
        seconds = 0.0 if arm in UNTRAINED else trained(from_scratch(values) if arm == "scratch" else values, folder)
        start = Path(values["networks"]["generator"]["init"]["from"])
        if arm == "Griffin-Lim":
            made = [mel.synthesise(mel.analyse(sound[:, 0]), ITERATIONS)[:, None] for sound in sounds]
        else:
            vocoder = vocoders.trained_vocoder(start if arm == "zero-shot" else folder, mel)
            made, _ = vocoders.synthesise(vocoder, sounds, mel)
        found = vocoders.scores(Registry(), list(METRICS), sounds, made, mel.sample_rate)
        folder.mkdir(parents=True, exist_ok=True)
        row = {**dict(zip(VALUES, found, strict=True)), "seconds": seconds}
        (folder / SCORED).write_text(json.dumps(row, indent=1), encoding="utf-8")
        vocoders.save(made[:5], mel.sample_rate, folder / "heard")
    scores: dict[str, float] = json.loads((folder / SCORED).read_text(encoding="utf-8"))
    return scores


def from_scratch(values: dict[str, Any]) -> dict[str, Any]:
    """Return the recipe with fresh weights."""
    values = copy.deepcopy(values)
    for network in values["networks"].values():
        del network["init"]
    return values
