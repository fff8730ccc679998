"""The space of log-magnitude spectrograms, whose every frequency is measured against the data's own (SpecGAN)."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import torch
from PIL import Image
from torch import Tensor

from sparring.errors import DataError
from sparring_audio import spectra
from sparring_audio.phases import griffin_lim, precise
from sparring_audio.pictures import grid
from sparring_audio.sound_space import CHUNK, SoundSpace, refuse

SMALLEST = 1e-6  # of a magnitude, as in the paper's code: -120 dB
NARROWEST = 0.1  # dB: a deviation below it is that of a frequency which the data do not have
DECIMALS = 3  # of the statistics in dB, so that a run's record can be read


class LogStftSpace(SoundSpace):
    """Log-magnitude spectrograms ``(1, window / 2, frames)`` in [-1, 1], the lowest frequency and first frame first.

    This is the representation of SpecGAN (Donahue, McAuley and Puckette 2019, "Adversarial Audio Synthesis",
    arXiv:1802.04208): each frequency's level in decibels, less its mean over the training clips, divided by its
    standard deviation, clipped to ±``clip`` deviations and divided by them. The highest frequency, half of the sample
    rate, is left out and silent, so that the size is a power of two; the paper gives it its mean level.

    ``mean`` and ``deviation`` need not be written down: data measure them on their training clips, and a run's record
    has them. A clip has ``(frames - 1) * hop`` samples. Back to sound leads the fast Griffin-Lim algorithm.

    Args:
        sample_rate: In Hz.
        window: Length of the Hann window and of the Fourier transform, in samples; even.
        hop: Samples from one frame to the next; at most half of ``window``.
        frames: Number of frames.
        clip: How many standard deviations from the mean a value may be; the paper has 3.
        iterations: Of Griffin-Lim; the paper has 16, without momentum. It matters to ``decode`` alone.
        mean: Of each frequency's level over the training clips, in dB; by default measured by the data.
        deviation: Its standard deviation, in dB; by default measured by the data.
    """

    called: ClassVar[str] = "spectrograms"
    harmless: ClassVar[frozenset[str]] = frozenset({"iterations"})

    def __init__(
        self,
        sample_rate: int = 16000,
        window: int = 256,
        hop: int = 128,
        frames: int = 128,
        clip: float = 3.0,
        iterations: int = 32,
        mean: list[float] | None = None,
        deviation: list[float] | None = None,
    ) -> None:
        self.sample_rate, self.window, self.hop, self.frames = sample_rate, window, hop, frames
        self.clip, self.iterations, self.mean, self.deviation = clip, iterations, mean, deviation
        self._refuse_nonsense()
        self.shape = (1, window // 2, frames)
        self.length = (frames - 1) * hop

    def fitted(self, waveforms: Tensor) -> Self:
        """Return the space with the mean and the deviation of each frequency over clips ``(N, length)``.

        A space that was given statistics keeps them: those of a network's training data, for instance.
        """
        if self.mean is not None:
            return self
        total = square = torch.zeros(self.shape[1], dtype=torch.float64)
        for part in torch.split(waveforms, CHUNK):
            levels_BNT = self._levels(part).double().cpu()
            total = total + levels_BNT.sum((0, 2))
            square = square + levels_BNT.square().sum((0, 2))
        mean = total / (len(waveforms) * self.frames)
        deviation = (square / (len(waveforms) * self.frames) - mean.square()).clamp_min(NARROWEST**2).sqrt()
        statistics = {
            name: [round(value, DECIMALS) for value in values.tolist()]
            for name, values in (("mean", mean), ("deviation", deviation))
        }
        return type(self)(**{**self.options(), **statistics})

    def analyse(self, waveforms: Tensor) -> Tensor:
        """Turn waveforms ``(B, length)`` in [-1, 1] into ``(B, 1, window / 2, frames)``, on their device."""
        mean_N1, spread_N1 = self._statistics(waveforms.device)
        parts = [((self._levels(part) - mean_N1) / spread_N1).clamp(-1, 1) for part in torch.split(waveforms, CHUNK)]
        return torch.cat(parts)[:, None]

    def synthesise(self, samples: Tensor) -> Tensor:
        """Turn ``(B, 1, window / 2, frames)`` into waveforms ``(B, length)``, on their device."""
        find = griffin_lim(self.window, self.hop, self.iterations, samples.device)
        waveforms = [samples.new_zeros(0, self.length, dtype=torch.float32)]
        with torch.no_grad(), torch.autocast(samples.device.type, enabled=False):
            for part in torch.split(samples, CHUNK):
                magnitude_BNT = 10 ** (self.decibels(part)[:, 0].to(precise(samples.device)) / 20)
                padded_BNT = torch.nn.functional.pad(magnitude_BNT, (0, 0, 0, 1))
                waveforms.append(find(padded_BNT * spectra.full_scale(self.window)).float())
        return torch.cat(waveforms)

    def decibels(self, samples: Tensor) -> Tensor:
        """Turn values ``(B, 1, window / 2, frames)`` in [-1, 1] into decibels; what lies outside is clipped."""
        mean_N1, spread_N1 = self._statistics(samples.device)
        return samples.float().nan_to_num(nan=-1.0).clamp(-1, 1) * spread_N1 + mean_N1

    def preview(self, samples: Tensor) -> Image.Image:
        """Lay the spectrograms out as a grid, time to the right; bright is loud for its frequency."""
        return grid(samples)

    def _levels(self, waveforms: Tensor) -> Tensor:
        """Return levels in dB, ``(B, L)`` -> ``(B, N - 1, T)``."""
        with torch.no_grad(), torch.autocast(waveforms.device.type, enabled=False):
            magnitude_BNT = spectra.spectrum(waveforms.float(), self.window, self.hop).abs()
        return 20 * (magnitude_BNT[:, :-1] + SMALLEST).log10()

    def _statistics(self, device: torch.device) -> tuple[Tensor, Tensor]:
        if self.mean is None or self.deviation is None:
            raise DataError(
                "the space does not know the mean and the deviation of each frequency's level",
                where="audio/log-stft",
                remedy="give the space to data, which measure them, or set `mean` and `deviation` as a run's "
                "environment.json has them",
            )
        statistics = torch.tensor([self.mean, self.deviation], device=device)[:, :, None]
        return statistics[0], statistics[1] * self.clip

    def _refuse_nonsense(self) -> None:
        lists: list[Any] = [self.mean, self.deviation]
        bins, sizes = self.window // 2, " and ".join(str(len(one or [])) for one in lists)
        troubles = [
            (self.sample_rate < 1, "sample_rate must be above 0"),
            (self.window < 4 or self.window % 2 > 0, f"a window of {self.window} samples is not even and above 3"),
            (self.frames < 2, f"{self.frames} frames are too few: a clip needs 2"),
            (
                not 0 < 2 * self.hop <= self.window,
                f"a hop of {self.hop} samples is not between 1 and half of the window, {self.window} samples",
            ),
            (self.clip <= 0, f"clip is {self.clip}, and must be above 0"),
            (self.iterations < 1, "iterations must be above 0"),
            (
                (self.mean is None) != (self.deviation is None),
                "of mean and deviation only one is given: give both, or neither",
            ),
            (
                any(one is not None and len(one) != bins for one in lists),
                f"mean and deviation have {sizes} values, and there are {bins} frequencies",
            ),
            (any(value <= 0 for value in self.deviation or []), "a deviation is not above 0"),
        ]
        refuse(troubles, "audio/log-stft")
