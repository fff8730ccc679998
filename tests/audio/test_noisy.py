"""Noise at stated ratios, and sounds without their upper frequencies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from sparring.data.memory import MemoryData
from sparring.errors import DataError
from sparring.interfaces.data import Batch
from sparring_audio.band_limited import BandLimited, limited
from sparring_audio.noisy import VOICES, Kind, Noisy, coloured, mixed
from sparring_audio.numbers import SpokenNumbers
from sparring_audio.waveform import WaveformSpace
from tests.audio.files import fill, tone, write

torch.set_num_threads(1)

SPACE = WaveformSpace(8000, 4000)
KINDS: list[Kind] = ["white", "coloured", "babble"]


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def tones(count: int = 30) -> MemoryData:
    made = torch.stack([torch.from_numpy(tone(200.0 + 50 * index, 0.5, 8000, 0.3)) for index in range(count)])
    return MemoryData(SPACE, made[:, None], held_out={"test": torch.arange(20, count)})


def ratios(batch: Batch) -> Tensor:
    noise = batch.condition["noisy"] - batch.sample
    return 10 * (batch.sample.square().mean((1, 2)) / noise.square().mean((1, 2))).log10()


@settings(max_examples=40, deadline=None)
@given(ratio=st.floats(-20, 40), level=st.floats(0.01, 1.0), loud=st.floats(1e-3, 100))
def test_the_ratio_is_the_one_that_was_asked_for(ratio: float, level: float, loud: float) -> None:
    clean = level * torch.sin(torch.arange(3000) / 5)[None]
    noise = loud * torch.randn(1, 3000, generator=rng())
    sound, noisy = mixed(clean, noise, torch.tensor([ratio]))
    assert max(sound.abs().max(), noisy.abs().max()) <= 1
    found = 10 * (sound.square().mean() / (noisy - sound).square().mean()).log10()
    assert float(found) == pytest.approx(ratio, abs=0.1)
    # Where it had to be made quieter, the clean sound is the same but for that.
    assert torch.allclose(sound / sound.abs().max(), clean / clean.abs().max(), atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_noise_keeps_to_the_bounds(kind: Kind) -> None:
    data = Noisy(tones(), [kind], lowest=3.0, highest=6.0)
    for part in (data, data.split("test")):
        batch = part.gather(torch.arange(10), rng=rng())
        found = ratios(batch)
        assert found.min() > 2.95
        assert found.max() < 6.05
        assert found.std() > 0.2
        assert batch.condition["noisy"].abs().max() <= 1


def test_training_draws_anew_and_held_out_clips_keep_their_noise() -> None:
    data = Noisy(tones())
    indices = torch.tensor([3, 3, 7])
    first, second = (data.gather(indices, rng=rng(seed)).condition["noisy"] for seed in (1, 2))
    assert not torch.equal(first, second)
    assert not torch.equal(first[0], first[1])
    test = data.split("test")
    first, second = (test.gather(indices, rng=rng(seed)).condition["noisy"] for seed in (1, 2))
    assert torch.equal(first, second)
    assert torch.equal(first[0], first[1])
    other = Noisy(tones(), seed=1).split("test").gather(indices, rng=rng(1)).condition["noisy"]
    assert not torch.equal(first, other)


def test_coloured_noise_falls_with_frequency() -> None:
    white = torch.randn(2**16, generator=rng())
    for slope in (0.5, 1.0, 2.0):
        power = torch.fft.rfft(coloured(white, slope)).abs().square()
        low, high = power[500:1000].mean(), power[4000:8000].mean()
        assert float((low / high).log2()) == pytest.approx(3 * slope, abs=0.2)
        assert coloured(white, slope).isfinite().all()


def test_babble_is_made_of_clips_of_the_same_split() -> None:
    """Training tones are below 1,200 Hz and held-out ones above: neither hears the other's."""
    data = Noisy(tones(), ["babble"], lowest=0, highest=0)
    for part, held_out in ((data, False), (data.split("test"), True)):
        batch = part.gather(torch.tensor([0]), rng=rng())
        spectrum = torch.fft.rfft((batch.condition["noisy"] - batch.sample)[0, 0]).abs()
        found = (spectrum > 0.2 * spectrum.max()).nonzero().flatten() * 2.0  # Hz
        assert len(found) <= 3 * VOICES
        assert bool((found > 1190).all()) == held_out


def test_recorded_noise_is_split_in_time(tmp_path: Path) -> None:
    """The first four fifths are a low tone, the rest a high one: held-out clips hear that alone."""
    write(tmp_path / "noise.wav", np.concatenate([tone(500.0, 8.0, 8000), tone(3000.0, 2.0, 8000)]), 8000)
    data = Noisy(tones(), [], recorded=tmp_path, lowest=0, highest=0)
    for part, frequency in ((data, 500), (data.split("test"), 3000)):
        batch = part.gather(torch.arange(5), rng=rng())
        noise = batch.condition["noisy"] - batch.sample
        loudest = torch.fft.rfft(noise[:, 0]).abs().argmax(1) * 2
        assert (loudest - frequency).abs().max() <= 2


def test_silence_gets_quiet_noise() -> None:
    silent = MemoryData(SPACE, torch.zeros(4, 1, 4000))
    noisy = Noisy(silent, ["white"]).gather(torch.arange(4), rng=rng()).condition["noisy"]
    assert 10 * noisy.square().mean().log10() == pytest.approx(-40, abs=0.5)
    babble = Noisy(silent, ["babble"]).gather(torch.arange(4), rng=rng()).condition["noisy"]
    assert babble.isfinite().all()


def test_mistakes_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no noise to mix in"):
        Noisy(tones(), [])
    with pytest.raises(DataError, match="would have no noise"):
        Noisy(tones(), held_out_noises=[])
    with pytest.raises(DataError, match="larger than"):
        Noisy(tones(), lowest=5, highest=0)
    with pytest.raises(DataError, match="LogMelSpace") as caught:
        Noisy(SpokenNumbers(variants=10))
    assert "audio/waveform" in caught.value.remedy
    fill(tmp_path, 1, seconds=0.2)
    (tmp_path / "text.wav").write_text("no sound")
    write(tmp_path / "silent.wav", np.zeros(16000, dtype=np.float32))
    with pytest.raises(DataError, match="none of the 3 recorded noises can be used"):
        Noisy(tones(), recorded=tmp_path)
    write(tmp_path / "noise.flac", tone(500.0, 2.0, 44100), 44100)
    notes = Noisy(tones(), recorded=tmp_path).notes
    assert len(notes) == 3
    assert all(str(tmp_path) in note for note in notes)
    for rate in (0, 8000, 9000):
        with pytest.raises(DataError, match=f"a sample rate of {rate} Hz"):
            BandLimited(tones(), rate=rate)


def test_upper_frequencies_are_taken_away_and_lower_ones_stay() -> None:
    time = torch.arange(8000) / 16000
    low, high = (0.4 * torch.sin(2 * torch.pi * frequency * time)[None, None] for frequency in (1000, 6000))
    narrow = limited(low + high, 16000, 8000)
    assert narrow.shape == low.shape
    inner = slice(200, -200)
    assert (narrow - low)[..., inner].abs().max() < 0.01
    data = BandLimited(MemoryData(WaveformSpace(16000, 8000), low + high), rate=8000)
    batch = data.gather(torch.tensor([0]), rng=rng())
    assert torch.equal(batch.condition["narrow"], narrow)
    assert torch.equal(batch.sample, low + high)
    for length in (1, 77):
        assert limited(torch.zeros(1, 1, length), 16000, 7000).shape == (1, 1, length)
