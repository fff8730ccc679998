"""Magnitudes of short-time spectra, as vocoders and their losses use them: differentiable, anywhere.

Letters in names of tensors: B rows of the batch, L samples of a waveform, N frequencies of a spectrum, T frames.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from sparring_audio.stft import hann

ROUNDING = 1e-9  # added to a power before its root, whose slope at 0 would be infinite; as in HiFi-GAN's code


def magnitudes(waveform: Tensor, window: int, hop: int, size: int | None = None) -> Tensor:
    """Return the magnitudes of a short-time Fourier transform whose frames lie in the middle of the window.

    Args:
        waveform: ``(B, L)``; it is mirrored at both ends.
        window: Length of the Hann window, in samples.
        hop: Samples from one frame to the next.
        size: Of the Fourier transform, at least ``window``; by default the same.

    Returns:
        ``(B, N, 1 + L // hop)``, never 0, so that a gradient is finite in silence too.
    """
    size = size or window
    padded_BL = mirrored(waveform, size // 2, size // 2)
    return _transform(padded_BL, window, hop, size)


def magnitudes_by_hop(
    waveform: Tensor, window: int, hop: int, padding: Literal["reflect", "zeros"] = "reflect"
) -> Tensor:
    """Return magnitudes with exactly one frame for each hop: frame i lies around the samples of the i-th hop.

    Args:
        waveform: ``(B, T * hop)``.
        window: Length of the Hann window and of the Fourier transform, in samples.
        hop: Samples from one frame to the next.
        padding: Whether the waveform is mirrored at both ends, as in HiFi-GAN, or followed by silence.

    Returns:
        ``(B, N, T)``, never 0.
    """
    before = (window - hop) // 2
    after = window - hop - before
    padded_BL = mirrored(waveform, before, after) if padding == "reflect" else F.pad(waveform, (before, after))
    return _transform(padded_BL, window, hop, window)


def mirrored(waveform: Tensor, before: int, after: int) -> Tensor:
    """Mirror ``(…, L)`` at both ends, without its edges, as far as it reaches; beyond lies silence.

    It is made of slices: the gradient of torch's own reflection padding is not deterministic on a GPU.
    """
    reach = waveform.shape[-1] - 1
    left, right = min(before, reach), min(after, reach)
    head = waveform[..., 1 : left + 1].flip(-1)
    tail = waveform[..., reach - right : reach].flip(-1)
    joined = torch.cat([head, waveform, tail], dim=-1)
    return F.pad(joined, (before - left, after - right)) if left < before or right < after else joined


def _transform(waveform: Tensor, window: int, hop: int, size: int) -> Tensor:
    with torch.autocast(waveform.device.type, enabled=False):
        spectrum_BNT = torch.stft(
            waveform.float(), size, hop, window, hann(window, waveform.device), center=False, return_complex=True
        )
        return (spectrum_BNT.real.square() + spectrum_BNT.imag.square() + ROUNDING).sqrt()
