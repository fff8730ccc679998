"""The space of waveforms as they are."""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from sparring_audio.pictures import grid
from sparring_audio.sound_space import SoundSpace, refuse

PIXELS = 64  # of a preview's side


class WaveformSpace(SoundSpace):
    """Waveforms ``(1, length)`` in [-1, 1], at full scale.

    Args:
        sample_rate: In Hz.
        length: Samples of a clip.
    """

    called: ClassVar[str] = "waveforms"

    def __init__(self, sample_rate: int = 16000, length: int = 16384) -> None:
        self.sample_rate, self.length = sample_rate, length
        refuse([(min(sample_rate, length) < 1, "sample_rate and length must be above 0")], "audio/waveform")
        self.shape = (1, length)

    def analyse(self, waveforms: Tensor) -> Tensor:
        """Turn waveforms ``(B, length)`` into ``(B, 1, length)``; what is louder than full scale is clipped."""
        return waveforms.float()[:, None].clamp(-1, 1)

    def synthesise(self, samples: Tensor) -> Tensor:
        """Turn ``(B, 1, length)`` into waveforms ``(B, length)``."""
        return samples[:, 0].float().nan_to_num().clamp(-1, 1)

    def preview(self, samples: Tensor) -> Image.Image:
        """Draw each waveform's outline, time to the right."""
        waveforms = self.synthesise(samples.detach().cpu())
        step = -(-self.length // PIXELS)
        columns_BPS = F.pad(waveforms, (0, step * PIXELS - self.length)).view(len(waveforms), PIXELS, step)
        height_P = torch.linspace(-1, 1, PIXELS)[:, None]
        top_BP, bottom_BP = columns_BPS.amax(2)[:, None], columns_BPS.amin(2)[:, None]
        half = 1 / PIXELS  # so that silence is a line
        drawn_BPP = (height_P <= top_BP + half) & (height_P >= bottom_BP - half)
        return grid(drawn_BPP.float()[:, None] * 2 - 1)
