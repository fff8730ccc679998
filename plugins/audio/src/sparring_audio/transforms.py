"""Sound to mel spectrograms and back, on the device where the tensors are; and from one sample rate to another.

Letters in names of tensors: B rows of the batch, L samples of a waveform, N frequencies of a spectrum, M mel bands,
T frames.
"""

from __future__ import annotations

import math
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor, nn

from sparring_audio.bands import mel_bands, unmixed
from sparring_audio.phases import griffin_lim, precise
from sparring_audio.torchaudio_loader import torchaudio

HANN_SPREAD = 1.5  # times the power of the peak: 1 + 2 · (1/2)², from the peak and its two neighbours
MOST_PHASES = 1000  # of a polyphase filter: beyond, torchaudio's table of them no longer fits in memory
SMALLEST = 1e-10  # of a power, so that it has a logarithm


class MelSettings(NamedTuple):
    """What a mel spectrogram depends on.

    Attributes:
        sample_rate: In Hz.
        window: Length of the Hann window and of the Fourier transform, in samples.
        hop: Samples from one frame to the next.
        mels: Number of bands.
        lowest: Lower edge of the first band, in Hz.
        highest: Upper edge of the last band, in Hz.
    """

    sample_rate: int
    window: int
    hop: int
    mels: int
    lowest: float
    highest: float


class MelAnalysis(nn.Module):
    """Measure the power in mel bands over time; that of a sine of full scale is 1, over the bands that share it.

    Bands are triangles of height 1 on O'Shaughnessy's mel scale, as in HTK, so that neighbouring ones add up to 1.

    Args:
        settings: Of the spectrogram.
    """

    def __init__(self, settings: MelSettings) -> None:
        super().__init__()
        self.spectrogram = torchaudio.transforms.MelSpectrogram(
            settings.sample_rate,
            n_fft=settings.window,
            hop_length=settings.hop,
            f_min=settings.lowest,
            f_max=settings.highest,
            n_mels=settings.mels,
            power=2.0,
            pad_mode="constant",  # silence: a mirrored edge would be sound that is not there
        )
        self.full_scale = full_scale(settings)

    def forward(self, waveform: Tensor) -> Tensor:
        """Map ``(B, L)`` in [-1, 1] to powers ``(B, M, 1 + L // hop)``."""
        power_BMT: Tensor = self.spectrogram(waveform) / self.full_scale
        return power_BMT


class MelSynthesis(nn.Module):
    """Find a waveform with a given power in mel bands.

    The spectrum is the nearest one without negative powers (Lee and Seung 2001, "Algorithms for Non-negative Matrix
    Factorization", with the bands held fixed); the phases come from the fast Griffin-Lim algorithm.

    Args:
        settings: Of the spectrogram.
        iterations: Of Griffin-Lim.
        device: Where.
    """

    def __init__(self, settings: MelSettings, iterations: int, device: torch.device) -> None:
        super().__init__()
        self.bands_MN: Tensor
        self.register_buffer("bands_MN", _bands(settings, device).to(precise(device)))
        self.full_scale = full_scale(settings)
        self.griffin_lim = griffin_lim(settings.window, settings.hop, iterations, device)

    def forward(self, power: Tensor) -> Tensor:
        """Map powers ``(B, M, T)`` to waveforms ``(B, (T - 1) * hop)`` of float32."""
        spectrum_BNT = self.unmix(power.to(self.bands_MN.dtype)) * self.full_scale
        waveform_BL: Tensor = self.griffin_lim(spectrum_BNT.sqrt())
        return waveform_BL.float()

    def unmix(self, power: Tensor) -> Tensor:
        """Map powers in bands ``(B, M, T)`` to powers of frequencies ``(B, N, T)``; none is negative."""
        return unmixed(power, self.bands_MN)


def full_scale(settings: MelSettings) -> float:
    """Return the power of a sine of full scale, summed over the frequencies that a Hann window spreads it to.

    The window adds up to half of its length, and half of the amplitude lies at negative frequencies.
    """
    return HANN_SPREAD * (settings.window / 4) ** 2


def empty_bands(settings: MelSettings) -> int:
    """Return how many mel bands hold no frequency of the Fourier transform, as narrow ones at the low end do."""
    return int((_bands(settings, torch.device("cpu")).sum(1) == 0).sum())


@cache
def analysis(settings: MelSettings, device: torch.device) -> MelAnalysis:
    """Return the analysis on a device; made once, since its window and bands are computed."""
    return MelAnalysis(settings).to(device)


@cache
def synthesis(settings: MelSettings, iterations: int, device: torch.device) -> MelSynthesis:
    """Return the synthesis on a device; made once, since its bands are computed."""
    return MelSynthesis(settings, iterations, device)


def resample(waveform: Tensor, rate: int, wanted: int) -> Tensor:
    """Change a sample rate: ``(…, L)`` at ``rate`` Hz to ``(…, ceil(L * wanted / rate))`` at ``wanted`` Hz."""
    if rate == wanted:
        return waveform
    if max(rate, wanted) // math.gcd(rate, wanted) <= MOST_PHASES:
        resampled: Tensor = torchaudio.functional.resample(waveform, rate, wanted)
        return resampled
    import librosa  # here, since its first use costs seconds

    values = librosa.resample(waveform.cpu().numpy(), orig_sr=rate, target_sr=wanted, res_type="soxr_hq")
    return torch.from_numpy(values).to(waveform)


def _bands(settings: MelSettings, device: torch.device) -> Tensor:
    """Return the weight of each frequency in each band, ``(M, N)``."""
    rate, window, _, mels, lowest, highest = settings
    return mel_bands(rate, window, mels, lowest, highest, "htk", device)
