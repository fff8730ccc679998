"""The pitch of speech, frame by frame, fast enough for hours of it.

Letters in names of tensors: L samples, T frames, W samples of a window, K lags.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from sparring_audio.stft import hann

WINDOW = 0.05  # seconds: three periods of the lowest pitch
LOWEST, HIGHEST = 60.0, 400.0  # Hz, of speech
VOICED = 0.5  # of the autocorrelation, from which on a frame has a pitch
QUIETEST = 0.02  # of the loudest frame's magnitude, below which it has none
OCTAVE_COST = 0.02  # for each octave that a candidate is lower: two periods fit as well as one


def pitch_by_hop(waveform_L: Tensor, rate: int, hop: int) -> Tensor:
    """Return the pitch of each hop in Hz, 0 where there is no voice, ``(L // hop,)``.

    It is the highest peak of the autocorrelation of a window around the hop, divided by the window's own (Boersma 1993,
    "Accurate short-term analysis of the fundamental frequency"), without the search for the best path. pYIN, which the
    metric ``audio/pitch`` uses, takes some fifty times as long.

    Args:
        waveform_L: ``(L,)`` in [-1, 1].
        rate: Its sample rate, in Hz.
        hop: In samples.
    """
    window = 2 * round(WINDOW * rate / 2)
    shortest, longest = int(rate / HIGHEST), min(round(rate / LOWEST), window // 2)
    before = max(0, (window - hop) // 2)
    count = len(waveform_L) // hop
    padded_L = F.pad(waveform_L.float(), (before, window))
    frames_TW = padded_L.unfold(0, window, hop)[:count]
    frames_TW = (frames_TW - frames_TW.mean(1, keepdim=True)) * hann(window, waveform_L.device)
    power_T = frames_TW.square().sum(1)
    own_K = _autocorrelation(hann(window, waveform_L.device)[None], longest + 2)[0]
    alike_TK = _autocorrelation(frames_TW, longest + 2) / power_T.clamp_min(1e-9)[:, None] / (own_K / own_K[0])
    inside_TK = alike_TK[:, shortest : longest + 1]
    lags_K = torch.arange(shortest, longest + 1, device=waveform_L.device)
    peaks_TK = (inside_TK >= alike_TK[:, shortest - 1 : longest]) & (
        inside_TK >= alike_TK[:, shortest + 1 : longest + 2]
    )
    worth_TK = (inside_TK - OCTAVE_COST * (lags_K / shortest).log2()).masked_fill(~peaks_TK, -1.0)
    best_T = worth_TK.argmax(1)
    at_T = best_T + shortest
    left_T, middle_T, right_T = (alike_TK.gather(1, (at_T + shift)[:, None])[:, 0] for shift in (-1, 0, 1))
    # A parabola through three lags has its top between samples.
    shift_T = 0.5 * (left_T - right_T) / (left_T - 2 * middle_T + right_T).clamp_max(-1e-6)
    voiced_T = (worth_TK.amax(1) > -1) & (middle_T > VOICED)
    voiced_T &= power_T.sqrt() > QUIETEST * power_T.amax().sqrt()
    hertz_T: Tensor = rate / (at_T + shift_T.clamp(-0.5, 0.5))
    return torch.where(voiced_T, hertz_T, 0.0)


def _autocorrelation(frames_TW: Tensor, lags: int) -> Tensor:
    spectrum = torch.fft.rfft(frames_TW, n=2 * frames_TW.shape[1])
    whole_TK: Tensor = torch.fft.irfft(spectrum.abs().square())
    return whole_TK[:, :lags]
