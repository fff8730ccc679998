"""Mel bands: the weights of frequencies in them, and back from bands to frequencies.

Letters in names of tensors: B rows of the batch, N frequencies of a spectrum, M mel bands, T frames.
"""

from __future__ import annotations

import warnings
from functools import cache
from typing import Literal

import torch
from torch import Tensor

from sparring_audio.torchaudio_loader import torchaudio

UNMIXING_STEPS = 16  # further steps lower the error of speech by less than a tenth of a decibel
SMALLEST = 1e-10  # of a power, so that nothing is divided by zero

Filters = Literal["slaney", "htk"]


@cache
def mel_bands(
    sample_rate: int, window: int, mels: int, lowest: float, highest: float, filters: Filters, device: torch.device
) -> Tensor:
    """Return the weight of each frequency in each mel band, ``(M, N)``, on a device; made once.

    Args:
        sample_rate: In Hz.
        window: Size of the Fourier transform.
        mels: Number of bands.
        lowest: Lower edge of the first band, in Hz.
        highest: Upper edge of the last band, in Hz.
        filters: ``slaney``, Slaney's scale with triangles of area 1, as in librosa and HiFi-GAN; ``htk``,
            O'Shaughnessy's scale with triangles of height 1, as in torchaudio and Vocos.
        device: Where.
    """
    # Remembered for whoever asks next, who may need gradients.
    with torch.inference_mode(False), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torchaudio warns of empty bands; `empty_bands` counts them
        weights_NM: Tensor = torchaudio.functional.melscale_fbanks(
            n_freqs=window // 2 + 1,
            f_min=float(lowest),
            f_max=float(highest),
            n_mels=mels,
            sample_rate=sample_rate,
            norm="slaney" if filters == "slaney" else None,
            mel_scale=filters,
        )
        return weights_NM.T.contiguous().to(device)


def unmixed(mixed: Tensor, bands: Tensor) -> Tensor:
    """Find what was mixed into bands, none of it negative (Lee and Seung 2001, with the bands held fixed).

    Args:
        mixed: Powers or magnitudes in bands, ``(B, M, T)``.
        bands: The weight of each frequency in each band, ``(M, N)``.

    Returns:
        ``(B, N, T)``.
    """
    wanted_BNT = bands.T @ mixed
    spectrum_BNT = wanted_BNT / bands.sum(0)[:, None].clamp_min(SMALLEST)
    for _ in range(UNMIXING_STEPS):
        found_BNT = bands.T @ (bands @ spectrum_BNT)
        spectrum_BNT = spectrum_BNT * wanted_BNT / found_BNT.clamp_min(SMALLEST**2)
    return spectrum_BNT
