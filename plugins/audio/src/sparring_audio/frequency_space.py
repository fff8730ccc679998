"""The space of log magnitudes and instantaneous frequencies, from which sound comes back exactly (GANSynth)."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from PIL import Image
from torch import Tensor

from sparring_audio import spectra
from sparring_audio.phases import precise
from sparring_audio.pictures import grid
from sparring_audio.sound_space import CHUNK, SoundSpace, refuse


class InstantaneousFrequencySpace(SoundSpace):
    """Log magnitudes and instantaneous frequencies ``(2, window / 2, frames)`` in [-1, 1].

    This is the representation of GANSynth (Engel et al. 2019, "GANSynth: Adversarial Neural Audio Synthesis",
    arXiv:1902.08710). The first channel is the level of each frequency in decibels, where a sine of full scale has
    0 dB; ``floor`` becomes -1 and ``ceiling`` 1. The second is by how much the phase advances from one frame to the
    next, as a share of half a turn; in the first frame it is the phase itself. Adding them up gives the phases back, so
    that no phase has to be guessed: what is not clipped comes back to rounding errors.

    The lowest and the highest frequency have no phase, only a sign. So that no sound is lost and the size is a power of
    two, the first row holds both, as real and imaginary part; the paper drops the lowest. The paper also scales
    magnitudes by constants of its data, which the decibels stand for, has a second form in mel bands that loses some
    sound and is not made here, and puts all padding in front, where here a clip has ``(frames - 1) * hop`` samples.

    Args:
        sample_rate: In Hz.
        window: Length of the Hann window and of the Fourier transform, in samples; even.
        hop: Samples from one frame to the next; at most half of ``window``. The paper has a quarter: with less overlap
            the phase turns by more than the ear forgives.
        frames: Number of frames.
        floor: The quietest level, in dB; what is quieter is raised to it, and silent when it comes back.
        ceiling: The loudest level, in dB; what is louder is lowered to it.
    """

    called: ClassVar[str] = "spectrograms"

    def __init__(
        self,
        sample_rate: int = 16000,
        window: int = 512,
        hop: int = 128,
        frames: int = 128,
        floor: float = -120.0,
        ceiling: float = 0.0,
    ) -> None:
        self.sample_rate, self.window, self.hop, self.frames = sample_rate, window, hop, frames
        self.floor, self.ceiling = floor, ceiling
        self._refuse_nonsense()
        self.shape = (2, window // 2, frames)
        self.length = (frames - 1) * hop

    def analyse(self, waveforms: Tensor) -> Tensor:
        """Turn waveforms ``(B, length)`` in [-1, 1] into ``(B, 2, window / 2, frames)``, on their device."""
        with torch.no_grad(), torch.autocast(waveforms.device.type, enabled=False):
            parts = [self._analyse(part.float()) for part in torch.split(waveforms, CHUNK)]
        return torch.cat(parts)

    def synthesise(self, samples: Tensor) -> Tensor:
        """Turn ``(B, 2, window / 2, frames)`` into waveforms ``(B, length)``, on their device."""
        waveforms = [samples.new_zeros(0, self.length, dtype=torch.float32)]
        with torch.no_grad(), torch.autocast(samples.device.type, enabled=False):
            waveforms += [self._synthesise(part).float() for part in torch.split(samples, CHUNK) if len(part)]
        return torch.cat(waveforms)

    def decibels(self, samples: Tensor) -> Tensor:
        """Turn levels in [-1, 1], of any shape, into decibels; what lies outside the range is clipped."""
        values = samples.nan_to_num(nan=-1.0).clamp(-1, 1)
        return self.floor + (values + 1) / 2 * (self.ceiling - self.floor)

    def preview(self, samples: Tensor) -> Image.Image:
        """Lay the levels out as a grid, time to the right and the lowest frequency at the bottom; bright is loud."""
        return grid(samples[:, :1])

    def _analyse(self, waveforms: Tensor) -> Tensor:
        spectrum_BNT = fold(spectra.spectrum(waveforms, self.window, self.hop))
        level_BNT = 20 * spectrum_BNT.abs().clamp_min(10 ** (self.floor / 20)).log10()
        scaled_BNT = (level_BNT - self.floor) / (self.ceiling - self.floor) * 2 - 1
        # Angles of silence are noise of the arithmetic: they are set to none, so that silence is the same everywhere.
        angle_BNT = torch.where(scaled_BNT > -1, spectrum_BNT.angle(), 0.0)
        return torch.stack([scaled_BNT.clamp(-1, 1), differences(angle_BNT) / math.pi], dim=1)

    def _synthesise(self, samples: Tensor) -> Tensor:
        values = samples.to(precise(samples.device))
        level_BNT, frequency_BNT = values[:, 0], values[:, 1].nan_to_num()
        magnitude_BNT = 10 ** (self.decibels(level_BNT) / 20)
        magnitude_BNT = torch.where(level_BNT > -1, magnitude_BNT, 0.0)
        angle_BNT = (frequency_BNT * math.pi).cumsum(dim=2)
        spectrum_BNT = unfold(torch.polar(magnitude_BNT, angle_BNT))
        return spectra.waveform(spectrum_BNT, self.window, self.hop)

    def _refuse_nonsense(self) -> None:
        troubles = [
            (self.sample_rate < 1, "sample_rate must be above 0"),
            (self.window < 4 or self.window % 2 > 0, f"a window of {self.window} samples is not even and above 3"),
            (self.frames < 2, f"{self.frames} frames are too few: a clip needs 2"),
            (
                not 0 < 2 * self.hop <= self.window,
                f"a hop of {self.hop} samples is not between 1 and half of the window, {self.window} samples",
            ),
            (not self.floor < self.ceiling, f"the floor, {self.floor} dB, is not below the ceiling, {self.ceiling} dB"),
        ]
        refuse(troubles, "audio/instantaneous-frequency")


def differences(angle: Tensor) -> Tensor:
    """Return by how much angles advance from frame to frame, the shorter way round.

    Args:
        angle: ``(B, N, T)`` in radians.

    Returns:
        ``(B, N, T)`` in [-π, π]; the first frame's own angle comes first.
    """
    first_BN1 = angle[:, :, :1]
    step_BNT = angle.diff(dim=2)
    return torch.cat([first_BN1, step_BNT - 2 * math.pi * (step_BNT / (2 * math.pi)).round()], dim=2)


def fold(spectrum: Tensor) -> Tensor:
    """Make the highest frequency's value the lowest one's imaginary part: ``(B, N, T)`` -> ``(B, N - 1, T)``."""
    lowest_B1T = torch.complex(spectrum[:, :1].real, spectrum[:, -1:].real)
    return torch.cat([lowest_B1T, spectrum[:, 1:-1]], dim=1)


def unfold(folded: Tensor) -> Tensor:
    """Undo ``fold``: ``(B, N - 1, T)`` -> ``(B, N, T)``."""
    ends = [torch.complex(part, torch.zeros_like(part)) for part in (folded[:, :1].real, folded[:, :1].imag)]
    return torch.cat([ends[0], folded[:, 1:], ends[1]], dim=1)
