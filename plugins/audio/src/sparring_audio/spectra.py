"""Sound to complex spectra and back, without mel bands.

Letters in names of tensors: B rows of the batch, L samples of a waveform, N frequencies of a spectrum, T frames.
"""

from __future__ import annotations

from torch import Tensor

from sparring_audio import stft
from sparring_audio.stft import Resolution


def spectrum(waveforms: Tensor, window: int, hop: int) -> Tensor:
    """Return the short-time Fourier transform with a Hann window: ``(B, L)`` -> complex ``(B, N, 1 + L // hop)``.

    A sine of full scale has the magnitude 1. Beyond both ends lies silence.
    """
    hann = stft.hann(window, waveforms.device, waveforms.dtype)
    return stft.spectrum(waveforms, Resolution(window, hop, window), hann) / full_scale(window)


def waveform(spectrum_BNT: Tensor, window: int, hop: int) -> Tensor:
    """Undo ``spectrum``: complex ``(B, N, T)`` -> ``(B, (T - 1) * hop)``."""
    hann = stft.hann(window, spectrum_BNT.device, spectrum_BNT.real.dtype)
    length = (spectrum_BNT.shape[2] - 1) * hop
    return stft.waveform(spectrum_BNT * full_scale(window), Resolution(window, hop, window), hann, length)


def full_scale(window: int) -> float:
    """Return the magnitude of a sine of full scale: the window adds up to half of its length, and half of it counts."""
    return window / 4
