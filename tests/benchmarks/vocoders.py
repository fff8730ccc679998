"""How good vocoders are, on sentences that they never saw, beside Griffin-Lim and the recording itself.

Whole held-out recordings go through the run's own mel spectrogram. What comes back is scored by the plugin's metrics,
as far as they are installed: PESQ and STOI need the extra `quality`; and by DistillMOS, where that package is. The
real-time factor is the processor's time on one thread, as a share of the sound's duration.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import importlib.util
import io
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor

import sparring
from sparring.errors import SparringError
from sparring.interfaces.context import Context
from sparring.interfaces.data import Batch
from sparring.interfaces.generator import Generator, lift_generated
from sparring.interfaces.metric import Metric
from sparring.plugins.registry import Registry
from sparring_audio.mels import MelSpace
from sparring_audio.networks.driven import stream
from sparring_audio.recordings import Recordings
from sparring_audio.vocoding import Vocoding
from sparring_audio.waveform import WaveformSpace
from sparring_audio.waveform_terms import MelL1

Vocoder = Callable[[Tensor], Tensor]
"""Maps a spectrogram ``(1, M, T)`` to a waveform ``(1, 1, T * hop)``."""

METRICS = (
    *("audio/pesq", "audio/stoi", "audio/mel-cepstral-distortion", "audio/multi-resolution-stft"),
    "audio/log-spectral-distance",
)
HEADINGS = {
    "audio/pesq": "PESQ",
    "audio/stoi": "STOI",
    "audio/mel-cepstral-distortion": "MCD, dB",
    "audio/multi-resolution-stft": "multi-res. STFT",
    "audio/log-spectral-distance": "LSD, dB",
}
NATURALNESS = "distillmos"  # a package that carries its own weights


def main() -> None:
    """Make the sounds, score them, and print a table in Markdown."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks vocoders", description=__doc__)
    parser.add_argument("--run", type=Path, action="append", required=True, help="the folder of a vocoder's run")
    parser.add_argument("--count", type=int, default=31, help="held-out recordings")
    parser.add_argument("--save", type=Path, help="a folder for the sounds")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    sounds, mel = held_out(arguments.run[0], arguments.count)
    vocoders: dict[str, Vocoder] = {
        "Griffin-Lim, 32 iterations": lambda given: mel.synthesise(given, 32)[:, None],
        "Griffin-Lim, 100 iterations": lambda given: mel.synthesise(given, 100)[:, None],
    }
    for run in arguments.run:
        vocoders[run.name] = trained_vocoder(run, mel)
    seconds = sum(sound.shape[2] for sound in sounds) / mel.sample_rate
    print(f"{len(sounds)} held-out recordings, {seconds:.1f} s\n")
    registry = Registry()
    scored = [name for name in METRICS if _metric(registry, name, mel.sample_rate) is not None]
    naturalness = importlib.util.find_spec(NATURALNESS) is not None
    headings = [HEADINGS[name] for name in scored] + ["mel L1", *(["DistillMOS"] if naturalness else [])]
    print(f"| vocoder | {' | '.join(headings)} | real-time factor |\n| --- |{' --- |' * (len(headings) + 1)}")
    for name, vocoder in {"the recording": None, **vocoders}.items():
        made, factor = (sounds, math.nan) if vocoder is None else synthesise(vocoder, sounds, mel)
        values = scores(registry, scored, sounds, made, mel.sample_rate)
        if naturalness:
            values.append(distill_mos(made))
        factor_shown = "" if math.isnan(factor) else f"{factor:.4f}"
        print(f"| {name} | {' | '.join(f'{value:.3f}' for value in values)} | {factor_shown} |")
        if arguments.save is not None:
            save(made, mel.sample_rate, arguments.save / name.replace(" ", "-").replace(",", ""))
    missing = [name for name in METRICS if name not in scored]
    if missing:
        print(f"\nnot installed, and not scored: {', '.join(missing)}")


def held_out(run: Path, count: int) -> tuple[list[Tensor], MelSpace]:
    """Return held-out recordings ``(1, 1, L)`` of whole hops, and the spectrograms' space."""
    trained = sparring.load(run)
    data = Registry().build("data", trained.recipe.data, "data")
    if not isinstance(data, Vocoding) or not isinstance(data.of, Recordings):
        raise SystemExit(f"{run} is no run on audio/vocoding of whole recordings")
    part = data.of.split("test")
    sounds = [part.waveform(index) for index in range(min(count, len(part.recordings)))]
    return [sound[: len(sound) // data.mel.hop * data.mel.hop][None, None] for sound in sounds], data.mel


def trained_vocoder(run: Path, mel: MelSpace) -> Vocoder:
    """Return a run's vocoder, whose spectrograms must be those of the first run."""
    trained = sparring.load(run)
    mel.refuse_mismatch(trained.conditions["mel"], str(run))
    network = trained.networks["generator"]
    assert isinstance(network, Generator)

    def sound(given: Tensor) -> Tensor:
        with torch.inference_mode():
            return lift_generated(network(None, {"mel": given})).sample

    if not hasattr(network, "context"):
        print(f"{run.name}: it hears the whole, and cannot be given pieces")
        return sound
    example = torch.randn(1, mel.mels, 200)
    pieces = torch.cat(list(stream(network, torch.split(example, 40, dim=2))), dim=2)
    print(f"{run.name}: in pieces of 40 frames it differs by at most {(pieces - sound(example)).abs().max():.1e}")
    return sound


def synthesise(vocoder: Vocoder, sounds: list[Tensor], mel: MelSpace) -> tuple[list[Tensor], float]:
    """Return what a vocoder makes of the recordings' spectrograms, and its time as a share of their duration."""
    spectrograms = [mel.analyse(sound[:, 0]) for sound in sounds]
    vocoder(spectrograms[0])  # warms up
    start = time.process_time()
    made = [vocoder(given) for given in spectrograms]
    spent = time.process_time() - start
    return made, spent / (sum(sound.shape[2] for sound in sounds) / mel.sample_rate)


def scores(registry: Registry, names: list[str], sounds: list[Tensor], made: list[Tensor], rate: int) -> list[float]:
    """Return the metrics' main values, and the mean mel L1 of HiFi-GAN's loss."""
    values = []
    for name in names:
        metric = _metric(registry, name, rate)
        assert metric is not None
        metric.reset()
        for real, fake in zip(sounds, made, strict=True):
            metric.update(Batch(real), Batch(fake))
        values.append(next(iter(metric.compute().values())))
    term = MelL1(WaveformSpace(rate))
    distances = [
        term(Context({"generator": _Made(fake)}, Batch(real))) for real, fake in zip(sounds, made, strict=True)
    ]
    return [*values, torch.stack(distances).mean().item()]


class _Made(Generator):
    """Stands for a generator that has made its sound already."""

    latent_shape = None

    def __init__(self, sample: Tensor) -> None:
        super().__init__()
        self.sample = (sample,)

    def forward(self, latent: Tensor | None, condition: Mapping[str, Tensor]) -> Tensor:
        return self.sample[0]


def distill_mos(made: list[Tensor]) -> float:
    """Return the mean naturalness that DistillMOS predicts, from 1 to 5, without a reference; at 16 kHz."""
    distillmos = importlib.import_module(NATURALNESS)
    with contextlib.redirect_stdout(io.StringIO()):  # it tells where its weights are from
        model = distillmos.ConvTransformerSQAModel().eval()
    with torch.no_grad():
        return torch.cat([model(sound[0]).flatten() for sound in made]).mean().item()


def save(made: list[Tensor], rate: int, folder: Path) -> None:
    """Write the sounds, to be listened to."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, sound in enumerate(made):
        (path,) = WaveformSpace(rate, sound.shape[2]).save(sound, folder)
        path.replace(folder / f"sentence-{index:02d}.wav")


def _metric(registry: Registry, name: str, rate: int) -> Metric | None:
    """Return a metric of waveforms, or None where it or what it needs is not installed."""
    try:
        metric = registry.build("metric", name, "metric", space=WaveformSpace(rate))
    except SparringError:
        return None
    assert isinstance(metric, Metric)
    return metric
