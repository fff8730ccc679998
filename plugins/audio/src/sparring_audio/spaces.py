"""The space of log-mel spectrograms: between sounds and tensors in [-1, 1]."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from sparring.errors import DataError
from sparring.interfaces.space import Space
from sparring_audio import transforms
from sparring_audio.mismatch import refuse_mismatch, refuse_rate
from sparring_audio.pictures import grid
from sparring_audio.sounds import as_sound, fit
from sparring_audio.transforms import MelSettings

MOMENTUM = 0.99  # of Griffin-Lim, as in the paper
CHUNK = 256  # sounds that are transformed at a time


class LogMelSpace(Space):
    """Log-mel spectrograms ``(1, mels, frames)`` in [-1, 1], the lowest band and the first frame first.

    A value is the power in a mel band in decibels, where a sine of full scale has 0 dB over the bands that share it;
    ``floor`` becomes -1 and ``ceiling`` 1. A clip has ``(frames - 1) * hop`` samples, since the first frame lies on its
    first sample and the last one behind its last. Back to sound leads the fast Griffin-Lim algorithm.

    Two spectrograms mean the same only where all of the settings agree: ``refuse_mismatch`` names those that do not.

    Attributes:
        length: Samples of a clip.
        seconds: Its duration.

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
    audible: ClassVar[bool] = True

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
        self.seconds = self.length / sample_rate

    # ---- one sound ----

    def encode(self, raw: Any) -> Tensor:
        """Turn a sound into ``(1, mels, frames)`` in [-1, 1].

        A shorter sound is laid in the middle of silence, a longer one loses its end.

        Args:
            raw: The path of a file of any format that libsndfile reads, stereo mixed into one channel; or a waveform
                ``(L,)`` of floats in [-1, 1], which is taken to have this space's sample rate; or a pair of a waveform
                and its sample rate in Hz.

        Raises:
            DataError: It cannot be read, or has another sample rate.
        """
        sound = as_sound(raw, self.sample_rate)
        self.refuse_rate(sound.sample_rate, str(raw) if isinstance(raw, (str, Path)) else "")
        return self.analyse(fit(torch.from_numpy(sound.waveform), self.length)[None])[0]

    def decode(self, sample: Tensor) -> NDArray[np.float32]:
        """Turn ``(1, mels, frames)`` into a waveform ``(length,)`` of floats, by Griffin-Lim."""
        if tuple(sample.shape) != self.shape:
            raise DataError(
                f"a sample of shape {tuple(sample.shape)} is not in this space, whose samples are {self.shape}",
                remedy="give one sample, without the batch dimension",
            )
        waveform: NDArray[np.float32] = self.synthesise(sample.detach()[None])[0].cpu().numpy()
        return waveform

    def save(self, samples: Tensor, folder: Path) -> list[Path]:
        """Write each sample as a WAV file of 16 bits, named ``00000.wav``, ``00001.wav`` and so on."""
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / f"{index:05d}.wav" for index in range(len(samples))]
        waveforms = self.synthesise(samples.detach()).cpu()
        # A spectrogram near the ceiling can sum up to more than full scale. It is made quieter: clipping crackles.
        waveforms = waveforms / waveforms.abs().amax(dim=1, keepdim=True).clamp_min(1.0)
        for path, waveform in zip(paths, waveforms, strict=True):
            soundfile.write(path, waveform.numpy(), self.sample_rate, subtype="PCM_16")
        return paths

    def preview(self, samples: Tensor) -> Image.Image:
        """Lay the spectrograms out as a grid, time to the right and the lowest band at the bottom; bright is loud."""
        return grid(samples)

    # ---- many sounds, on their device ----

    def analyse(self, waveforms: Tensor) -> Tensor:
        """Turn waveforms ``(B, length)`` in [-1, 1] into ``(B, 1, mels, frames)`` in [-1, 1], on their device."""
        analysis = transforms.analysis(self.settings, waveforms.device)
        with torch.no_grad(), torch.autocast(waveforms.device.type, enabled=False):
            powers = [analysis(part.float()) for part in torch.split(waveforms, CHUNK)]
        level = 10 * torch.cat(powers)[:, None].clamp_min(transforms.SMALLEST).log10()
        return ((level - self.floor) / (self.ceiling - self.floor) * 2 - 1).clamp(-1, 1)

    def synthesise(self, samples: Tensor) -> Tensor:
        """Turn ``(B, 1, mels, frames)`` into waveforms ``(B, length)``, on their device."""
        synthesis = transforms.synthesis(self.settings, self.iterations, MOMENTUM, samples.device)
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

    # ---- what does not fit ----

    def refuse_rate(self, rate: int, where: str = "") -> None:
        """Raise where a sound has another sample rate than this space; the message has both."""
        refuse_rate(rate, self.sample_rate, where)

    def refuse_mismatch(self, other: Space, where: str = "") -> None:
        """Raise where spectrograms of another space do not mean the same as this one's.

        Args:
            other: The other space, such as that of a network's weights.
            where: What it belongs to, for the message.

        Raises:
            DataError: With both values of every setting that differs.
        """
        refuse_mismatch(self, other, self.called, where, ignored=("iterations",))

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
        wrong = [text for holds, text in troubles if holds]
        if wrong:
            raise DataError("; ".join(wrong), remedy="change these settings of audio/log-mel")
