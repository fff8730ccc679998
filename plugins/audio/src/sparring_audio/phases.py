"""From magnitudes to a waveform: the phases are found by Griffin-Lim.

Letters in names of tensors: B rows of the batch, L samples of a waveform, N frequencies of a spectrum, T frames.
"""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor, nn

from sparring_audio.torchaudio_loader import torchaudio

MOMENTUM = 0.99  # as in the paper


def precise(device: torch.device) -> torch.dtype:
    """Return the finest type of a device in which phases are added up; Apple's accelerator has no float64."""
    return torch.float32 if device.type == "mps" else torch.float64


@cache
def griffin_lim(window: int, hop: int, iterations: int, device: torch.device, momentum: float = MOMENTUM) -> nn.Module:
    """Return the fast Griffin-Lim algorithm (Perraudin, Balazs and Søndergaard 2013, "A Fast Griffin-Lim Algorithm").

    It maps magnitudes ``(B, N, T)``, of the type ``precise``, to waveforms ``(B, (T - 1) * hop)``. Rounding errors grow
    from step to step: in float64 they stay inaudible, so that a sound does not depend on the sounds beside it. Phases
    start at zero, not at random, so that a spectrogram always makes the same sound.

    Args:
        window: Length of the Hann window and of the Fourier transform, in samples.
        hop: Samples from one frame to the next.
        iterations: Of the algorithm.
        device: Where.
        momentum: In [0, 1); 0 is the first version of 1984.
    """
    module: nn.Module = torchaudio.transforms.GriffinLim(
        n_fft=window, hop_length=hop, n_iter=iterations, power=1.0, momentum=momentum, rand_init=False
    )
    return module.to(device, precise(device))


def phased(magnitude: Tensor, window: int, hop: int, iterations: int) -> Tensor:
    """Find a waveform whose frame i lies around the samples of the i-th hop, by ``griffin_lim``.

    Args:
        magnitude: ``(B, N, T)``.
        window: Length of the Hann window and of the Fourier transform, in samples.
        hop: Samples from one frame to the next.
        iterations: Of the algorithm.

    Returns:
        ``(B, T * hop)``, of the type ``precise``.
    """
    # The algorithm lays its first frame on the first sample, and cannot work on clips shorter than half of a window.
    # With further frames at either end there are enough, and the given ones lie in the middles of their hops.
    further = math.ceil(window / 2 / hop)
    find = griffin_lim(window, hop, iterations, magnitude.device)
    values_BNT = magnitude.to(precise(magnitude.device))
    waveform_BL: Tensor = find(nn.functional.pad(values_BNT, (further, further), mode="replicate"))
    return waveform_BL[:, further * hop - hop // 2 :][:, : magnitude.shape[2] * hop]
