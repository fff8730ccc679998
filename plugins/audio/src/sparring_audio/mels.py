"""The space of mel spectrograms that drive a vocoder: the contract between whoever makes one and whoever sounds it.

Letters in names of tensors: B rows of the batch, L samples of a waveform, M mel bands, T frames.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal

import torch
from PIL import Image
from torch import Tensor

from sparring.errors import DataError
from sparring_audio import magnitudes, phases, transforms
from sparring_audio.bands import Filters, mel_bands, unmixed
from sparring_audio.pictures import grid
from sparring_audio.sound_space import SoundSpace, refuse
from sparring_audio.spaces import LogMelSpace

LOUDEST = 10.0  # a magnitude that hardly a band of speech exceeds, shown as the brightest


class MelSpace(SoundSpace):
    """Logarithms of the magnitudes in mel bands, ``(mels, frames)``, as they drive a vocoder.

    Frame i lies around the samples of the i-th hop, so that ``frames`` of them belong to exactly ``frames * hop``
    samples. Every published vocoder has its own dialect of them, and one that is given another's makes noise. All of
    this space's options but ``frames`` are therefore a contract, which a run keeps beside its weights;
    ``refuse_mismatch`` names what differs. As it is, it is HiFi-GAN's dialect (Kong, Kim and Bae 2020,
    arXiv:2010.05646) at 16 kHz: Slaney's filters, natural logarithm, magnitudes of at least 1e-5, mirrored ends.

    Attributes:
        length: Samples of a clip.

    Args:
        sample_rate: In Hz.
        window: Length of the Hann window and of the Fourier transform, in samples.
        hop: Samples from one frame to the next; at most half of ``window``.
        mels: Number of mel bands.
        frames: Number of frames of a clip; other numbers mean the same.
        lowest: Lower edge of the first band, in Hz.
        highest: Upper edge of the last band, in Hz; at most half of the sample rate.
        filters: ``slaney``, as in librosa, HiFi-GAN and BigVGAN; or ``htk``, as in torchaudio and Vocos.
        logarithm: ``natural``, as in HiFi-GAN and Vocos; or ``decimal``, as in MelGAN and ParallelWaveGAN.
        power: Whether bands add up magnitudes (1), as in all of these, or powers (2), as in ``audio/log-mel``.
        smallest: The sum in a band to which smaller ones are raised, so that silence has a logarithm.
        padding: Whether a waveform is mirrored at its ends (``reflect``), or silence lies beyond (``zeros``).
    """

    called: ClassVar[str] = "mel spectrograms"
    harmless: ClassVar[frozenset[str]] = frozenset({"frames"})
    any_length: ClassVar[bool] = True

    def __init__(
        self,
        sample_rate: int = 16000,
        window: int = 1024,
        hop: int = 256,
        mels: int = 80,
        frames: int = 32,
        lowest: float = 0.0,
        highest: float = 8000.0,
        filters: Filters = "slaney",
        logarithm: Literal["natural", "decimal"] = "natural",
        power: Literal[1, 2] = 1,
        smallest: float = 1e-5,
        padding: Literal["reflect", "zeros"] = "reflect",
    ) -> None:
        self.sample_rate, self.window, self.hop, self.mels, self.frames = sample_rate, window, hop, mels, frames
        self.lowest, self.highest, self.filters = lowest, highest, filters
        self.logarithm, self.power, self.smallest, self.padding = logarithm, power, smallest, padding
        self._refuse_nonsense()
        self.shape = (mels, frames)
        self.length = frames * hop

    @property
    def silence(self) -> float:
        """The value of a band in which nothing sounds."""
        return self._log(self.smallest)

    def preview(self, samples: Tensor) -> Image.Image:
        """Lay the spectrograms out as a grid, time to the right and the lowest band at the bottom; bright is loud."""
        lowest, highest = self._log(self.smallest), self._log(LOUDEST)
        return grid(((samples.detach().float() - lowest) / (highest - lowest) * 2 - 1).clamp(-1, 1)[:, None])

    def analyse(self, waveforms: Tensor) -> Tensor:
        """Turn waveforms ``(B, T * hop)`` into ``(B, mels, T)``, on their device; differentiable.

        Raises:
            DataError: The length is no multiple of the hop.
        """
        if waveforms.shape[1] % self.hop or not waveforms.shape[1]:
            raise DataError(
                f"{waveforms.shape[1]} samples are no multiple of the hop, {self.hop} samples",
                remedy="give sounds of whole hops, or pad them",
            )
        magnitude_BNT = magnitudes.magnitudes_by_hop(waveforms, self.window, self.hop, self.padding)
        mel_BMT = self.bands(waveforms.device) @ magnitude_BNT**self.power
        raised_BMT = mel_BMT.clamp_min(self.smallest)
        return raised_BMT.log() if self.logarithm == "natural" else raised_BMT.log10()

    def synthesise(self, samples: Tensor, iterations: int = 32) -> Tensor:
        """Turn ``(B, mels, T)`` into waveforms ``(B, T * hop)`` by the fast Griffin-Lim algorithm.

        Args:
            samples: Of this space.
            iterations: Of Griffin-Lim.
        """
        values = samples.float().nan_to_num(nan=self._log(self.smallest), posinf=self._log(LOUDEST))
        limited_BMT = values.clamp(self._log(self.smallest), self._log(LOUDEST ** (2 * self.power)))
        mel_BMT = limited_BMT.exp() if self.logarithm == "natural" else 10**limited_BMT
        mel_BMT = torch.where(limited_BMT > self._log(self.smallest) + 1e-6, mel_BMT, 0.0)
        with torch.no_grad(), torch.autocast(samples.device.type, enabled=False):
            finest = phases.precise(samples.device)
            bands_MN = self.bands(samples.device).to(finest)
            magnitude_BNT = unmixed(mel_BMT.to(finest), bands_MN) ** (1 / self.power)
            return phases.phased(magnitude_BNT, self.window, self.hop, iterations).float()

    def from_log_mel(self, samples: Tensor, space: LogMelSpace, where: str = "") -> Tensor:
        """Turn samples of ``audio/log-mel``, such as another run generates, into what drives a vocoder of this space.

        A vocoder's sound of T frames is a hop longer than theirs: half a hop earlier at its start, and later at its
        end. What they have clipped at their floor and ceiling stays clipped.

        Args:
            samples: ``(B, 1, mels, T)`` in [-1, 1].
            space: Their space.
            where: What it belongs to, for the message.

        Returns:
            ``(B, mels, T)``.

        Raises:
            DataError: The two do not measure the same; the message has both values of every setting that differs.
        """
        same = ("sample_rate", "window", "hop", "mels", "lowest", "highest")
        measured = {name: getattr(space, name) for name in same}
        theirs = MelSpace(**measured, filters="htk", power=2, padding="zeros", **self._own_scale())
        self.refuse_mismatch(theirs, where)
        power_BMT = 10 ** (space.decibels(samples)[:, 0] / 10) * transforms.full_scale(space.settings)
        raised_BMT = torch.where(samples[:, 0] > -1, power_BMT, 0.0).clamp_min(self.smallest)
        return raised_BMT.log() if self.logarithm == "natural" else raised_BMT.log10()

    def bands(self, device: torch.device) -> Tensor:
        """Return the weight of each frequency in each band, ``(mels, N)``, on a device."""
        return mel_bands(self.sample_rate, self.window, self.mels, self.lowest, self.highest, self.filters, device)

    def _own_scale(self) -> dict[str, Any]:
        """Return the options that a conversion can choose."""
        return {"logarithm": self.logarithm, "smallest": self.smallest}

    def _log(self, magnitude: float) -> float:
        return math.log(magnitude) if self.logarithm == "natural" else math.log10(magnitude)

    def _refuse_nonsense(self) -> None:
        troubles = [
            (min(self.sample_rate, self.mels, self.frames) < 1, "sample_rate, mels and frames must be above 0"),
            (self.window < 4, f"a window of {self.window} samples is too short"),
            (
                not 0 < 2 * self.hop <= self.window,
                f"a hop of {self.hop} samples is not between 1 and half of the window, {self.window} samples",
            ),
            (not 0 <= self.lowest < self.highest, f"the range from {self.lowest} to {self.highest} Hz is empty"),
            (
                2 * self.highest > self.sample_rate,
                f"highest is {self.highest} Hz, and a sample rate of {self.sample_rate} Hz reaches up to half of it",
            ),
            (not 0 < self.smallest < 1, f"the smallest magnitude, {self.smallest}, is not between 0 and 1"),
            (self.power not in (1, 2), f"a power of {self.power} is neither 1 nor 2"),
        ]
        refuse(troubles, "audio/mel")
