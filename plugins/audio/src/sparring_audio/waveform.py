"""The space of waveforms: sounds as they are."""

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
from sparring_audio.pictures import grid
from sparring_audio.sounds import as_sound, fit
from sparring_audio.spaces import LogMelSpace

SHOWN_FRAMES = 64  # of the spectrogram that previews draw
SHOWN_MELS = 64
SHOWN_WINDOW = 0.032  # seconds: long enough for the bands of the lowest voices


class WaveformSpace(Space):
    """Waveforms ``(1, length)`` in [-1, 1], at full scale.

    Attributes:
        seconds: Duration of a clip.

    Args:
        sample_rate: In Hz.
        length: Samples of a clip.
    """

    called: ClassVar[str] = "sounds"
    audible: ClassVar[bool] = True

    def __init__(self, sample_rate: int = 16000, length: int = 16384) -> None:
        if min(sample_rate, length) < 1:
            raise DataError(
                f"a sample rate of {sample_rate} Hz and {length} samples are no sound",
                remedy="give audio/waveform numbers above 0",
            )
        self.sample_rate, self.length = sample_rate, length
        self.shape = (1, length)
        self.seconds = length / sample_rate

    def encode(self, raw: Any) -> Tensor:
        """Turn a sound into ``(1, length)`` in [-1, 1]; a shorter one is laid in the middle of silence.

        Args:
            raw: The path of a file of any format that libsndfile reads; or a waveform ``(L,)`` of floats in [-1, 1],
                which is taken to have this space's sample rate; or a pair of a waveform and its sample rate in Hz.

        Raises:
            DataError: It cannot be read, or has another sample rate.
        """
        sound = as_sound(raw, self.sample_rate)
        self.refuse_rate(sound.sample_rate, str(raw) if isinstance(raw, (str, Path)) else "")
        return self.analyse(fit(torch.from_numpy(sound.waveform), self.length)[None])[0]

    def decode(self, sample: Tensor) -> NDArray[np.float32]:
        """Turn ``(1, length)`` into a waveform ``(length,)`` of floats."""
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
        for path, waveform in zip(paths, self.synthesise(samples.detach()).cpu(), strict=True):
            soundfile.write(path, waveform.numpy(), self.sample_rate, subtype="PCM_16")
        return paths

    def preview(self, samples: Tensor) -> Image.Image:
        """Lay the sounds' spectrograms out as a grid, time to the right and the lowest band at the bottom."""
        hop = max(2, self.length // SHOWN_FRAMES)
        frames = max(2, self.length // hop + 1)
        window = max(2 * hop, 2 * round(SHOWN_WINDOW * self.sample_rate / 2))
        shown = LogMelSpace(
            self.sample_rate, window, hop, min(SHOWN_MELS, window // 8), frames, 0, self.sample_rate / 2
        )
        return grid(shown.analyse(torch.nn.functional.pad(self.synthesise(samples), (0, hop))[:, : shown.length]))

    def analyse(self, waveforms: Tensor) -> Tensor:
        """Turn waveforms ``(B, length)`` into samples ``(B, 1, length)``; what is beyond full scale is clipped."""
        return waveforms[:, None].float().clamp(-1, 1)

    def synthesise(self, samples: Tensor) -> Tensor:
        """Turn samples ``(B, 1, length)`` into waveforms ``(B, length)`` in [-1, 1], on their device."""
        return samples[:, 0].float().nan_to_num(nan=0.0).clamp(-1, 1)

    def refuse_rate(self, rate: int, where: str = "") -> None:
        """Raise where a sound has another sample rate than this space; the message has both."""
        if rate != self.sample_rate:
            raise DataError(
                f"the sound has a sample rate of {rate} Hz, and this space has {self.sample_rate} Hz",
                where=where,
                remedy=f"set the space's `sample_rate` to {rate}, or let the data resample: `resample: true`",
            )
