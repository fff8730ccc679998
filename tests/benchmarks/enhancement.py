"""Is speech better than it was? Runs of audio/enhance-speech and audio/bandwidth-extension on held-out clips.

Enhancement: PESQ and STOI of the noisy input and of what was made of it, for each kind of noise and at each ratio, on
clips that training never saw, with noise that it never heard. A folder of recorded noise is one more kind, which a run
of the shipped recipe has not heard anything like.

Bandwidth extension: log-spectral distance, mel-cepstral distortion and PESQ of the input, which is resampled by a
windowed sinc, and of what was made of it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

import sparring
from sparring.interfaces.data import Batch, Data
from sparring.interfaces.metric import Metric
from sparring.plugins.options import ComponentSpec
from sparring.plugins.registry import Registry
from sparring.trained import Trained
from sparring_audio.metrics.quality import PESQ, STOI
from sparring_audio.metrics.spectra import MelCepstralDistortion, log_spectral_distance
from sparring_audio.noisy import Kind, Noisy
from sparring_audio.stft import Resolution
from sparring_audio.waveform import WaveformSpace

KINDS: tuple[Kind, ...] = ("white", "coloured", "babble")
RATIOS = (0.0, 5.0, 10.0)  # dB
RESOLUTION = Resolution(2048, 512, 2048)  # that of the metric audio/log-spectral-distance


def main() -> None:
    """Print the tables in Markdown."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks enhancement", description=__doc__)
    parser.add_argument("--enhance", type=Path, help="the folder of a run of audio/enhance-speech")
    parser.add_argument("--extend", type=Path, help="the folder of a run of audio/bandwidth-extension")
    parser.add_argument("--noise", type=Path, help="a folder of recorded noise")
    parser.add_argument("--count", type=int, default=80, help="held-out clips")
    parser.add_argument("--seed", type=int, default=1, help="of the noise; the run's own evaluations have 0")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.enhance is not None:
        enhancement(arguments.enhance, arguments.noise, arguments.count, arguments.seed)
    if arguments.extend is not None:
        extension(arguments.extend, arguments.count, arguments.seed)


def enhancement(folder: Path, noise: Path | None, count: int, seed: int) -> None:
    """Print PESQ and STOI, noisy and enhanced."""
    trained = sparring.load(folder)
    clean = clean_data(trained)
    print("\n| noise | ratio, dB | PESQ: noisy | enhanced | STOI: noisy | enhanced |")
    print("| --- | --- | --- | --- | --- | --- |")
    sums: list[list[float]] = []
    for kind in [*KINDS, *(["recorded"] if noise else [])]:
        for ratio in RATIOS:
            kinds: list[Kind] = [one for one in KINDS if one == kind]
            data = Noisy(clean, kinds, noise if kind == "recorded" else None, ratio, ratio, seed=seed).split("test")
            batch = rows(data, count)
            made, _ = enhanced(trained, batch, seed)
            measures = [PESQ(trained.space), STOI(trained.space)]
            values = [value for metric in measures for value in both(metric, batch, batch.condition["noisy"], made)]
            sums.append(values)
            print(f"| {kind} | {ratio:g} | {shown(values)} |")
    print(f"| mean | | {shown([sum(column) / len(sums) for column in zip(*sums, strict=True)])} |")


def extension(folder: Path, count: int, seed: int) -> None:
    """Print distances of the resampled and of the extended sounds."""
    trained = sparring.load(folder)
    assert isinstance(trained.space, WaveformSpace)
    data = Registry().build("data", trained.recipe.data, "data").split("test")
    batch = rows(data, count)
    made, seconds = enhanced(trained, batch, seed)
    narrow = batch.condition["narrow"]
    edge = int(trained.recipe.data.options.get("rate", 8000)) / 2
    first = round(edge * RESOLUTION.transform / trained.space.sample_rate)
    print("\n| figure | resampled | extended |\n| --- | --- | --- |")
    for title, lowest in (("log-spectral distance, dB", 0), (f"the same above {edge:g} Hz, dB", first)):
        found = [
            log_spectral_distance(batch.sample[:, 0], one[:, 0], RESOLUTION, lowest).mean().item()
            for one in (narrow, made)
        ]
        print(f"| {title} | {found[0]:.2f} | {found[1]:.2f} |")
    for title, metric in (
        ("mel-cepstral distortion, dB", MelCepstralDistortion(trained.space)),
        ("PESQ, wide band", PESQ(trained.space)),
    ):
        one, other = both(metric, batch, narrow, made)
        print(f"| {title} | {one:.3f} | {other:.3f} |")
    print(f"\n{len(batch)} clips; {len(batch) * trained.space.seconds / seconds:.0f} times real time on one thread")


def clean_data(trained: Trained) -> Data:
    """Return the data that the run mixed noise into."""
    found: Data = Registry().build("data", ComponentSpec.model_validate(trained.recipe.data.options["of"]), "data.of")
    return found


def rows(data: Data, count: int) -> Batch:
    """Return the first held-out clips that are not silent."""
    batch = data.gather(torch.arange(min(count, len(data))), rng=torch.Generator().manual_seed(0))
    return batch.rows(batch.sample.flatten(1).abs().amax(1) > 1e-3)


def enhanced(trained: Trained, batch: Batch, seed: int) -> tuple[Tensor, float]:
    """Return what the run's generator makes of a batch's conditions, and how many seconds it takes."""
    started = time.perf_counter()
    made = trained.generate(len(batch), condition=batch.condition, seed=seed).sample
    return made, time.perf_counter() - started


def both(metric: Metric, batch: Batch, given: Tensor, made: Tensor) -> tuple[float, float]:
    """Return a metric's main value for the input and for what was made of it."""
    found = []
    for one in (given, made):
        metric.reset()
        metric.update(batch, Batch(one))
        found.append(next(iter(metric.compute().values())))
    return found[0], found[1]


def shown(values: Sequence[float]) -> str:
    return f"{values[0]:.2f} | {values[1]:.2f} | {values[2]:.3f} | {values[3]:.3f}"
