"""Many waveforms in one tensor, from which clips of one length are cut.

Letters in names of tensors: B rows of the batch, L samples.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

FULL_SCALE = 32768  # of 16 bits; that of files of 16 bits, whose samples are thus kept exactly
PLACE_LIMIT = 2 * 2**30  # bytes that are moved to an accelerator


def quantised(waveform: Tensor) -> Tensor:
    """Return a waveform of floats in 16 bits; one that goes beyond full scale is made quieter: clipping crackles."""
    scaled = waveform / waveform.abs().amax().clamp_min(1.0) * FULL_SCALE
    return scaled.round().clamp(max=FULL_SCALE - 1).to(torch.int16)


class Joined:
    """Waveforms of any length, one behind the other in memory: 115 MB an hour at 16 kHz.

    Attributes:
        extent: The number of samples of each, ``(N,)``.

    Args:
        waveforms: ``(L,)`` each, as ``quantised`` gives them.
    """

    def __init__(self, waveforms: Sequence[Tensor]) -> None:
        if any(one.dtype != torch.int16 for one in waveforms):
            raise TypeError("waveforms must be of 16 bits: give them through `quantised`")
        self.extent = torch.tensor([len(one) for one in waveforms])
        self._start = self.extent.cumsum(0) - self.extent
        self._samples = torch.cat([*waveforms])

    def waveform(self, index: int) -> Tensor:
        """Return one of them whole, ``(L,)`` in [-1, 1]."""
        start = int(self._start[index])
        return self._samples[start : start + int(self.extent[index])].float() / FULL_SCALE

    def pieces(self, length: int) -> tuple[Tensor, Tensor]:
        """Divide all of them into pieces that lie one behind the other; the rest at a waveform's end is left out.

        Args:
            length: Of a piece. A shorter waveform is one piece.

        Returns:
            For each piece the index of its waveform, and its first sample in it.
        """
        counts = (self.extent // length).clamp_min(1)
        owner = torch.arange(len(counts)).repeat_interleave(counts)
        before = counts.cumsum(0) - counts
        return owner, (torch.arange(len(owner)) - before[owner]) * length

    def anywhere(self, owner: Tensor, length: int, rng: torch.Generator) -> Tensor:
        """Draw the first sample of a clip that lies anywhere within each waveform, ``(B,)``.

        Args:
            owner: The indices of the waveforms, ``(B,)``.
            length: Of a clip; within a shorter waveform it can only begin at 0.
            rng: Draws it.
        """
        spare_B = (self.extent[owner] - length).clamp_min(0)
        return (torch.rand(len(owner), generator=rng, dtype=torch.float64) * (spare_B + 1)).long()

    def cut(self, owner: Tensor, first: Tensor, length: int) -> Tensor:
        """Cut clips; a shorter waveform is laid in the middle of silence.

        Args:
            owner: The indices of the waveforms, ``(B,)``, on the CPU.
            first: The first sample of each clip in its waveform, ``(B,)``; 0 for a shorter one.
            length: Of the clips.

        Returns:
            ``(B, length)`` in [-1, 1].
        """
        extent_B = self.extent[owner]
        # A waveform that is too short starts before it begins, and so lies in the middle.
        first_B = first - (length - extent_B).clamp_min(0) // 2
        place_BL = first_B[:, None] + torch.arange(length)
        inside_BL = (place_BL >= 0) & (place_BL < extent_B[:, None])
        index_BL = (self._start[owner][:, None] + place_BL).clamp(0, len(self._samples) - 1)
        device = self._samples.device
        return self._samples[index_BL.to(device)].float() / FULL_SCALE * inside_BL.to(device)

    def place(self, device: torch.device) -> bool:
        """Move the samples to a device, where they are not too many for an accelerator; whether they are there."""
        if device.type != "cpu" and self._samples.numel() * self._samples.element_size() > PLACE_LIMIT:
            return False
        self._samples = self._samples.to(device)
        return True
