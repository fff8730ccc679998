"""The space of waveforms: sound as it is, sample by sample."""

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
from sparring_audio.magnitudes import magnitudes
from sparring_audio.mismatch import refuse_mismatch, refuse_rate
from sparring_audio.pictures import grid
from sparring_audio.sounds import as_sound, fit

PICTURE_WINDOW = 512  # samples, of the spectrograms that a preview shows
PICTURE_FLOOR = -80.0  # dB below full scale, where a picture is black
MOST_PICTURED = 64000  # samples of a sound that a preview shows


class WaveformSpace(Space):
    """Waveforms ``(1, length)`` of one channel, at full scale in [-1, 1].

    A generator that is driven by longer or shorter spectrograms makes longer or shorter sounds; ``decode``, ``save``
    and ``preview`` take sounds of any length.

    Attributes:
        seconds: The duration of ``length`` samples.

    Args:
        sample_rate: In Hz.
        length: Samples of a clip; HiFi-GAN learns from 8,192 at a time.
    """

    called: ClassVar[str] = "waveforms"
    audible: ClassVar[bool] = True

    def __init__(self, sample_rate: int = 16000, length: int = 8192) -> None:
        if min(sample_rate, length) < 1:
            raise DataError(
                f"a sample rate of {sample_rate} Hz and a length of {length} samples make no sound",
                remedy="give audio/waveform numbers above 0",
            )
        self.sample_rate, self.length = sample_rate, length
        self.shape = (1, length)
        self.seconds = length / sample_rate

    def encode(self, raw: Any) -> Tensor:
        """Turn a sound into ``(1, length)``.

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
        """Turn ``(1, L)`` into a waveform ``(L,)`` of floats in [-1, 1]."""
        if sample.dim() != 2 or sample.shape[0] != 1 or not sample.shape[1]:
            raise DataError(
                f"a sample of shape {tuple(sample.shape)} is no waveform (1, L)",
                remedy="give one sample, without the batch dimension",
            )
        values: NDArray[np.float32] = self.synthesise(sample.detach()[None])[0].cpu().numpy()
        return values

    def save(self, samples: Tensor, folder: Path) -> list[Path]:
        """Write each sample as a WAV file of 16 bits, named ``00000.wav``, ``00001.wav`` and so on."""
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / f"{index:05d}.wav" for index in range(len(samples))]
        for path, sample in zip(paths, samples, strict=True):
            soundfile.write(path, self.decode(sample), self.sample_rate, subtype="PCM_16")
        return paths

    def preview(self, samples: Tensor) -> Image.Image:
        """Lay spectrograms of the sounds out as a grid, low frequencies at the bottom; bright is loud."""
        waveform_BL = self.synthesise(samples.detach().cpu())[:, :MOST_PICTURED]
        window = max(4, min(PICTURE_WINDOW, 1 << (waveform_BL.shape[1].bit_length() - 1)))
        full_scale = window / 4  # a sine's magnitude: the Hann window's sum, shared between two frequencies
        level = 20 * (magnitudes(waveform_BL, window, window // 2) / full_scale).clamp_min(1e-9).log10()
        return grid((1 - 2 * level / PICTURE_FLOOR).clamp(-1, 1)[:, None])

    # ---- many sounds, on their device ----

    def analyse(self, waveforms: Tensor) -> Tensor:
        """Turn waveforms ``(B, L)`` into samples ``(B, 1, L)``; what is louder than full scale is clipped."""
        return waveforms[:, None].float().clamp(-1, 1)

    def synthesise(self, samples: Tensor) -> Tensor:
        """Turn samples ``(B, 1, L)`` into waveforms ``(B, L)`` in [-1, 1]."""
        return samples[:, 0].float().nan_to_num(nan=0.0, posinf=1.0, neginf=-1.0).clamp(-1, 1)

    # ---- what does not fit ----

    def refuse_rate(self, rate: int, where: str = "") -> None:
        """Raise where a sound has another sample rate than this space; the message has both."""
        refuse_rate(rate, self.sample_rate, where)

    def refuse_mismatch(self, other: Space, where: str = "") -> None:
        """Raise where waveforms of another space have another sample rate; the lengths may differ."""
        refuse_mismatch(self, other, self.called, where, ignored=("length",))


def waveform_space(space: Space, component: str) -> WaveformSpace:
    """Return a space as one of waveforms.

    Raises:
        DataError: It is another one.
    """
    if not isinstance(space, WaveformSpace):
        raise DataError(
            f"{component} works on waveforms, and the samples are of {type(space).__name__}",
            remedy="use data in the space audio/waveform",
        )
    return space
