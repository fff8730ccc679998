"""Every kind of sound file that people have lying about is read, or refused in words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from sparring.errors import DataError
from sparring_audio.folder import Folder
from sparring_audio.sounds import read_sound, trim
from tests.audio.files import fill, small_space, tone, write

READABLE = [
    *(("wav", subtype) for subtype in ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW")),
    *(("flac", subtype) for subtype in ("PCM_S8", "PCM_16", "PCM_24")),
    *(("aiff", "PCM_16"), ("au", "PCM_16"), ("ogg", "VORBIS"), ("mp3", "MPEG_LAYER_III"), ("caf", "PCM_24")),
]
RATES = [8000, 11025, 16000, 22050, 44100, 48000, 96000, 192000]


def test_the_lists_are_not_empty() -> None:
    assert len(READABLE) > 10
    assert 96000 in RATES


@pytest.mark.parametrize(("suffix", "subtype"), READABLE)
def test_every_format_is_read(tmp_path: Path, suffix: str, subtype: str) -> None:
    expected = tone(500.0, 0.5, 16000)
    sound = read_sound(write(tmp_path / f"tone.{suffix}", expected, 16000, subtype))
    assert sound.sample_rate == 16000
    assert sound.waveform.dtype == np.float32
    count = min(len(expected), len(sound.waveform))
    assert count >= len(expected) - 1200  # MP3 pads by a frame
    assert np.sqrt((sound.waveform**2).mean()) == pytest.approx(0.5 / np.sqrt(2), rel=0.05)
    if subtype not in ("VORBIS", "MPEG_LAYER_III"):
        assert np.abs(sound.waveform - expected).max() < 0.02  # half a step of 8 bits, and the steps of µ-law


@pytest.mark.parametrize("channels", [2, 6])
def test_channels_are_mixed(tmp_path: Path, channels: int) -> None:
    sound = np.zeros((4000, channels), dtype=np.float32)
    sound[:, 0] = tone()
    mixed = read_sound(write(tmp_path / "stereo.wav", sound, subtype="FLOAT")).waveform
    assert np.abs(mixed - tone() / channels).max() < 1e-6


@pytest.mark.parametrize("rate", RATES)
def test_every_sample_rate_comes_to_the_space_s_own(tmp_path: Path, rate: int) -> None:
    fill(tmp_path, 20, lowest=1000.0, rate=rate)
    space = small_space()
    data = Folder(tmp_path, space, held_out=0.0)
    (sample,) = data.gather(torch.tensor([0]), rng=torch.Generator()).sample
    expected = space.encode(tone(1000.0, 0.5))
    assert data.notes == [] or "longer" in data.notes[0]
    assert (sample.mean(2).argmax() - expected.mean(2).argmax()).abs() <= 1
    assert (sample.max() - expected.max()).abs() < 0.05


def damaged(kind: str, folder: Path) -> bytes:
    whole = write(folder / f"whole.{'flac' if 'flac' in kind else 'wav'}", tone(seconds=1.0)).read_bytes()
    return {
        "text.wav": b"this is no sound",
        "empty.wav": b"",
        "header.wav": whole[:40],
        "corrupt.wav": whole[:12] + bytes(32) + whole[44:],
        "truncated.flac": whole[: len(whole) // 2],
        "corrupt.flac": whole[:60] + bytes(len(whole) - 60),
    }[kind]


@pytest.mark.parametrize(
    "kind", ["text.wav", "empty.wav", "header.wav", "corrupt.wav", "truncated.flac", "corrupt.flac"]
)
def test_damaged_files_are_named_with_a_reason(tmp_path: Path, kind: str) -> None:
    path = tmp_path / kind
    path.write_bytes(damaged(kind, tmp_path / "made"))
    with pytest.raises(DataError) as caught:
        read_sound(path)
    assert caught.value.where == str(path)
    assert "cannot be read" in caught.value.what or "no samples" in caught.value.what
    assert str(path) not in caught.value.what
    assert caught.value.remedy


def test_a_file_without_samples_and_one_with_impossible_ones(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no samples"):
        read_sound(write(tmp_path / "none.wav", np.zeros(0, dtype=np.float32)))
    broken = tone()
    broken[5] = np.nan
    with pytest.raises(DataError, match="not finite"):
        read_sound(write(tmp_path / "nan.wav", broken, subtype="FLOAT"))


def test_reading_stops_where_it_is_told_to(tmp_path: Path) -> None:
    path = write(tmp_path / "long.wav", tone(seconds=3.0))
    assert len(read_sound(path, 0.5).waveform) == 4000
    assert len(read_sound(path, 10.0).waveform) == 24000


def test_trimming_finds_the_sound() -> None:
    sound = np.zeros(16000, dtype=np.float32)
    sound[6000:8000] = tone(seconds=0.25)
    sound += 0.0005 * np.random.default_rng(0).standard_normal(16000).astype(np.float32)  # 55 dB below
    kept = trim(torch.from_numpy(sound), 8000)
    assert 2000 <= len(kept) <= 2000 + 2 * 320
    quiet = trim(torch.from_numpy(sound / 50), 8000)  # what is soft throughout is no silence
    assert len(quiet) == len(kept)


@pytest.mark.parametrize(("level", "said"), [(0.0, "every sample is zero"), (1e-5, "-100 dBFS")])
def test_silence_is_refused(level: float, said: str) -> None:
    silent = torch.full((8000,), level)
    with pytest.raises(DataError) as caught:
        trim(silent, 8000, where="silent.wav")
    assert said in caught.value.what
    assert caught.value.where == "silent.wav"


def test_sound_in_opposite_channels_cancels_and_is_called_silent(tmp_path: Path) -> None:
    path = write(tmp_path / "opposite.wav", np.stack([tone(), -tone()], axis=1))
    with pytest.raises(DataError, match="silent"):
        trim(torch.from_numpy(read_sound(path).waveform), 8000)


def test_libsndfile_s_formats_are_known() -> None:
    from sparring_audio.files import SUFFIXES

    for name in ("WAV", "FLAC", "OGG", "MP3", "AIFF", "AU", "CAF", "W64", "RF64", "NIST", "VOC"):
        assert name in soundfile.available_formats()
        assert f".{name.lower()}" in SUFFIXES
