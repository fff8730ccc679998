"""Waveforms as samples: exact both ways, whatever comes in; and data that give them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from sparring.errors import DataError
from sparring_audio.folder import Folder
from sparring_audio.numbers import SpokenNumbers
from sparring_audio.sounds import compact, decompressed
from sparring_audio.waveform import WaveformSpace
from tests.audio.files import fill, tone, write

torch.set_num_threads(1)

SPACE = WaveformSpace(8000, 2000)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "FLOAT"])
def test_files_of_any_depth_and_stereo_are_read(subtype: str, tmp_path: Path) -> None:
    both = np.stack([tone(300.0, 0.25), tone(300.0, 0.25)], axis=1)
    soundfile.write(tmp_path / "stereo.wav", both, 8000, subtype=subtype)
    assert np.abs(SPACE.encode(tmp_path / "stereo.wav")[0].numpy() - both[:, 0]).max() < 0.01


def test_sounds_are_laid_into_silence_or_cut_and_saved(tmp_path: Path) -> None:
    short = SPACE.encode(np.ones(10, dtype=np.float32))
    assert short.shape == (1, 2000)
    assert short.sum() == 10
    assert short[0, 995:1005].all()
    long = tone(200.0, 1.0)
    assert np.array_equal(SPACE.decode(SPACE.encode(long)), long[:2000])
    (path,) = SPACE.save(3 * SPACE.encode(long)[None], tmp_path / "new")
    found, rate = soundfile.read(path, dtype="float32")
    assert rate == 8000
    assert np.abs(found - np.clip(3 * long[:2000], -1, 1)).max() < 1e-4


def test_what_is_not_finite_becomes_silence() -> None:
    assert not SPACE.synthesise(torch.full((1, 1, 2000), torch.nan)).any()
    assert SPACE.preview(torch.full((2, 1, 2000), torch.inf)).width > 10
    assert WaveformSpace(96000, 40).preview(torch.zeros(1, 1, 40)).width > 10


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"44100 Hz, and this space has 8000 Hz"):
        SPACE.encode(write(tmp_path / "other.wav", tone(300.0, 0.1, 44100), 44100))
    (tmp_path / "text.wav").write_text("this is no sound")
    with pytest.raises(DataError, match="no sound format"):
        SPACE.encode(tmp_path / "text.wav")
    with pytest.raises(DataError, match="are no sound"):
        WaveformSpace(0, 10)
    with pytest.raises(DataError, match="is not in this space"):
        SPACE.decode(torch.zeros(1, 10))


def test_two_bytes_hold_a_waveform_as_a_recording_does() -> None:
    sound = torch.linspace(-1, 1, 5001)[None, None]
    held = compact(sound)
    assert held.dtype == torch.int16
    assert (decompressed(held) - sound).abs().max() < 1 / 65000
    assert compact(torch.zeros(1, 1, 4, 4)).dtype == torch.float16


def test_data_give_waveforms(tmp_path: Path) -> None:
    words = SpokenNumbers(WaveformSpace(8000, 6000), variants=10)
    batch = words.gather(torch.arange(5), rng=torch.Generator())
    assert batch.sample.shape == (5, 1, 6000)
    assert 0.05 < batch.sample.abs().amax((1, 2)).min() <= 1
    fill(tmp_path, 20)
    clips = Folder(tmp_path, WaveformSpace(16000, 4000))
    assert clips.gather(torch.arange(3), rng=torch.Generator()).sample.shape == (3, 1, 4000)
