"""Distances of spectra: closed forms, and silence."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from sparring.errors import DataError
from sparring.interfaces.data import Batch
from sparring.spaces.array import ArraySpace
from sparring_audio.metrics.spectra import (
    BANDS,
    COEFFICIENTS,
    FLOOR,
    LogSpectralDistance,
    MelCepstralDistortion,
    MultiResolutionSTFT,
    cepstral_distortion,
    log_spectral_distance,
)
from sparring_audio.stft import Resolution, hann, magnitude, multi_resolution_distance, spectrum, waveform
from sparring_audio.waveform import WaveformSpace
from tests.audio.files import small_space

torch.set_num_threads(1)

LENGTH = 8192
SPACE = WaveformSpace(16000, LENGTH)
METRICS = [LogSpectralDistance(SPACE), MelCepstralDistortion(SPACE), MultiResolutionSTFT(SPACE)]


def white(seed: int = 0, level: float = 0.1, rows: int = 2) -> Tensor:
    return level * torch.randn(rows, LENGTH, generator=torch.Generator().manual_seed(seed))


def measured(
    metric: LogSpectralDistance | MelCepstralDistortion | MultiResolutionSTFT, real: Tensor, fake: Tensor
) -> float:
    metric.reset()
    metric.update(Batch(real[:, None]), Batch(fake[:, None]))
    (value,) = metric.compute().values()
    return value


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: type(metric).__name__)
def test_equal_sounds_are_no_distance_apart_and_silence_is_finite(metric: LogSpectralDistance) -> None:
    sound = white()
    assert measured(metric, sound, sound) == 0
    silent = torch.zeros_like(sound)
    assert measured(metric, silent, silent) == 0
    for one, other in ((sound, silent), (silent, sound), (sound, torch.full_like(sound, torch.nan))):
        assert 0 < measured(metric, one, other) < 1000
    assert measured(metric, sound[:, :50], white(1)[:, :50]) > 0  # shorter than a window
    metric.reset()
    metric.update(Batch(sound[:0, None]), Batch(sound[:, None]))
    with pytest.raises(DataError, match="no pairs"):
        metric.compute()
    with pytest.raises(DataError, match="ArraySpace"):
        type(metric)(ArraySpace([1, 4]))


@settings(max_examples=20, deadline=None)
@given(gain=st.floats(-10, 10))
def test_a_gain_is_a_log_spectral_distance_of_its_decibels(gain: float) -> None:
    sound = white(level=0.05)
    assert measured(METRICS[0], sound, sound * 10 ** (gain / 20)) == pytest.approx(abs(gain), rel=0.01, abs=0.01)


def test_silence_is_as_far_as_the_floor() -> None:
    time = torch.arange(LENGTH) / 16000
    tone = torch.sin(2 * math.pi * 1000 * time)[None]
    resolution = Resolution(2048, 512, 2048)
    one_bin = log_spectral_distance(tone[:, :], torch.zeros_like(tone), resolution, lowest=1024)
    assert one_bin.item() < 1  # far from the tone there is silence in both
    window = hann(2048, torch.device("cpu"))
    level = 20 * magnitude(spectrum(tone, resolution, window))[0, 128, 6].log10() - 20 * math.log10(512)
    assert level.item() == pytest.approx(0.0, abs=0.01)
    assert FLOOR == -80


@settings(max_examples=30, deadline=None)
@given(order=st.integers(0, BANDS - 1), height=st.floats(-30, 30))
def test_the_distortion_of_a_cosine_over_bands(order: int, height: float) -> None:
    """A ripple of so many dB has that over √2, if it is of an order that counts: neither loudness nor fine detail."""
    ripple = height * torch.cos(math.pi * order * (torch.arange(BANDS, dtype=torch.float64) + 0.5) / BANDS)
    real = torch.randn(1, BANDS, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = cepstral_distortion(real, real + ripple[:, None]).item()
    wanted = abs(height) / math.sqrt(2) if 1 <= order <= COEFFICIENTS else 0.0
    assert found == pytest.approx(wanted, abs=1e-6)


def test_loudness_is_no_cepstral_distortion() -> None:
    sound = white(level=0.05)
    assert measured(METRICS[1], sound, sound / 4) == pytest.approx(0, abs=1e-3)
    assert measured(METRICS[1], sound, white(1, 0.05)) > 1


def test_the_multi_resolution_distance_of_a_gain() -> None:
    """Half as loud: the convergence is ½ and the logarithms differ by ln 2, at every resolution."""
    sound = white(level=0.3)
    assert multi_resolution_distance(sound, sound / 2).tolist() == pytest.approx([0.5 + math.log(2)] * 2, rel=1e-3)


def test_a_spectrum_can_be_turned_back() -> None:
    sound = white()
    for resolution in (Resolution(512, 256, 512), Resolution(512, 128, 512), Resolution(64, 16, 64)):
        for window in (torch.hamming_window(resolution.window), torch.hann_window(resolution.window)):
            back = waveform(spectrum(sound, resolution, window), resolution, window, LENGTH)
            assert (back - sound).abs().max() < 1e-5


def test_the_gradient_is_finite_in_silence() -> None:
    silent = torch.zeros(1, LENGTH, requires_grad=True)
    multi_resolution_distance(torch.zeros(1, LENGTH), silent).sum().backward()
    assert silent.grad is not None
    assert silent.grad.isfinite().all()


def test_spectrograms_are_measured_as_sounds() -> None:
    space = small_space()
    sample = space.analyse(0.1 * torch.randn(2, space.length, generator=torch.Generator().manual_seed(0)))
    for metric in (LogSpectralDistance(space, 256, 64), MelCepstralDistortion(space)):
        metric.update(Batch(sample), Batch(sample))
        assert next(iter(metric.compute().values())) == 0
