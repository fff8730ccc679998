"""Variants of a recording: its pitch, tempo, loudness and place, each changed a little and apart from the others.

Letters in names of tensors: B variants, L samples, N frequencies, T frames.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from sparring_audio.sounds import decibels
from sparring_audio.stft import Resolution, hann, spectrum
from sparring_audio.stft import waveform as inverse
from sparring_audio.torchaudio_loader import torchaudio

RESOLUTION = Resolution(256, 64, 256)  # samples, of the phase vocoder: a window holds a few periods of a voice at 8 kHz
RATES = 17  # different tempi: a difference of a hundredth from one to the next cannot be heard
FINER = 4  # times the sample rate: between samples so close, a straight line is as good as the wave itself
LOUDNESS = -20.0  # dBFS on average, before it is varied
LOUDEST = 0.95  # of full scale


class Variation(NamedTuple):
    """The largest changes, to either side; each variant draws its own between them.

    Attributes:
        pitch: In semitones.
        tempo: As a share.
        level: In dB.
        place: As a share of the silence before and after the sound.
    """

    pitch: float
    tempo: float
    level: float
    place: float


def vary(
    waveform: Tensor, sample_rate: int, length: int, variants: int, variation: Variation, draw: torch.Generator
) -> Tensor:
    """Make variants of a recording.

    A phase vocoder (Flanagan and Golden 1966, "Phase Vocoder") changes the tempo and keeps the pitch; playing the
    result faster or slower then changes both, and with them the timbre, as a smaller or larger speaker would.

    Args:
        waveform: ``(L,)`` in [-1, 1].
        sample_rate: In Hz.
        length: Samples of each variant; a sound that is longer loses as much of either end.
        variants: How many.
        variation: By how much.
        draw: Draws the changes.

    Returns:
        ``(variants, length)`` in [-1, 1].
    """
    uniform = torch.rand(variants, 4, generator=draw) * 2 - 1
    speed_B = 2 ** (variation.pitch * uniform[:, 0] / 12)
    tempo_B = (1 + variation.tempo) ** uniform[:, 1]
    stretch_B = tempo_B / speed_B  # what the vocoder does, so that both together change the tempo as drawn
    made = torch.zeros(variants, length)
    lowest, highest = float(stretch_B.min().log()), float(stretch_B.max().log())
    rates = torch.linspace(lowest, highest, RATES).exp()
    nearest_B = (stretch_B[:, None] / rates).log().abs().argmin(dim=1)
    for index, rate in enumerate(rates.tolist()):
        rows = (nearest_B == index).nonzero().flatten()
        if len(rows):
            stretched = _stretch(waveform, rate)
            made[rows] = _play(stretched, sample_rate, speed_B[rows], variation.place * uniform[rows, 2], length)
    level_B = LOUDNESS + variation.level * uniform[:, 3] - decibels(made.square().mean(1))
    louder = made * 10 ** (level_B / 20)[:, None]
    return louder / (louder.abs().amax(dim=1, keepdim=True) / LOUDEST).clamp_min(1.0)


def _stretch(waveform: Tensor, rate: float) -> Tensor:
    """Change the tempo by a factor: ``(L,)`` -> ``(L / rate,)``."""
    window = hann(RESOLUTION.window, waveform.device)
    advance_N1 = torch.linspace(0, math.pi * RESOLUTION.hop, RESOLUTION.window // 2 + 1)[:, None]
    stretched_BNT = torchaudio.functional.phase_vocoder(spectrum(waveform[None], RESOLUTION, window), rate, advance_N1)
    return inverse(stretched_BNT, RESOLUTION, window, round(len(waveform) / rate))[0]


def _play(waveform: Tensor, sample_rate: int, speed_B: Tensor, place_B: Tensor, length: int) -> Tensor:
    """Play a sound at several speeds, each at its place between the edges (-1 and 1): ``(L,)`` -> ``(B, length)``."""
    fine = torchaudio.functional.resample(waveform, sample_rate, FINER * sample_rate)
    lasting_B = len(waveform) / speed_B
    silence_B = (length - lasting_B) / 2
    # A sound that is too long has no silence to move in, and stays in the middle.
    start_B = silence_B + place_B * silence_B.clamp_min(0)
    position_BL = (torch.arange(length) - start_B[:, None]) * speed_B[:, None] * FINER
    before_BL = position_BL.floor()
    share_BL = position_BL - before_BL
    # One zero on either side: whatever lies beyond the sound reads it.
    padded = F.pad(fine, (1, 2))
    index_BL = (before_BL.long() + 1).clamp(0, len(fine) + 1)
    return padded[index_BL] * (1 - share_BL) + padded[index_BL + 1] * share_BL
