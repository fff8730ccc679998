"""The space of waveforms: sound as it is, sample by sample."""

from __future__ import annotations

from typing import ClassVar

from PIL import Image
from torch import Tensor

from sparring.errors import DataError
from sparring.interfaces.space import Space
from sparring_audio.magnitudes import magnitudes
from sparring_audio.pictures import grid
from sparring_audio.sound_space import SoundSpace, refuse
from sparring_audio.spectra import full_scale

PICTURE_WINDOW = 512  # samples, of the spectrograms that a preview shows
PICTURE_FLOOR = -80.0  # dB below full scale, where a picture is black
MOST_PICTURED = 64000  # samples of a sound that a preview shows


class WaveformSpace(SoundSpace):
    """Waveforms ``(1, length)`` of one channel, at full scale in [-1, 1].

    A generator that is driven by longer or shorter spectrograms makes longer or shorter sounds; ``decode``, ``save``
    and ``preview`` take sounds of any length.

    Args:
        sample_rate: In Hz.
        length: Samples of a clip; HiFi-GAN learns from 8,192 at a time.
    """

    called: ClassVar[str] = "waveforms"
    harmless: ClassVar[frozenset[str]] = frozenset({"length"})
    any_length: ClassVar[bool] = True

    def __init__(self, sample_rate: int = 16000, length: int = 16384) -> None:
        self.sample_rate, self.length = sample_rate, length
        refuse([(min(sample_rate, length) < 1, "sample_rate and length must be above 0")], "audio/waveform")
        self.shape = (1, length)

    def analyse(self, waveforms: Tensor) -> Tensor:
        """Turn waveforms ``(B, L)`` into samples ``(B, 1, L)``; what is louder than full scale is clipped."""
        return waveforms[:, None].float().clamp(-1, 1)

    def synthesise(self, samples: Tensor) -> Tensor:
        """Turn samples ``(B, 1, L)`` into waveforms ``(B, L)`` in [-1, 1]."""
        return samples[:, 0].float().nan_to_num(nan=0.0, posinf=1.0, neginf=-1.0).clamp(-1, 1)

    def preview(self, samples: Tensor) -> Image.Image:
        """Lay spectrograms of the sounds out as a grid, low frequencies at the bottom; bright is loud."""
        waveform_BL = self.synthesise(samples.detach().cpu())[:, :MOST_PICTURED]
        window = max(4, min(PICTURE_WINDOW, 1 << (waveform_BL.shape[1].bit_length() - 1)))
        level = 20 * (magnitudes(waveform_BL, window, window // 2) / full_scale(window)).clamp_min(1e-9).log10()
        return grid((1 - 2 * level / PICTURE_FLOOR).clamp(-1, 1)[:, None])


def waveform_space(space: Space, component: str, where: str = "") -> WaveformSpace:
    """Return a space as one of waveforms.

    Args:
        space: Any space.
        component: What needs waveforms, for the message.
        where: The recipe's key, for the message.

    Raises:
        DataError: It is another one.
    """
    if not isinstance(space, WaveformSpace):
        raise DataError(
            f"{component} works on waveforms, and the samples are of {type(space).__name__}",
            where=where,
            remedy="use data in the space audio/waveform",
        )
    return space
