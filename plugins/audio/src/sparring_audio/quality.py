"""PESQ and STOI of one pair of sounds, by the packages of the extra ``quality``, whatever the sounds are."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from types import ModuleType

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sparring.errors import DataError
from sparring_audio.transforms import resample

WIDE, NARROW = 16000, 8000  # Hz, of PESQ's two bands
WORST_PESQ, BEST_PESQ = -0.5, 4.5  # between which MetricGAN scales it; wide-band PESQ itself ends at 4.64
PERFECT_PESQ = {WIDE: 4.6438885, NARROW: 4.5486379}  # of a sound beside itself
SHORTEST = 0.25  # seconds, of what PESQ can score
WORST_STOI = 0.0
UNHEARD_STOI = 1e-5  # what pystoi returns where fewer than 30 frames, 0.38 s, are left without silence
SILENT = 1e-4  # largest absolute value below which a sound is silence: three steps of 16 bits

Score = Callable[[Tensor, Tensor, int], float | None]
"""Scores a sound beside its reference, ``(L,)`` each, at a rate in Hz; None where the reference cannot be scored."""


def pesq_score(reference_L: Tensor, sound_L: Tensor, rate: int) -> float | None:
    """Return PESQ (ITU-T P.862, wide band as in P.862.2 from 16 kHz on, else narrow band).

    Other sample rates are brought to 16 or 8 kHz. A sound in which PESQ finds no speech, or that has values that are
    not finite, gets the lowest score, -0.5.

    Args:
        reference_L: The clean sound, ``(L,)`` in [-1, 1].
        sound_L: The other one, ``(L,)``.
        rate: Their sample rate, in Hz.

    Returns:
        The score, or None where the reference holds no speech, or less than a quarter of a second.
    """
    pesq = _package("pesq")
    wanted = WIDE if rate >= WIDE else NARROW
    reference, sound = (_prepared(one, rate, wanted) for one in (reference_L, sound_L))
    if reference is None or len(reference) < SHORTEST * wanted:
        return None
    mode = "wb" if wanted == WIDE else "nb"

    def scored(other: NDArray[np.float32]) -> float | None:
        try:
            return float(pesq.pesq(wanted, reference, other, mode))
        except pesq.PesqError:
            return None

    found = None if sound is None else PERFECT_PESQ[wanted] if np.array_equal(reference, sound) else scored(sound)
    if found is not None and np.isfinite(found):
        return found
    # Which of the two is at fault? Beside itself, a reference with speech has a score.
    return WORST_PESQ if scored(reference) is not None else None


def stoi_score(reference_L: Tensor, sound_L: Tensor, rate: int) -> float | None:
    """Return STOI, the short-time objective intelligibility (Taal, Hendriks, Heusdens and Jensen 2011), up to 1.

    Args:
        reference_L: The clean sound, ``(L,)`` in [-1, 1].
        sound_L: The other one, ``(L,)``; silence, or values that are not finite, get 0.
        rate: Their sample rate, in Hz.

    Returns:
        The score, or None where the reference has less than 0.4 s that is not silence.
    """
    stoi = _package("pystoi").stoi
    reference, sound = (_prepared(one, rate, rate) for one in (reference_L, sound_L))
    if reference is None:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of too few frames, which the value says too
        own = float(stoi(reference, reference, rate))
        if not np.isfinite(own) or own <= UNHEARD_STOI:
            return None
        if sound is None:
            return WORST_STOI
        found = float(stoi(reference, sound, rate))
    return found if np.isfinite(found) else WORST_STOI


def _prepared(sound_L: Tensor, rate: int, wanted: int) -> NDArray[np.float32] | None:
    """Return a sound as an array at the rate that is wanted, or None where it is silent or not finite."""
    sound = sound_L.detach().float().cpu()
    if not bool(sound.isfinite().all()) or float(sound.abs().max()) < SILENT:
        return None
    found: NDArray[np.float32] = resample(sound, rate, wanted).clamp(-1, 1).numpy()
    return found


def _package(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as cause:
        raise DataError(
            f"the package {name} is not installed, without which this cannot be measured",
            remedy='pip install "sparring-audio[quality]"',
        ) from cause
    except Exception as cause:  # built for another version of numpy, say
        raise DataError(
            f"the package {name} cannot be imported: {cause}", remedy=f"pip install --force-reinstall {name}"
        ) from cause


def check_packages(*names: str) -> None:
    """Raise at once where a package is missing, rather than at the first evaluation."""
    for name in names:
        _package(name)


def mean(values: list[float], otherwise: float) -> float:
    """Return the mean of scores, or another value where there are none."""
    return float(torch.tensor(values, dtype=torch.float64).mean()) if values else otherwise
