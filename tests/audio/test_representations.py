"""The spaces beside log-mel: normalised magnitudes, instantaneous frequencies, and waveforms."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from sparring.errors import DataError
from sparring_audio.frequency_space import InstantaneousFrequencySpace, differences, fold, unfold
from sparring_audio.listening import Listener
from sparring_audio.numbers import RATE, SpokenNumbers, recordings
from sparring_audio.sound_space import SoundSpace
from sparring_audio.sounds import fit
from sparring_audio.spaces import LogMelSpace
from sparring_audio.stft_space import LogStftSpace
from sparring_audio.waveform import WaveformSpace
from tests.audio.files import small_space, tone, write

torch.set_num_threads(1)


def words(space: SoundSpace) -> Tensor:
    """The ten recordings: ``(10, length)``."""
    return torch.stack([fit(take, space.length) for take in recordings()])


def error(found: Tensor, true: Tensor) -> float:
    """The greatest root mean square error of a sound."""
    return float((found - true).square().mean(1).sqrt().max())


# ---- instantaneous frequency ----


@pytest.mark.parametrize(("window", "hop"), [(256, 64), (256, 128), (512, 128), (1024, 256)])
def test_real_sounds_come_back_exactly(window: int, hop: int) -> None:
    """GANSynth's own test of its representation: 1e-5 of full scale; words are spoken at a tenth of it."""
    space = InstantaneousFrequencySpace(RATE, window, hop, frames=6144 // hop + 1, floor=-160.0, ceiling=10.0)
    true = words(space)
    sample = space.analyse(true)
    assert sample.shape == (10, 2, window // 2, space.frames)
    assert sample.abs().max() <= 1
    assert error(space.synthesise(sample), true) < 1e-6


def test_the_default_range_loses_less_than_a_hundred_thousandth() -> None:
    space = InstantaneousFrequencySpace(RATE, frames=48)
    assert error(space.synthesise(space.analyse(words(space))), words(space)) < 1e-5


def test_constant_and_fastest_changing_sounds_are_not_lost() -> None:
    space = InstantaneousFrequencySpace(RATE, window=64, hop=16, frames=16, floor=-160.0, ceiling=10.0)
    steady = torch.full((1, space.length), 0.3)
    fastest = 0.3 * (-1.0) ** torch.arange(space.length)[None]
    true = torch.cat([steady, fastest, steady + fastest])
    assert error(space.synthesise(space.analyse(true)), true) < 1e-6


def test_a_sine_s_instantaneous_frequency_is_its_own() -> None:
    """A sine in the middle of row k advances by 2π · k · hop / window from frame to frame: here a quarter of a turn."""
    space = InstantaneousFrequencySpace(RATE, window=256, hop=64, frames=20)
    row = 33
    sine = tone(row * RATE / 256, space.seconds, RATE, level=1.0)
    level, frequency = space.encode(sine)
    assert frequency[row, 4:-4].mean().item() == pytest.approx(0.5, abs=1e-3)
    assert space.decibels(level[row, 4:-4]).mean().item() == pytest.approx(0, abs=0.05)


def test_silence_is_the_same_everywhere() -> None:
    space = InstantaneousFrequencySpace(RATE, window=64, hop=16, frames=16)
    sample = space.analyse(torch.zeros(1, space.length))
    assert (sample[:, 0] == -1).all()
    assert (sample[:, 1] == 0).all()
    assert not space.synthesise(sample).any()


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**31), turns=st.floats(0.1, 10))
def test_differences_add_up_to_the_angles(seed: int, turns: float) -> None:
    draw = torch.Generator().manual_seed(seed)
    angle = (torch.rand(2, 3, 20, generator=draw, dtype=torch.float64) * 2 - 1) * math.pi * turns
    steps = differences(angle)
    assert steps[:, :, 1:].abs().max() <= math.pi + 1e-9
    again = steps.cumsum(2)
    torch.testing.assert_close(torch.polar(torch.ones_like(again), again), torch.polar(torch.ones_like(again), angle))


def test_folding_loses_nothing() -> None:
    spectrum = torch.fft.rfft(torch.randn(3, 5, 16, generator=torch.Generator().manual_seed(0))).transpose(1, 2)
    assert fold(spectrum).shape == (3, 8, 5)
    torch.testing.assert_close(unfold(fold(spectrum)), spectrum)


# ---- normalised log magnitudes ----


def test_every_frequency_is_measured_against_the_data() -> None:
    space = LogStftSpace(RATE, window=128, hop=64, frames=64).fitted(words(LogStftSpace(RATE, 128, 64, 64)))
    sample = space.analyse(words(space))
    assert sample.shape == (10, 1, 64, 64)
    # In units of `clip` deviations: mean 0, and a third of a unit. Few values are clipped.
    assert sample.mean((0, 1, 3)).abs().max() < 0.01
    assert (sample.std((0, 1, 3)) * 3 - 1).abs().max() < 0.05
    loud = space.encode(tone(1000.0, space.seconds, level=1.0))
    assert loud.abs().max() == 1  # clipped: nothing so loud was among the words


def test_the_space_comes_back_from_a_run_s_record() -> None:
    data = SpokenNumbers(LogStftSpace(RATE, window=32, hop=16, frames=16), variants=10)
    space = data.space
    assert isinstance(space, LogStftSpace)
    again = LogStftSpace(**space.options())
    raw = tone(700.0, 0.02)
    assert torch.equal(again.encode(raw), space.encode(raw))
    assert again.fitted(torch.zeros(1, again.length)) is again  # given statistics are kept
    again.refuse_mismatch(space)
    other = LogStftSpace(**{**space.options(), "mean": [value + 2 for value in space.mean or []], "hop": 8})
    with pytest.raises(DataError) as caught:
        space.refuse_mismatch(other)
    assert "hop 16 here and 8 there" in caught.value.what
    assert "mean differs by up to 2 dB" in caught.value.what


def test_statistics_are_those_of_training_clips_alone() -> None:
    space = LogStftSpace(RATE, window=32, hop=16, frames=16)
    first, second = (SpokenNumbers(space, variants=10, held_out=share).space for share in (0.2, 0.5))
    assert isinstance(first, LogStftSpace)
    assert isinstance(second, LogStftSpace)
    assert first.mean != second.mean


def test_griffin_lim_makes_a_sound_of_this_spectrogram() -> None:
    space = LogStftSpace(RATE, window=256, hop=64, frames=97, clip=8.0)
    space = space.fitted(words(space))
    sample = space.analyse(words(space))
    again = space.analyse(space.synthesise(sample))
    loud = space.decibels(sample) > -50
    difference = (space.decibels(again) - space.decibels(sample))[loud]
    assert difference.abs().mean() < 2  # dB


def test_a_space_without_statistics_says_so() -> None:
    with pytest.raises(DataError) as caught:
        LogStftSpace().encode(tone(rate=16000, seconds=0.1))
    assert "environment.json" in caught.value.remedy


def test_silence_has_finite_statistics() -> None:
    space = LogStftSpace(RATE, window=32, hop=16, frames=16)
    fitted = space.fitted(torch.zeros(3, space.length))
    assert fitted.analyse(torch.zeros(1, space.length)).isfinite().all()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"window": 31}, "not even"),
        ({"hop": 17}, "hop of 17 samples"),
        ({"frames": 1}, "1 frames are too few"),
        ({"clip": 0.0}, "clip is 0.0"),
        ({"iterations": 0}, "iterations"),
        ({"mean": [0.0]}, "only one is given"),
        ({"mean": [0.0], "deviation": [1.0]}, "1 and 1 values, and there are 16"),
        ({"mean": [0.0] * 16, "deviation": [0.0] * 16}, "not above 0"),
    ],
)
def test_settings_of_magnitudes_that_make_no_sense_are_refused(change: dict[str, object], said: str) -> None:
    with pytest.raises(DataError) as caught:
        LogStftSpace(**{"window": 32, "hop": 16, "frames": 16, **change})  # type: ignore[arg-type]
    assert said in caught.value.what


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"window": 31}, "not even"),
        ({"hop": 0}, "hop of 0 samples"),
        ({"frames": 1}, "1 frames are too few"),
        ({"floor": 0.0}, "not below the ceiling"),
        ({"sample_rate": 0}, "sample_rate"),
    ],
)
def test_settings_of_frequencies_that_make_no_sense_are_refused(change: dict[str, object], said: str) -> None:
    with pytest.raises(DataError) as caught:
        InstantaneousFrequencySpace(**{"window": 32, "hop": 8, "frames": 16, **change})  # type: ignore[arg-type]
    assert said in caught.value.what


# ---- waveforms, and what all have in common ----


def test_waveforms_are_kept_as_they_are(tmp_path: Path) -> None:
    space = WaveformSpace(RATE, length=4000)
    sound = tone()
    assert space.shape == (1, 4000)
    assert space.seconds == 0.5
    assert np.array_equal(space.decode(space.encode(sound)), sound)
    assert space.encode(tone(level=1.5)).max() == 1
    (path,) = space.save(space.encode(sound)[None], tmp_path)
    assert soundfile.info(path).frames == 4000
    with pytest.raises(DataError, match="above 0"):
        WaveformSpace(length=0)


def spaces() -> list[SoundSpace]:
    stft = LogStftSpace(RATE, window=64, hop=32, frames=40)
    return [
        small_space(),
        stft.fitted(words(stft)),
        InstantaneousFrequencySpace(RATE, window=64, hop=16, frames=40),
        WaveformSpace(RATE, length=2000),
    ]


@pytest.mark.parametrize("space", spaces(), ids=lambda space: type(space).__name__)
def test_every_space_takes_odd_sounds_and_refuses_what_does_not_fit(space: SoundSpace, tmp_path: Path) -> None:
    stereo = np.stack([tone(seconds=0.1), -tone(seconds=0.1, frequency=700.0)], axis=1)
    odd = {
        "8bit": write(tmp_path / "8.wav", tone(seconds=0.1), subtype="PCM_U8"),
        "24bit": write(tmp_path / "24.wav", tone(seconds=0.1), subtype="PCM_24"),
        "stereo": write(tmp_path / "2.wav", stereo),
        "silence": write(tmp_path / "0.wav", np.zeros(800, dtype=np.float32)),
        "shorter than a window": write(tmp_path / "short.wav", tone(seconds=0.001)),
    }
    for name, path in odd.items():
        sample = space.encode(path)
        assert sample.shape == space.shape, name
        assert sample.isfinite().all(), name
        assert np.isfinite(space.decode(sample)).all(), name
    with pytest.raises(DataError) as caught:
        space.encode(write(tmp_path / "fast.wav", tone(rate=96000), 96000))
    assert "96000 Hz" in caught.value.what
    assert "8000 Hz" in caught.value.what
    write(tmp_path / "nan.wav", np.full(100, np.nan, dtype=np.float32), subtype="FLOAT")
    with pytest.raises(DataError, match="not finite"):
        space.encode(tmp_path / "nan.wav")
    (tmp_path / "text.wav").write_text("not a sound")
    with pytest.raises(DataError, match="no sound format"):
        space.encode(tmp_path / "text.wav")


@pytest.mark.parametrize("space", spaces(), ids=lambda space: type(space).__name__)
def test_every_space_gives_a_listener_the_pitch_and_the_level(space: SoundSpace) -> None:
    listener = Listener(space, "test")
    # A second at least: the small spaces' clips are short, and the frames at the edges see half a window of silence.
    heard = listener(space.encode(tone(1000.0, 1.0, level=0.5))[None])
    spectrogram = listener.space.decibels(heard)[0, 0]
    middle = spectrogram[:, spectrogram.shape[1] // 3 : spectrogram.shape[1] // 2].mean(1)
    bands = torch.linspace(_mel(listener.space.lowest), _mel(listener.space.highest), listener.space.mels + 2)[1:-1]
    assert abs(bands[middle.argmax()] - _mel(1000.0)) < 150


def _mel(frequency: float) -> float:
    """O'Shaughnessy's scale."""
    return 2595 * math.log10(1 + frequency / 700)


def test_spaces_of_different_kinds_do_not_agree() -> None:
    listed = spaces()
    for space in listed:
        space.refuse_mismatch(space)
        for other in listed:
            if other is not space:
                with pytest.raises(DataError) as caught:
                    space.refuse_mismatch(other)
                assert type(space).__name__ in caught.value.what
                assert type(other).__name__ in caught.value.what
    assert isinstance(Listener(WaveformSpace(44100, 16384), "test").space, LogMelSpace)
