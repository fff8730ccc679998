"""How well synthesised sentences are understood: word errors of held-out texts, beside those of the recordings.

A recogniser listens to the recordings, to the recordings' own spectrograms made into sound again, and to what a run of
audio/tts says when it is given the text alone. Sound is made by Griffin-Lim, and by each vocoder's run that is named.
Pitch and loudness are those of voiced frames, by the plugin's own measures; the real-time factor is the processor's
time on one thread, from text to spectrogram and from spectrogram to sound, as a share of the sound's duration.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

import sparring
from sparring.plugins.registry import Registry
from sparring_audio.contours import pitch_by_hop
from sparring_audio.mels import MelSpace
from sparring_audio.metrics.words import edits, whisper, words
from sparring_audio.spoken_sentences import SpokenSentences, pitch_of, timed
from sparring_audio.spoken_text import SpokenText
from tests.benchmarks.vocoders import save, trained_vocoder

Vocoder = Callable[[Tensor], Tensor]
"""Maps a spectrogram ``(1, M, T)`` to a waveform ``(1, 1, T * hop)``."""

ITERATIONS = 60  # of Griffin-Lim


class Sentence(NamedTuple):
    """A held-out recording ``(1, 1, L)``, what is said, and that text as the recording's times and pitch have it."""

    sound: Tensor
    text: str
    as_spoken: Tensor


def main() -> None:
    """Make the sounds, have them recognised, and print a table in Markdown."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks tts", description=__doc__)
    parser.add_argument("--run", type=Path, action="append", required=True, help="the folder of a run of audio/tts")
    parser.add_argument("--vocoder", type=Path, action="append", default=[], help="the folder of a vocoder's run")
    parser.add_argument("--model", type=Path, required=True, help="the folder of a multilingual Whisper model")
    parser.add_argument("--count", type=int, default=31, help="held-out recordings")
    parser.add_argument("--save", type=Path, help="a folder for the sounds")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    data = held_out(arguments.run[0])
    mel, text = data.space, data.conditions["text"]
    assert isinstance(text, SpokenText)
    sentences = sentences_of(data, text, arguments.count)
    vocoders: dict[str, Vocoder] = {
        f"Griffin-Lim-{ITERATIONS}": lambda given: mel.synthesise(given, ITERATIONS)[:, None]
    }
    vocoders |= {run.name: trained_vocoder(run, mel) for run in arguments.vocoder}
    judge = Judge(sentences, mel, whisper(arguments.model, "ru"), arguments.save)
    seconds = sum(one.sound.shape[2] for one in sentences) / mel.sample_rate
    print(f"{len(sentences)} held-out sentences, {judge.total} words, {seconds:.1f} s\n")
    print("| sound | word error rate | seconds | pitch, Hz (spread, semitones) | loudness, dB | real-time factor |")
    print("| --- | --- | --- | --- | --- | --- |")
    judge.row("recording", [one.sound for one in sentences], None)
    for how, vocoder in vocoders.items():
        judge.row(
            f"recording's spectrogram, {how}",
            *timing(lambda one, v=vocoder: v(mel.analyse(one.sound[:, 0])), sentences),
        )
    for run in arguments.run:
        for how, vocoder in vocoders.items():
            speak(run, how, vocoder, judge)


class Judge:
    """Listens to what was made of the sentences, and prints a row of the table."""

    def __init__(
        self, sentences: list[Sentence], mel: MelSpace, recognise: Callable[[Tensor], str], folder: Path | None
    ) -> None:
        self.sentences, self.mel, self.recognise, self.folder = sentences, mel, recognise, folder
        self.total = sum(len(words(one.text)) for one in sentences)

    def row(self, name: str, made: list[Tensor], spent: float | None) -> None:
        pairs = zip(self.sentences, made, strict=True)
        wrong = sum(edits(words(one.text), words(self.recognise(sound[0, 0]))) for one, sound in pairs)
        lasting = sum(sound.shape[2] for sound in made) / self.mel.sample_rate
        factor = "" if spent is None else f"{spent / lasting:.3f}"
        print(f"| {name} | {wrong / self.total:.3f} | {lasting:.1f} | {heard(made, self.mel)} | {factor} |", flush=True)
        if self.folder is not None:
            save(made, self.mel.sample_rate, self.folder / name.replace(" ", "-").replace(",", ""))


def speak(run: Path, how: str, vocoder: Vocoder, judge: Judge) -> None:
    """Judge what a run says, given the text alone, and given the recording's own durations and pitch beside it."""
    trained = sparring.load(run)
    judge.mel.refuse_mismatch(trained.space, str(run))
    text = trained.conditions["text"]

    def sound(given: Tensor) -> Tensor:
        return vocoder(trained.generate(1, condition={"text": given[None]}).sample)

    judge.row(f"{run.name}, text alone, {how}", *timing(lambda one: sound(text.encode(one.text)), judge.sentences))
    made, spent = timing(lambda one: sound(one.as_spoken), judge.sentences)
    judge.row(f"{run.name}, with the recording's durations and pitch, {how}", made, spent)


def held_out(run: Path) -> SpokenSentences:
    """Return the sentences that a run held out."""
    data = Registry().build("data", sparring.load(run).recipe.data, "data")
    if not isinstance(data, SpokenSentences):
        raise SystemExit(f"{run} is no run on audio/spoken-sentences")
    return data.split("test")


def sentences_of(data: SpokenSentences, text: SpokenText, count: int) -> list[Sentence]:
    """Return whole recordings of whole hops."""
    found, mel = [], data.space
    for index, utterance in enumerate(data.of.utterances[:count]):
        waveform = data.of.waveform(index)
        frames = len(waveform) // mel.hop
        symbols, durations, begin = timed(utterance.text, utterance.phones, mel.sample_rate / mel.hop, frames)
        pitch = pitch_by_hop(waveform, mel.sample_rate, mel.hop)[begin : begin + sum(durations)]
        spoken = text.pack(symbols, durations, pitch_of(pitch, durations))
        found.append(Sentence(waveform[None, None, : frames * mel.hop], utterance.text.replace("+", ""), spoken))
    return found


def timing(make: Callable[[Sentence], Tensor], sentences: list[Sentence]) -> tuple[list[Tensor], float]:
    """Return what is made of each sentence, and the processor time of all."""
    make(sentences[0])  # warms up
    start = time.process_time()
    made = [make(one) for one in sentences]
    return made, time.process_time() - start


def heard(made: list[Tensor], mel: MelSpace) -> str:
    """Return the median pitch and its spread, and the loudness, of voiced frames."""
    pitches, powers = [], []
    for sound in made:
        pitch_T = pitch_by_hop(sound[0, 0], mel.sample_rate, mel.hop)
        voiced_T = pitch_T > 0
        pitches.append(pitch_T[voiced_T])
        powers.append(sound[0, 0].unfold(0, mel.hop, mel.hop).square().mean(1)[: len(voiced_T)][voiced_T])
    pitch = torch.cat(pitches)
    spread = 12 * pitch.log2().std()
    return f"{pitch.median():.0f} ({spread:.1f}) | {10 * torch.cat(powers).mean().log10():.1f}"


if __name__ == "__main__":
    main()
