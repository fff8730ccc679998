"""Short-time spectra of waveforms, differentiable: what networks and measures of waveforms share.

Letters in names of tensors: B rows of the batch, L samples of a waveform, N frequencies of a spectrum, T frames, W
samples of a window.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

SMALLEST = 1e-7  # added to a power before its root, whose slope at zero has no end
SMALLEST_OVERLAP = 1e-8  # power of overlapped windows, so that nothing is divided by zero
SOFTEST = 1.0  # norm of a real spectrum below which a difference is no longer put in relation to it: silence


class Resolution(NamedTuple):
    """How a spectrum is cut in time and in frequency, in samples."""

    transform: int
    hop: int
    window: int


RESOLUTIONS = (Resolution(512, 50, 240), Resolution(1024, 120, 600), Resolution(2048, 240, 1200))
"""Those of Parallel WaveGAN (Yamamoto, Song and Kim 2020, arXiv:1910.11480)."""


def spectrum(waveform_BL: Tensor, resolution: Resolution, window: Tensor) -> Tensor:
    """Return complex spectra ``(B, N, T)`` of waveforms; silence lies beyond their edges, so that any length will do.

    Args:
        waveform_BL: ``(B, L)``.
        resolution: Of the spectrum.
        window: ``(resolution.window,)``.
    """
    return torch.stft(
        *(waveform_BL, resolution.transform, resolution.hop, resolution.window, window),
        center=True,
        pad_mode="constant",
        return_complex=True,
    )


def magnitude(spectrum_BNT: Tensor) -> Tensor:
    """Return the magnitude of complex spectra, with slopes of every order at zero."""
    power_BNT = torch.view_as_real(spectrum_BNT).square().sum(-1)
    return (power_BNT + SMALLEST).sqrt()


def waveform(spectrum_BNT: Tensor, resolution: Resolution, window: Tensor, length: int) -> Tensor:
    """Return waveforms ``(B, length)`` of complex spectra ``(B, N, T)``; the inverse of ``spectrum``."""
    return torch.istft(
        *(spectrum_BNT, resolution.transform, resolution.hop, resolution.window, window), center=True, length=length
    )


def overlapped(frames_BTW: Tensor, window_W: Tensor, hop: int) -> Tensor:
    """Window frames and lay them over one another, each in the middle of its hop: ``(B, T * hop)``.

    Args:
        frames_BTW: ``(B, T, W)``, such as inverse Fourier transforms make.
        window_W: The window, at least two hops long.
        hop: From frame to frame, in samples.
    """
    count, window = frames_BTW.shape[1:]
    pieces = -(-window // hop)
    start = (window - hop) // 2

    def laid(windowed_BTW: Tensor) -> Tensor:
        """Add pieces of a hop each, k frames late; folding would copy all frames first, to turn them round."""
        padded_BTW = F.pad(windowed_BTW, (0, pieces * hop - window))
        late = [F.pad(piece, (0, 0, k, pieces - 1 - k)) for k, piece in enumerate(torch.split(padded_BTW, hop, dim=2))]
        return torch.stack(late).sum(0).flatten(1)[:, start : start + count * hop]

    power_1L = laid(window_W.square().expand(1, count, window))
    return laid(frames_BTW * window_W) / power_1L.clamp_min(SMALLEST_OVERLAP)


def multi_resolution_distance(real_BL: Tensor, fake_BL: Tensor) -> Tensor:
    """Return the multi-resolution STFT distance of each pair, ``(B,)`` (Yamamoto, Song and Kim 2020).

    At each of three resolutions it adds the spectral convergence, the norm of the magnitudes' difference over the norm
    of the real one's, and the mean absolute difference of the logarithms of magnitudes; it is the mean of the three.

    Args:
        real_BL: ``(B, L)`` in [-1, 1].
        fake_BL: ``(B, L)`` in [-1, 1].
    """
    found = []
    for resolution in RESOLUTIONS:
        window = hann(resolution.window, real_BL.device)
        real_BNT, fake_BNT = (magnitude(spectrum(one.float(), resolution, window)) for one in (real_BL, fake_BL))
        difference_B = (real_BNT - fake_BNT).flatten(1).norm(dim=1)
        convergence_B = difference_B / real_BNT.flatten(1).norm(dim=1).clamp_min(SOFTEST)
        found.append(convergence_B + (real_BNT.log() - fake_BNT.log()).abs().mean((1, 2)))
    return torch.stack(found).mean(0)


@cache
def hann(length: int, device: torch.device, dtype: torch.dtype = torch.float32) -> Tensor:
    """Return a periodic Hann window on a device, made once."""
    with torch.inference_mode(False):  # remembered for whoever asks next, who may need gradients
        return torch.hann_window(length, device=device, dtype=dtype)
