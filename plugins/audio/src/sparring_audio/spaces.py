"""The space of log-mel spectrograms: between sounds and tensors in [-1, 1]."""

from __future__ import annotations

from typing import ClassVar

import torch
from PIL import Image
from torch import Tensor

from sparring.errors import DataError
from sparring_audio import transforms
from sparring_audio.pictures import grid
from sparring_audio.sound_space import CHUNK, SoundSpace, refuse
from sparring_audio.transforms import MelSettings


class LogMelSpace(SoundSpace):
    """Log-mel spectrograms ``(1, mels, frames)`` in [-1, 1], the lowest band and the first frame first.

    A value is the power in a mel band in decibels, where a sine of full scale has 0 dB over the bands that share it;
    ``floor`` becomes -1 and ``ceiling`` 1. A clip has ``(frames - 1) * hop`` samples, since the first frame lies on its
    first sample and the last one behind its last. Back to sound leads the fast Griffin-Lim algorithm.

    Two spectrograms mean the same only where all of the settings agree: ``refuse_mismatch`` names those that do not.

    Args:
        sample_rate: In Hz.
        window: Length of the Hann window and of the Fourier transform, in samples.
        hop: Samples from one frame to the next; at most half of ``window``.
        mels: Number of mel bands.
        frames: Number of frames.
        lowest: Lower edge of the first band, in Hz.
        highest: Upper edge of the last band, in Hz; at most half of the sample rate.
        floor: The quietest level, in dB; what is quieter is raised to it.
        ceiling: The loudest level, in dB; what is louder is lowered to it.
        iterations: Of Griffin-Lim. More sound a little better; it matters to ``decode`` alone.
    """

    called: ClassVar[str] = "spectrograms"
    harmless: ClassVar[frozenset[str]] = frozenset({"iterations"})

    def __init__(
        self,
        sample_rate: int = 16000,
        window: int = 1024,
        hop: int = 256,
        mels: int = 80,
        frames: int = 64,
        lowest: float = 0.0,
        highest: float = 8000.0,
        floor: float = -80.0,
        ceiling: float = 0.0,
        iterations: int = 32,
    ) -> None:
        self.sample_rate, self.window, self.hop, self.mels, self.frames = sample_rate, window, hop, mels, frames
        self.lowest, self.highest, self.floor, self.ceiling, self.iterations = (
            *(lowest, highest, floor, ceiling),
            iterations,
        )
        self._refuse_nonsense()
        self.settings = MelSettings(sample_rate, window, hop, mels, float(lowest), float(highest))
        empty = transforms.empty_bands(self.settings)
        if empty:
            raise DataError(
                f"{empty} of {mels} mel bands are narrower than the {sample_rate / window:.3g} Hz between two "
                f"frequencies of a window of {window} samples, and would always be empty",
                remedy="use fewer `mels`, a longer `window`, or a wider range from `lowest` to `highest`",
            )
        self.shape = (1, mels, frames)
        self.length = (frames - 1) * hop

    def preview(self, samples: Tensor) -> Image.Image:
        """Lay the spectrograms out as a grid, time to the right and the lowest band at the bottom; bright is loud."""
        return grid(samples)

    def analyse(self, waveforms: Tensor) -> Tensor:
        """Turn waveforms ``(B, length)`` in [-1, 1] into ``(B, 1, mels, frames)`` in [-1, 1], on their device."""
        analysis = transforms.analysis(self.settings, waveforms.device)
        with torch.no_grad(), torch.autocast(waveforms.device.type, enabled=False):
            powers = [analysis(part.float()) for part in torch.split(waveforms, CHUNK)]
        level = 10 * torch.cat(powers)[:, None].clamp_min(transforms.SMALLEST).log10()
        return ((level - self.floor) / (self.ceiling - self.floor) * 2 - 1).clamp(-1, 1)

    def synthesise(self, samples: Tensor) -> Tensor:
        """Turn ``(B, 1, mels, frames)`` into waveforms ``(B, length)``, on their device."""
        synthesis = transforms.synthesis(self.settings, self.iterations, samples.device)
        with torch.no_grad(), torch.autocast(samples.device.type, enabled=False):
            power = 10 ** (self.decibels(samples)[:, 0] / 10)
            # What lies at the floor is silence, not a murmur at the floor's level.
            power = torch.where(samples[:, 0] > -1, power, 0.0)
            waveforms = [synthesis(part) for part in torch.split(power, CHUNK) if len(part)]
        return torch.cat(waveforms) if waveforms else power.new_zeros(0, self.length)

    def decibels(self, samples: Tensor) -> Tensor:
        """Turn values in [-1, 1], of any shape, into decibels; what lies outside the range is clipped."""
        values = samples.float().nan_to_num(nan=-1.0).clamp(-1, 1)
        return self.floor + (values + 1) / 2 * (self.ceiling - self.floor)

    def _refuse_nonsense(self) -> None:
        troubles = [
            (min(self.sample_rate, self.mels) < 1, "sample_rate and mels must be above 0"),
            (self.window < 4, f"a window of {self.window} samples is too short"),
            (self.frames < 2, f"{self.frames} frames are too few: a clip needs 2"),
            (
                not 0 < 2 * self.hop <= self.window,
                f"a hop of {self.hop} samples is not between 1 and half of the window, {self.window} samples",
            ),
            (
                not 0 <= self.lowest < self.highest,
                f"the range from {self.lowest} to {self.highest} Hz is empty",
            ),
            (
                2 * self.highest > self.sample_rate,
                f"highest is {self.highest} Hz, and a sample rate of {self.sample_rate} Hz reaches up to half of it",
            ),
            (not self.floor < self.ceiling, f"the floor, {self.floor} dB, is not below the ceiling, {self.ceiling} dB"),
            (self.iterations < 1, "iterations must be above 0"),
        ]
        refuse(troubles, "audio/log-mel")
