"""Bandwidth extension: the low frequencies of a sound are kept, and high ones added.

What is added is noise, and the sound's own low half mirrored upwards, as in the high-frequency regeneration of Makhoul
and Berouti (1979); a network says how much of each, frequency by frequency. Its blocks are those of ConvNeXt in one
dimension, as in Vocos (Siuzdak 2023, arXiv:2306.00814).

Letters in names of tensors: B rows of the batch, L samples of a waveform, N frequencies of a spectrum, T frames,
C channels.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from sparring.errors import TrainingError
from sparring.interfaces.data import Condition
from sparring.interfaces.generator import Generator
from sparring.interfaces.space import Space
from sparring_audio.networks.enhancement import asked_for, checked_resolution, require, waveform_length
from sparring_audio.stft import magnitude, spectrum, waveform

NAME = "audio/band-extender"
KERNEL = 7
WIDER = 3  # times `width`, inside a block
QUIETEST = -5.0  # logarithm of both gains at first: noise is then some 60 dB below full scale
LOUDEST = 1.0  # the largest logarithm of a gain: noise of full scale, which exp of more would soon leave behind
SMOOTHEST = 1e-3  # added before the logarithm of a magnitude


class BandExtender(Generator):
    """Add what lies above a frequency to a sound that ends there: its mirrored low half, and noise.

    The gains of both are made frame by frame, by convolutions along time over the sound's spectrum, and only above
    ``cutoff``; the sound itself is left as it is. The latent is the noise, ``(1, L)``.

    Args:
        space: Of waveforms.
        conditions: ``narrow``, in the same space.
        width: Channels.
        depth: Blocks.
        cutoff: Where the addition begins, as a share of the highest frequency, in (0, 1). Where a sound of half the
            sample rate was resampled, 0.4 includes the slope of the filter.
        window: Of the spectrum, in samples.
        hop: From frame to frame, in samples; at most half of ``window``.
    """

    def __init__(
        self,
        space: Space,
        conditions: Mapping[str, Space],
        width: int = 128,
        depth: int = 4,
        cutoff: float = 0.4,
        window: int = 512,
        hop: int = 128,
    ) -> None:
        super().__init__()
        self.latent_shape = (1, waveform_length(space, NAME))
        require(conditions, "narrow", space, NAME, "audio/band-limited")
        if not 0 < cutoff < 1:
            raise ValueError(f"cutoff is {cutoff}, and must be between 0 and 1")
        self.resolution = checked_resolution(window, hop)
        frequencies = window // 2 + 1
        self.first = round(cutoff * (frequencies - 1))
        self.start = nn.Conv1d(frequencies, width, KERNEL, padding=KERNEL // 2)
        self.blocks = nn.Sequential(*(Block(width) for _ in range(depth)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, 2 * (frequencies - self.first))
        self.hann: Tensor
        self.register_buffer("hann", torch.hann_window(window), persistent=False)

    def forward(self, latent: Tensor | None, condition: Condition) -> Tensor:
        """Make ``(B, 1, L)`` of noise and the condition ``narrow``, ``(B, 1, L)`` each."""
        if latent is None:
            raise TrainingError(f"{NAME} needs a latent", remedy="draw it with `generator.latent(n, rng=…)`")
        narrow_BL = asked_for(condition, "narrow", NAME)[:, 0]
        with torch.autocast(narrow_BL.device.type, enabled=False):
            spectrum_BNT = self._spectrum(narrow_BL)
            # Every second sample turned round: each frequency f becomes half of the sample rate minus f.
            turns_L = 1.0 - 2.0 * (torch.arange(narrow_BL.shape[1], device=narrow_BL.device) % 2)
            mirrored_BNT = self._spectrum(narrow_BL * turns_L)[:, self.first :]
            noise_BNT = self._spectrum(latent[:, 0])[:, self.first :]
            seen_BNT = (magnitude(spectrum_BNT) + SMOOTHEST).log()
        hidden_BTC = self.norm(self.blocks(self.start(seen_BNT)).transpose(1, 2))
        gains_BNT = (self.head(hidden_BTC).transpose(1, 2).float() + QUIETEST).clamp(max=LOUDEST).exp()
        of_mirrored_BNT, of_noise_BNT = gains_BNT.chunk(2, dim=1)
        with torch.autocast(narrow_BL.device.type, enabled=False):
            added_BNT = mirrored_BNT * of_mirrored_BNT + noise_BNT * of_noise_BNT
            whole_BNT = torch.cat([spectrum_BNT[:, : self.first], spectrum_BNT[:, self.first :] + added_BNT], dim=1)
            wide_BL = waveform(whole_BNT, self.resolution, self.hann, narrow_BL.shape[1])
        return wide_BL[:, None]

    def _spectrum(self, waveform_BL: Tensor) -> Tensor:
        return spectrum(waveform_BL.float(), self.resolution, self.hann)


class Block(nn.Module):
    """Look along time channel by channel, then at each frame across channels; add the input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.along = nn.Conv1d(width, width, KERNEL, padding=KERNEL // 2, groups=width)
        self.across = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, WIDER * width), nn.GELU(), nn.Linear(WIDER * width, width)
        )

    def forward(self, hidden_BCT: Tensor) -> Tensor:
        """Map ``(B, C, T)`` to the same shape."""
        along_BTC = self.along(hidden_BCT).transpose(1, 2)
        changed_BCT: Tensor = self.across(along_BTC).transpose(1, 2)
        return hidden_BCT + changed_BCT
