"""Waveforms and the mel spectrograms that drive vocoders: what the values mean, and what is refused."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from sparring.errors import DataError
from sparring_audio import magnitudes
from sparring_audio.mels import MelSpace
from sparring_audio.spaces import LogMelSpace
from sparring_audio.waveform import WaveformSpace
from tests.audio.files import small_mel, small_space, small_waveform, tone, write

NOISE = torch.randn(2, 2048, generator=torch.Generator().manual_seed(0)) * 0.1


# ---- waveforms ----


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_24", "FLOAT"])
def test_files_of_8_and_24_bits_are_read(tmp_path: Path, subtype: str) -> None:
    path = write(tmp_path / "tone.wav", tone(seconds=0.2), subtype=subtype)
    step = 2 / 256 if subtype == "PCM_U8" else 1e-6
    encoded = small_waveform().encode(path)
    assert encoded.shape == (1, 1024)
    assert np.abs(encoded[0].numpy() - tone(seconds=0.2)[:1024]).max() < step


def test_stereo_is_mixed_and_short_sounds_lie_in_silence(tmp_path: Path) -> None:
    space = small_waveform()
    stereo = np.stack([tone(seconds=0.05), -tone(seconds=0.05)], axis=1)
    assert space.encode(write(tmp_path / "stereo.wav", stereo)).abs().max() < 1e-4
    short = space.encode(np.full(10, 0.5, dtype=np.float32))
    assert short.sum() == 5
    assert short[0, 507:517].eq(0.5).all()


def test_other_rates_nan_and_texts_are_refused(tmp_path: Path) -> None:
    space = small_waveform()
    for encode in (space.encode, small_mel().encode):
        with pytest.raises(DataError, match=r"96000 Hz.*8000 Hz"):
            encode(write(tmp_path / "fast.wav", tone(rate=96000), rate=96000))
        broken = tone()
        broken[5] = np.nan
        with pytest.raises(DataError, match="not finite"):
            encode(write(tmp_path / "nan.wav", broken, subtype="FLOAT"))
        (tmp_path / "text.wav").write_text("these are words")
        with pytest.raises(DataError, match="no sound format"):
            encode(tmp_path / "text.wav")
    with pytest.raises(DataError, match="above 0"):
        WaveformSpace(0)
    with pytest.raises(DataError, match="is not in this space"):
        space.decode(torch.zeros(2, 100))


def test_sounds_of_any_length_and_any_value_are_saved_and_shown(tmp_path: Path) -> None:
    space = small_waveform()
    strange = torch.zeros(3, 1, 700)
    strange[0, 0, :3] = torch.tensor([torch.nan, torch.inf, -7.0])
    paths = space.save(strange, tmp_path / "new" / "folder")
    waveform, rate = soundfile.read(paths[0])
    assert (rate, len(waveform)) == (8000, 700)
    assert waveform[:3].tolist() == pytest.approx([0, 1, -1], abs=1e-4)
    for length in (1, 2, 3, 700, 100_000):
        assert isinstance(space.preview(torch.zeros(2, 1, length)), Image.Image)


def test_waveforms_of_another_rate_are_told_apart() -> None:
    small_waveform().refuse_mismatch(WaveformSpace(8000, length=5))
    with pytest.raises(DataError, match="sample_rate 8000 Hz here and 22050 Hz there"):
        small_waveform().refuse_mismatch(WaveformSpace(22050))
    with pytest.raises(DataError, match="WaveformSpace here and MelSpace there"):
        small_waveform().refuse_mismatch(small_mel())


# ---- mel spectrograms ----


def test_the_dialect_is_hifi_gan_s() -> None:
    """Slaney's filters on magnitudes of mirrored frames without a centre, at least 1e-5, natural logarithm."""
    space = MelSpace(22050, window=1024, hop=256, mels=80, frames=8, highest=8000.0)
    padded = np.pad(NOISE.numpy(), ((0, 0), (384, 384)), mode="reflect")
    spectrum = librosa.stft(padded, n_fft=1024, hop_length=256, center=False)
    magnitude = np.sqrt(np.abs(spectrum) ** 2 + 1e-9)
    bands = librosa.filters.mel(sr=22050, n_fft=1024, n_mels=80, fmin=0, fmax=8000)
    wanted = np.log(np.maximum(bands @ magnitude, 1e-5))
    assert np.abs(space.analyse(NOISE).numpy() - wanted).max() < 1e-4


def test_other_dialects() -> None:
    options = small_mel().options()
    natural, decimal = (MelSpace(**{**options, "logarithm": one}) for one in ("natural", "decimal"))
    assert torch.allclose(natural.analyse(NOISE) / np.log(10), decimal.analyse(NOISE), atol=1e-6)
    htk = MelSpace(**{**options, "filters": "htk"})
    bands = librosa.filters.mel(sr=8000, n_fft=256, n_mels=20, fmin=0, fmax=4000, htk=True, norm=None)
    magnitude = magnitudes.magnitudes_by_hop(NOISE, 256, 64)
    assert torch.allclose(htk.analyse(NOISE).exp(), torch.from_numpy(bands) @ magnitude, rtol=1e-4)
    silent = MelSpace(**{**options, "padding": "zeros"})
    inner = slice(2, -2)  # frames that do not reach the ends
    assert torch.equal(silent.analyse(NOISE)[..., inner], natural.analyse(NOISE)[..., inner])
    assert not torch.equal(silent.analyse(NOISE)[..., 0], natural.analyse(NOISE)[..., 0])


def test_dialects_are_told_apart_with_both_values() -> None:
    space, options = small_mel(), small_mel().options()
    space.refuse_mismatch(MelSpace(**{**options, "frames": 99}))
    other = MelSpace(**{**options, "hop": 32, "highest": 3000.0, "filters": "htk", "logarithm": "decimal"})
    with pytest.raises(DataError) as caught:
        space.refuse_mismatch(other, where="the vocoder")
    for said in (
        "hop 64 here and 32 there",
        "highest 4000.0 Hz here and 3000.0 Hz there",
        "filters slaney here and htk there",
        "logarithm natural here and decimal there",
    ):
        assert said in caught.value.what
    assert caught.value.where == "the vocoder"
    with pytest.raises(DataError, match="MelSpace here and LogMelSpace there"):
        space.refuse_mismatch(small_space())


def test_spectrograms_in_decibels_drive_a_vocoder_of_the_same_measures() -> None:
    """Frames of audio/log-mel lie on the samples of each hop's start, and so half a hop beside a vocoder's."""
    log_mel = LogMelSpace(8000, window=256, hop=64, mels=20, frames=17, highest=4000.0)
    options: dict[str, Any] = {**small_mel().options(), "filters": "htk", "power": 2, "padding": "zeros"}
    space = MelSpace(**options)
    sound = NOISE[:, : log_mel.length]
    converted = space.from_log_mel(log_mel.analyse(sound), log_mel)
    wanted = space.analyse(torch.nn.functional.pad(sound, (32, 32)))
    assert converted.shape == (2, 20, 17)
    torch.testing.assert_close(converted, wanted, rtol=0, atol=1e-3)
    silent = space.from_log_mel(-torch.ones(1, 1, 20, 3), log_mel)
    assert silent.eq(math.log(1e-5)).all()
    with pytest.raises(DataError, match=r"filters slaney here and htk there; power 1 here and 2 there"):
        small_mel().from_log_mel(log_mel.analyse(sound), log_mel)
    with pytest.raises(DataError, match="hop 32 here and 64 there"):
        MelSpace(**{**options, "hop": 32}).from_log_mel(log_mel.analyse(sound), log_mel, "the vocoder")
    assert np.isfinite(space.decode(converted[0])).all()


def test_silence_and_clips_shorter_than_a_window_are_finite() -> None:
    space = small_mel()
    silence = torch.zeros(1, 64, requires_grad=True)
    mel = space.analyse(silence)
    assert mel.shape == (1, 20, 1)
    mel.sum().backward()
    assert silence.grad is not None
    assert silence.grad.isfinite().all()
    assert np.abs(space.decode(mel[0])).max() < 1e-3
    assert space.encode(np.zeros(3, dtype=np.float32)).shape == space.shape
    with pytest.raises(DataError, match="no multiple of the hop"):
        space.analyse(torch.zeros(1, 65))


def test_griffin_lim_brings_the_sound_back_to_its_place() -> None:
    space = MelSpace(8000, window=512, hop=128, mels=60, frames=32, highest=4000.0)
    chirp = torch.from_numpy(librosa.chirp(fmin=200, fmax=2000, sr=8000, length=4096).astype(np.float32))[None] * 0.3
    chirp[:, :1024] = 0
    mel = space.analyse(chirp)
    again = space.synthesise(mel, iterations=32)
    assert again.shape == chirp.shape
    loud = mel > -4
    assert (space.analyse(again) - mel)[loud].abs().mean() < 0.15
    # The sound begins where it began, to less than half of a hop.
    assert again[0, :960].abs().max() < 0.1 * again.abs().max()
    assert again[0, 1088:1216].abs().max() > 0.1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"highest": 5000.0}, "highest is 5000.0 Hz, and a sample rate of 8000 Hz"),
        ({"hop": 200}, "hop of 200 samples"),
        ({"lowest": 4000.0}, "range from 4000.0 to 4000.0 Hz is empty"),
        ({"frames": 0}, "above 0"),
        ({"window": 2, "hop": 1}, "too short"),
        ({"smallest": 0.0}, "smallest magnitude"),
    ],
)
def test_settings_that_make_no_sense_are_refused(change: dict[str, float], said: str) -> None:
    with pytest.raises(DataError) as caught:
        MelSpace(**{**small_mel().options(), **change})
    assert said in caught.value.what
    assert caught.value.remedy


@pytest.mark.parametrize("length", [1, 2, 5, 300])
def test_mirrored_is_torch_s_reflection_as_far_as_that_goes(length: int) -> None:
    waveform = torch.rand(1, length, generator=torch.Generator().manual_seed(0))
    found = magnitudes.mirrored(waveform, 7, 9)
    assert found.shape == (1, length + 16)
    if length > 9:
        assert torch.equal(found, torch.nn.functional.pad(waveform, (7, 9), mode="reflect"))
    assert torch.equal(found[:, 7 : 7 + length], waveform)
