"""A vocoder that computes at the rate of frames and leaves the rest to an inverse Fourier transform.

The idea is Vocos' (Siuzdak 2023, arXiv:2306.00814): ConvNeXt blocks over frames, and a head that gives
each frame's magnitudes and phases.

Letters in names of tensors: B rows of the batch, M mel bands, T frames, C channels, N frequencies, W samples of a
window, L samples.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from sparring.errors import DataError
from sparring.interfaces.data import Condition
from sparring.interfaces.generator import Generator
from sparring.interfaces.space import Space
from sparring_audio.networks.convnext import KERNEL, ConvNextBlock
from sparring_audio.networks.driven import drive_of, mel_of
from sparring_audio.networks.linear import QuickLinear
from sparring_audio.stft import overlapped

NAME = "audio/istft-vocoder"
LOUDEST = 100.0  # of a magnitude, as in Vocos: an exponential must not run away


class ISTFTVocoder(Generator):
    """Turn mel spectrograms into waveforms, ``hop`` samples for each frame.

    Samples are not bounded to [-1, 1]; saved sounds are clipped.

    Attributes:
        hop: Samples of a frame.
        context: How many frames on either side a frame's sound depends on.

    Args:
        space: Of waveforms.
        conditions: ``mel``: the spectrograms' space.
        width: Channels; Vocos has 512.
        blocks: Number of ConvNeXt blocks; Vocos has 8.
        window: Samples of the inverse transform's Hann window, at least twice the hop; by default four times.
    """

    latent_shape = None

    def __init__(
        self,
        space: Space,
        conditions: Mapping[str, Space],
        width: int = 512,
        blocks: int = 8,
        window: int | None = None,
    ) -> None:
        super().__init__()
        self.mels, self.hop = drive_of(space, conditions, NAME)
        self.window = 4 * self.hop if window is None else window
        if self.window < 2 * self.hop or self.window % 2 or (self.window - self.hop) % 2:
            raise DataError(
                f"{NAME} overlaps windows of {self.window} samples by a hop of {self.hop} samples",
                remedy=f"set `window` to an even number from {2 * self.hop} on, such as {4 * self.hop}, and use an "
                "even hop",
            )
        self.first = nn.Conv1d(self.mels, width, KERNEL, padding=KERNEL // 2)
        self.first_norm = nn.LayerNorm(width)
        self.blocks = nn.ModuleList(ConvNextBlock(width, 1 / blocks) for _ in range(blocks))
        self.last_norm = nn.LayerNorm(width)
        self.head = QuickLinear(width, self.window + 2)
        self.hann: Tensor
        self.register_buffer("hann", torch.hann_window(self.window), persistent=False)
        self.context = (blocks + 1) * (KERNEL // 2) + math.ceil((self.window - self.hop) / 2 / self.hop)

    def forward(self, latent: Tensor | None, condition: Condition) -> Tensor:
        """Make ``(B, 1, T * hop)`` from ``mel`` ``(B, M, T)``; there is no latent."""
        hidden_BCT = self.first(mel_of(condition, self.mels, NAME))
        hidden_BTC = self.first_norm(hidden_BCT.transpose(1, 2))
        for block in self.blocks:
            hidden_BTC = block(hidden_BTC)
        level_BTN, phase_BTN = self.head(self.last_norm(hidden_BTC)).float().chunk(2, dim=2)
        magnitude_BTN = level_BTN.exp().clamp_max(LOUDEST)
        spectrum_BTN = torch.complex(magnitude_BTN * phase_BTN.cos(), magnitude_BTN * phase_BTN.sin())
        return overlapped(torch.fft.irfft(spectrum_BTN, n=self.window, dim=2), self.hann, self.hop)[:, None]
