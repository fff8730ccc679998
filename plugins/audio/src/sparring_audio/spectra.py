"""Sound to complex spectra and back, without mel bands.

Letters in names of tensors: B rows of the batch, L samples of a waveform, N frequencies of a spectrum, T frames.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor, nn

from sparring_audio import stft
from sparring_audio.stft import Resolution
from sparring_audio.transforms import torchaudio

MOMENTUM = 0.99  # of Griffin-Lim, as in the paper


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


def precise(device: torch.device) -> torch.dtype:
    """Return the finest type of a device in which phases are added up; Apple's accelerator has no float64."""
    return torch.float32 if device.type == "mps" else torch.float64


@cache
def griffin_lim(window: int, hop: int, iterations: int, device: torch.device) -> nn.Module:
    """Return the fast Griffin-Lim algorithm (Perraudin, Balazs and Søndergaard 2013), from magnitudes to a waveform.

    It magnifies rounding errors from step to step, and runs in float64 for that; its phases start at zero, so that a
    spectrogram always makes the same sound.
    """
    module: nn.Module = torchaudio.transforms.GriffinLim(
        n_fft=window, hop_length=hop, n_iter=iterations, power=1.0, momentum=MOMENTUM, rand_init=False
    )
    return module.to(device, precise(device))
