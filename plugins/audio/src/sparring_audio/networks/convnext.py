"""The block of vocoders that compute at the rate of frames: ConvNeXt's (Liu et al. 2022, arXiv:2201.03545), along time.

Letters in names of tensors: B rows of the batch, T frames, C channels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sparring_audio.networks.linear import QuickLinear

KERNEL = 7  # frames
EXPANSION = 3  # times the width, inside a block


class ConvNextBlock(nn.Module):
    """Mix neighbouring frames in each channel, then channels in each frame, and add a share of that.

    Args:
        width: Channels.
        share: What the sum starts with; Vocos (Siuzdak 2023) takes one over the number of blocks.
    """

    def __init__(self, width: int, share: float) -> None:
        super().__init__()
        self.mix = nn.Conv1d(width, width, KERNEL, padding=KERNEL // 2, groups=width)
        self.norm = nn.LayerNorm(width)
        self.expand = QuickLinear(width, EXPANSION * width, gelu=True)
        self.reduce = QuickLinear(EXPANSION * width, width)
        self.share = nn.Parameter(torch.full((width,), share))

    def forward(self, hidden_BTC: Tensor) -> Tensor:
        """Map ``(B, T, C)`` to the same shape."""
        mixed_BTC = self.norm(self.mix(hidden_BTC.transpose(1, 2)).transpose(1, 2))
        changed_BTC: Tensor = self.reduce(self.expand(mixed_BTC))
        return hidden_BTC + self.share * changed_BTC
