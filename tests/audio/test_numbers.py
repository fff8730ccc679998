"""The spoken numbers: ten words, their credits, and variants that differ a little, the same on every machine."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest
import soundfile
import torch

from sparring.errors import DataError
from sparring.interfaces.data import Batch, Data
from sparring.spaces.label import LabelSpace
from sparring_audio import numbers
from sparring_audio.numbers import RATE, WORDS, SpokenNumbers, recordings
from sparring_audio.sounds import decibels
from sparring_audio.spaces import LogMelSpace
from sparring_audio.variation import LOUDNESS, Variation, vary
from tests.audio.files import small_space, tone

FOLDER = Path(str(files("sparring_audio") / "numbers_data"))
NONE = Variation(pitch=0.0, tempo=0.0, level=0.0, place=0.0)


def everything(data: Data) -> Batch:
    return data.gather(torch.arange(len(data)), rng=torch.Generator())


def pitch_of(waveform: torch.Tensor) -> float:
    """The loudest frequency, in Hz."""
    return float(torch.fft.rfft(waveform).abs().argmax()) * RATE / len(waveform)


def test_the_recordings_ship_with_their_credits() -> None:
    assert sorted(path.name for path in FOLDER.iterdir()) == sorted(["CREDITS.md", *(f"{word}.flac" for word in WORDS)])
    for word in WORDS:
        about = soundfile.info(FOLDER / f"{word}.flac")
        assert (about.samplerate, about.channels, about.subtype) == (RATE, 1, "PCM_16")
        assert 0.5 < about.duration < 1.0
    credits = (FOLDER / "CREDITS.md").read_text(encoding="utf-8")
    for fact in ("Allison Smith", "Asterisk", "Digium", "asterisk-core-sounds-en-wav", "1.6.1-1", "CC-BY-SA-3.0"):
        assert fact in credits
    assert "https://creativecommons.org/licenses/by-sa/3.0/" in credits
    assert "Changes:" in credits
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 150_000


def test_the_recordings_are_words_without_silence_around_them() -> None:
    found = recordings()
    assert len(found) == 10
    for waveform in found:
        assert 0.4 < len(waveform) / RATE < 0.775
        assert decibels(waveform.square().mean()) > -30


def test_ten_words_with_as_many_variants_each() -> None:
    data = SpokenNumbers(variants=20)
    assert isinstance(data.space, LogMelSpace)
    assert data.space.shape == (1, 40, 64)
    label = data.conditions["label"]
    assert isinstance(label, LabelSpace)
    assert label.classes == ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    training, test = everything(data), everything(data.split("test"))
    assert torch.bincount(training.condition["label"]).tolist() == [16] * 10
    assert torch.bincount(test.condition["label"]).tolist() == [4] * 10
    assert training.sample.dtype == torch.float32
    assert training.sample.abs().max() <= 1
    rows = {row.numpy().tobytes() for row in torch.cat([training.sample, test.sample])}
    assert len(rows) == 200  # no variant is made twice, so that disjoint rows are disjoint sounds
    assert "one recorded take" in data.notes[0]


def test_the_same_seed_makes_the_same_variants() -> None:
    first = everything(SpokenNumbers(small_space(), variants=10)).sample
    numbers._samples.cache_clear()
    assert torch.equal(first, everything(SpokenNumbers(small_space(), variants=10)).sample)
    assert not torch.equal(first, everything(SpokenNumbers(small_space(), variants=10, seed=1)).sample)
    numbers._samples.cache_clear()
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        SpokenNumbers(small_space(), variants=10)
    again = SpokenNumbers(small_space(), variants=10)
    assert torch.equal(first, everything(again).sample)
    assert not again._rows.sample.is_inference()


def test_variants_are_as_loud_and_as_long_as_speech() -> None:
    data = SpokenNumbers(variants=10)
    space = data.space
    assert isinstance(space, LogMelSpace)
    level = space.decibels(everything(data).sample)
    loudest = level.amax((1, 2, 3))
    assert loudest.max() < 0  # nothing is cut off at the ceiling
    assert loudest.min() > -30
    heard = (level.amax(2) > -40).float().sum(2)[:, 0] * space.hop / RATE
    assert heard.min() > 0.15
    assert heard.max() < space.seconds


def test_without_labels_there_is_no_condition() -> None:
    data = SpokenNumbers(small_space(), variants=10, labels=False)
    assert not data.conditions
    assert not everything(data).condition


def test_the_changes_are_those_that_were_asked_for() -> None:
    sound = torch.from_numpy(tone(500.0, 0.3))
    draw = torch.Generator().manual_seed(0)
    plain = vary(sound, RATE, 4000, 3, NONE, draw)
    assert plain.shape == (3, 4000)
    assert torch.equal(plain[0], plain[1])
    assert 10 * plain[0].square().mean().log10().item() == pytest.approx(LOUDNESS, abs=0.01)
    assert pitch_of(plain[0]) == pytest.approx(500, abs=3)
    higher = vary(sound, RATE, 4000, 30, NONE._replace(pitch=2.0), draw)
    found = torch.tensor([pitch_of(row) for row in higher])
    assert 500 / 2 ** (2 / 12) - 4 < found.min() < 470
    assert 530 < found.max() < 500 * 2 ** (2 / 12) + 4
    lasting = [(row.abs() > 0.05).nonzero().flatten() for row in higher]
    lengths = torch.tensor([float(one[-1] - one[0]) / RATE for one in lasting])
    assert (lengths - 0.3).abs().max() < 0.03  # the pitch alone has changed
    slower = vary(sound, RATE, 4000, 30, NONE._replace(tempo=0.2), draw)
    found = torch.tensor([pitch_of(row) for row in slower])
    assert (found - 500).abs().max() < 4  # the tempo alone has changed
    lasting = [(row.abs() > 0.05).nonzero().flatten() for row in slower]
    lengths = torch.tensor([float(one[-1] - one[0]) / RATE for one in lasting])
    assert lengths.min() < 0.28
    assert lengths.max() > 0.33
    moved = vary(sound, RATE, 4000, 30, NONE._replace(place=1.0), draw)
    starts = torch.tensor([float((row.abs() > 0.05).nonzero()[0]) for row in moved])
    assert starts.min() < 400
    assert starts.max() > 1200
    level = 10 * vary(sound, RATE, 4000, 30, NONE._replace(level=6.0), draw).square().mean(1).log10()
    assert LOUDNESS - 6 <= level.min() < LOUDNESS - 3
    assert LOUDNESS + 3 < level.max() <= LOUDNESS + 6.01


def test_a_sound_longer_than_the_clip_keeps_its_middle_and_none_is_clipped() -> None:
    sound = torch.cat([torch.zeros(2000), torch.from_numpy(tone(500.0, 0.25)), torch.zeros(2000)])
    made = vary(sound, RATE, 2000, 2, NONE._replace(level=30.0), torch.Generator().manual_seed(0))
    assert made.square().mean(1).min() > 0
    assert made.abs().max() <= 0.951


def test_what_does_not_fit_is_said() -> None:
    with pytest.raises(DataError) as caught:
        SpokenNumbers(LogMelSpace())
    assert "8000 Hz" in caught.value.what
    assert "16000 Hz" in caught.value.what
    with pytest.raises(DataError, match="LabelSpace"):
        SpokenNumbers(LabelSpace(["a"]))
    with pytest.raises(DataError, match="too few"):
        SpokenNumbers(variants=3)
    with pytest.raises(DataError, match="'validation'"):
        SpokenNumbers(small_space(), variants=10).split("validation")
    with pytest.raises(DataError, match="'test'"):
        SpokenNumbers(small_space(), variants=10, held_out=0.0).split("test")
