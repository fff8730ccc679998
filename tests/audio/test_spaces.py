"""Sounds to tensors and back: what the values mean, what is lost, and what is refused."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from sparring.errors import DataError
from sparring.spaces.label import LabelSpace
from sparring_audio.numbers import SpokenNumbers, recordings
from sparring_audio.pictures import grid
from sparring_audio.sounds import fit
from sparring_audio.spaces import LogMelSpace
from tests.audio.files import small_space, tone, write


@pytest.fixture(scope="module")
def space() -> LogMelSpace:
    """The default space of audio/spoken-numbers."""
    space = SpokenNumbers(variants=10).space
    assert isinstance(space, LogMelSpace)
    return space


def test_the_length_follows_from_the_frames(space: LogMelSpace) -> None:
    assert space.shape == (1, 40, 64)
    assert space.length == 63 * 100
    assert space.seconds == pytest.approx(0.7875)
    assert space.encode(np.zeros(space.length, dtype=np.float32)).shape == space.shape
    assert space.decode(torch.zeros(space.shape)).shape == (space.length,)
    assert space.decode(torch.zeros(space.shape)).dtype == np.float32


def test_speech_survives_the_way_to_a_spectrogram_and_back(space: LogMelSpace) -> None:
    """Log-mel, Griffin-Lim, log-mel again: within three decibels on average where there is sound."""
    waveforms = torch.stack([fit(word, space.length) for word in recordings()])
    before = space.analyse(waveforms)
    after = space.analyse(space.synthesise(before))
    loud = space.decibels(before) > -50
    difference = (space.decibels(before) - space.decibels(after)).abs()
    assert difference[loud].mean() < 1.5
    assert difference.mean() < 1.5
    assert difference.square().mean().sqrt() < 3.0
    # The sound is as loud as it was.
    energy = space.synthesise(before).square().sum(1) / waveforms.square().sum(1)
    assert 10 * energy.log10().abs().max() < 1.0


def test_silence_stays_silent_and_the_range_is_kept(space: LogMelSpace) -> None:
    silent = space.encode(np.zeros(100, dtype=np.float32))
    assert torch.equal(silent, -torch.ones(space.shape))
    assert np.abs(space.decode(silent)).max() == 0
    loud = space.encode(tone(1000.0, 0.7, level=8.0))
    assert loud.max() == 1
    assert loud.min() >= -1
    strange = torch.full(space.shape, torch.nan)
    strange[0, 5] = torch.inf
    assert np.isfinite(space.decode(strange)).all()


def test_values_are_decibels_between_floor_and_ceiling() -> None:
    space = LogMelSpace(8000, window=512, hop=128, mels=20, frames=20, highest=4000.0, floor=-60.0, ceiling=-20.0)
    assert space.decibels(torch.tensor([-1.0, 0.0, 1.0, 2.0])).tolist() == [-60, -40, -20, -20]
    louder, quieter = (space.encode(tone(1000.0, 0.4, level=level)) for level in (0.02, 0.01))
    inside = (quieter > -1) & (louder < 1)
    assert inside.any()
    assert ((louder - quieter)[inside] * 20).mean().item() == pytest.approx(20 * np.log10(2), abs=0.01)


def test_short_sounds_lie_in_the_middle_and_long_ones_lose_their_end() -> None:
    assert fit(torch.ones(3), 7).tolist() == [0, 0, 1, 1, 1, 0, 0]
    assert fit(torch.arange(5), 3).tolist() == [0, 1, 2]
    assert fit(torch.ones(4), 4).tolist() == [1, 1, 1, 1]


def test_files_pairs_and_waveforms_give_the_same(tmp_path: Path) -> None:
    space, sound = small_space(), tone(500.0, 0.2)
    path = write(tmp_path / "tone.wav", sound, subtype="FLOAT")
    expected = space.encode(sound)
    for raw in (path, str(path), (sound, 8000), torch.from_numpy(sound), sound.astype(np.float64)):
        torch.testing.assert_close(space.encode(raw), expected)


def test_another_sample_rate_is_refused_with_both_values(tmp_path: Path) -> None:
    path = write(tmp_path / "fast.wav", tone(rate=44100), rate=44100)
    with pytest.raises(DataError) as caught:
        small_space().encode(path)
    assert "44100 Hz" in caught.value.what
    assert "8000 Hz" in caught.value.what
    assert caught.value.where == str(path)
    assert "resample" in caught.value.remedy
    with pytest.raises(DataError, match="22050 Hz"):
        small_space().encode((tone(), 22050))


def test_spaces_that_differ_are_told_apart_with_both_values() -> None:
    space = small_space()
    options = space.options()
    space.refuse_mismatch(LogMelSpace(**{**options, "iterations": 5}))
    with pytest.raises(DataError) as caught:
        space.refuse_mismatch(LogMelSpace(**{**options, "hop": 64, "highest": 3500.0}), where="the vocoder")
    assert "hop 128 here and 64 there" in caught.value.what
    assert "highest 4000.0 Hz here and 3500.0 Hz there" in caught.value.what
    assert "mels" not in caught.value.what
    assert caught.value.where == "the vocoder"
    with pytest.raises(DataError, match="LabelSpace"):
        space.refuse_mismatch(LabelSpace(["a"]))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"highest": 5000.0}, "highest is 5000.0 Hz, and a sample rate of 8000 Hz"),
        ({"hop": 200}, "hop of 200 samples"),
        ({"hop": 0}, "hop of 0 samples"),
        ({"mels": 128}, "narrower than the 31.2 Hz"),
        ({"mels": 0}, "above 0"),
        ({"frames": 1}, "1 frames are too few"),
        ({"lowest": 4000.0}, "range from 4000.0 to 4000.0 Hz is empty"),
        ({"floor": 0.0}, "not below the ceiling"),
        ({"iterations": 0}, "iterations"),
        ({"window": 2}, "too short"),
    ],
)
def test_settings_that_make_no_sense_are_refused(change: dict[str, float], said: str) -> None:
    with pytest.raises(DataError) as caught:
        LogMelSpace(**{**small_space().options(), **change})  # type: ignore[arg-type]
    assert said in caught.value.what
    assert caught.value.remedy


def test_what_is_no_sound_is_refused(tmp_path: Path) -> None:
    space = small_space()
    for raw in (3, None, np.zeros((2, 100), dtype=np.float32), np.zeros(100, dtype=np.int16), np.array([np.nan]), []):
        with pytest.raises(DataError, match="no sound"):
            space.encode(raw)
    with pytest.raises(DataError, match="no such sound file"):
        space.encode(tmp_path)
    with pytest.raises(DataError, match="shape"):
        space.decode(torch.zeros(3, *space.shape))


def test_saving_writes_playable_files(tmp_path: Path) -> None:
    space = small_space()
    samples = torch.stack([space.encode(tone(frequency, 0.2, level=0.1)) for frequency in (300.0, 900.0)])
    paths = space.save(samples, tmp_path / "new" / "folder")
    assert [path.name for path in paths] == ["00000.wav", "00001.wav"]
    assert space.audible
    for path, sample in zip(paths, samples, strict=True):
        about = soundfile.info(path)
        assert (about.samplerate, about.channels, about.subtype, about.frames) == (8000, 1, "PCM_16", space.length)
        waveform, _ = soundfile.read(path, dtype="float32")
        assert np.abs(waveform - space.decode(sample)).max() < 2 / 32768
        assert np.abs(waveform).max() > 0.1
    assert space.save(samples[:0], tmp_path / "none") == []


def test_a_sound_does_not_depend_on_the_sounds_beside_it() -> None:
    space = small_space()
    samples = torch.rand(6, *space.shape, generator=torch.Generator().manual_seed(0)) * 2 - 1
    together = space.synthesise(samples)
    alone = torch.cat([space.synthesise(row[None]) for row in samples])
    assert (together - alone).abs().max() < 1e-4


def test_what_is_too_loud_for_a_file_is_made_quieter_without_clipping(tmp_path: Path) -> None:
    (path,) = small_space().save(torch.ones(1, *small_space().shape), tmp_path)
    waveform, _ = soundfile.read(path)
    assert 0.99 < np.abs(waveform).max() <= 1
    assert (np.abs(waveform) > 0.99).sum() < 5


def test_a_preview_shows_every_spectrogram_upright() -> None:
    space = small_space()
    samples = -torch.ones(5, *space.shape)
    samples[:, 0, 0, :] = 1  # the lowest band
    picture = space.preview(samples)
    assert isinstance(picture, Image.Image)
    pixels = np.asarray(picture).astype(int)
    # 16x16, enlarged eightfold, in two columns and three rows.
    assert pixels.shape == (3 * 131 + 3, 2 * 131 + 3, 3)
    first = pixels[3:131, 3:131].sum(2)
    assert (first[-8:] > 600).all()
    assert (first[:-8] < 30).all()
    assert (pixels[-100:, -100:] == 255).all()  # the sixth place is empty
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    with pytest.raises(DataError):
        grid(samples[:0])
