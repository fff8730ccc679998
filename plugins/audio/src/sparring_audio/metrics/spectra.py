"""Distances between the spectra of a real sound and of the generated one that belongs to it.

Letters in names of tensors: B rows of the batch, L samples of a waveform, N frequencies of a spectrum, M mel bands, T
frames, Q coefficients of a cepstrum.
"""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import torch
from torch import Tensor

from sparring.interfaces.data import Batch
from sparring.interfaces.metric import Metric
from sparring.interfaces.space import Space
from sparring_audio import transforms
from sparring_audio.metrics.pairs import Mean, audible, pairs
from sparring_audio.stft import Resolution, hann, multi_resolution_distance, spectrum
from sparring_audio.transforms import MelSettings, full_scale

FLOOR = -80.0  # dB of a sine of full scale: what is quieter cannot be heard, and counts as this
BANDS = 40  # mel bands of a mel cepstrum
CEPSTRUM_WINDOW, CEPSTRUM_HOP = 0.064, 0.016  # seconds
COEFFICIENTS = 13  # of the mel cepstrum, without the one that is loudness: as is usual


class LogSpectralDistance(Metric):
    """The log-spectral distance of generated sounds from real ones, row by row, in dB.

    ``log_spectral_distance`` is the root mean square difference of levels over frequencies, averaged over frames
    and sounds (Gray and Markel 1976, "Distance Measures for Speech Processing"): a change of loudness by 6 dB has 6.
    Levels below -80 dB of full scale count as -80. Papers on bandwidth extension give a tenth of it, and without such a
    floor, so that compare its figures with one another only.

    Args:
        space: Of the sounds.
        window: Of the spectra, in samples.
        hop: From frame to frame, in samples.
    """

    better: ClassVar[Literal["higher", "lower"]] = "lower"

    def __init__(self, space: Space, window: int = 2048, hop: int = 512) -> None:
        if not 0 < hop <= window:
            raise ValueError(f"hop is {hop}, and must be between 1 and the window, {window} samples")
        self.space, self.resolution = audible(space, "audio/log-spectral-distance"), Resolution(window, hop, window)
        self.reset()

    def reset(self) -> None:
        self._mean = Mean("audio/log-spectral-distance")

    def update(self, real: Batch, fake: Batch) -> None:
        found = pairs(self.space, real, fake).mended
        if len(found.real):
            self._mean.add(log_spectral_distance(*found, self.resolution))

    def compute(self) -> dict[str, float]:
        return {"log_spectral_distance": self._mean.value()}


class MelCepstralDistortion(Metric):
    """The mel-cepstral distortion of generated sounds from real ones, row by row, in dB.

    ``mel_cepstral_distortion`` is 10 √2 / ln 10 times the Euclidean distance of coefficients 1 to 13 of mel cepstra,
    averaged over frames and sounds (Kubichek 1993, "Mel-Cepstral Distance Measure for Objective Speech Quality
    Assessment"). Loudness, coefficient 0, does not count, nor is time warped. Cepstra are of 40 mel bands here, and
    levels below -80 dB of full scale count as -80: figures of other analyses do not compare.

    Args:
        space: Of the sounds.
    """

    better: ClassVar[Literal["higher", "lower"]] = "lower"

    def __init__(self, space: Space) -> None:
        self.space = audible(space, "audio/mel-cepstral-distortion")
        rate = self.space.sample_rate
        window = 2 * round(CEPSTRUM_WINDOW * rate / 2)
        self.settings = MelSettings(rate, window, round(CEPSTRUM_HOP * rate), BANDS, 0.0, rate / 2)
        self.reset()

    def reset(self) -> None:
        self._mean = Mean("audio/mel-cepstral-distortion")

    def update(self, real: Batch, fake: Batch) -> None:
        found = pairs(self.space, real, fake).mended
        if len(found.real):
            self._mean.add(cepstral_distortion(*(mel_levels(sounds, self.settings) for sounds in found)))

    def compute(self) -> dict[str, float]:
        return {"mel_cepstral_distortion": self._mean.value()}


class MultiResolutionSTFT(Metric):
    """The multi-resolution STFT distance of generated sounds from real ones (Yamamoto, Song and Kim 2020), row by row.

    ``multi_resolution_stft`` is what the term of this name trains on.

    Args:
        space: Of the sounds.
    """

    better: ClassVar[Literal["higher", "lower"]] = "lower"

    def __init__(self, space: Space) -> None:
        self.space = audible(space, "audio/multi-resolution-stft")
        self.reset()

    def reset(self) -> None:
        self._mean = Mean("audio/multi-resolution-stft")

    def update(self, real: Batch, fake: Batch) -> None:
        found = pairs(self.space, real, fake).mended
        if len(found.real):
            self._mean.add(multi_resolution_distance(*found))

    def compute(self) -> dict[str, float]:
        return {"multi_resolution_stft": self._mean.value()}


def log_spectral_distance(real_BL: Tensor, fake_BL: Tensor, resolution: Resolution, lowest: int = 0) -> Tensor:
    """Return the log-spectral distance of each pair in dB, ``(B,)``.

    Args:
        real_BL: ``(B, L)`` in [-1, 1].
        fake_BL: ``(B, L)`` in [-1, 1].
        resolution: Of the spectra.
        lowest: The first frequency that counts, by its number in the spectrum.
    """
    window = hann(resolution.window, real_BL.device)
    scale = full_scale(MelSettings(0, resolution.window, resolution.hop, 0, 0.0, 0.0))
    real_BNT, fake_BNT = (
        _level(spectrum(one.float(), resolution, window)[:, lowest:].abs().square() / scale)
        for one in (real_BL, fake_BL)
    )
    return (real_BNT - fake_BNT).square().mean(1).sqrt().mean(1)


def mel_levels(sounds_BL: Tensor, settings: MelSettings) -> Tensor:
    """Return the levels of mel bands in dB, ``(B, M, T)``."""
    with torch.no_grad():
        return _level(transforms.analysis(settings, sounds_BL.device)(sounds_BL.float()))


def cepstral_distortion(real_BMT: Tensor, fake_BMT: Tensor) -> Tensor:
    """Return the mel-cepstral distortion of each pair in dB, ``(B,)``, given the levels of their bands in dB.

    The coefficients c are those of which the logarithm of a magnitude is c₀ + Σ cₘ cos(m ω).
    """
    bands = real_BMT.shape[1]
    order_Q1 = torch.arange(1, COEFFICIENTS + 1, dtype=real_BMT.dtype)[:, None]
    cosines_QM = torch.cos(math.pi * order_Q1 * (torch.arange(bands) + 0.5) / bands) * (2 / bands)
    difference_BQT = cosines_QM.to(real_BMT.device) @ ((real_BMT - fake_BMT) * (math.log(10) / 20))
    return 10 * math.sqrt(2) / math.log(10) * difference_BQT.square().sum(1).sqrt().mean(1)


def _level(power: Tensor) -> Tensor:
    return (10 * power.clamp_min(transforms.SMALLEST).log10()).clamp_min(FLOOR)
