"""What all spaces of sounds share: from files and waveforms to samples and back, and what does not fit together."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray
from torch import Tensor

from sparring.errors import DataError
from sparring.interfaces.space import Space
from sparring_audio import mismatch
from sparring_audio.sounds import as_sound, fit

CHUNK = 256  # sounds that are transformed at a time


class SoundSpace(Space):
    """Sounds of one length and one sample rate, in some representation.

    A subclass turns many waveforms into samples and back, on the device where they are, by ``analyse`` and
    ``synthesise``; files, single sounds and messages follow from these.

    Attributes:
        sample_rate: In Hz.
        length: Samples of a clip.
        harmless: Options that change how a sample sounds or how long it is, but not what its values mean.
        any_length: Whether samples of another length, in their last dimension, belong to the space as well.
    """

    audible: ClassVar[bool] = True
    harmless: ClassVar[frozenset[str]] = frozenset()
    any_length: ClassVar[bool] = False
    sample_rate: int
    length: int

    @property
    def seconds(self) -> float:
        """The duration of a clip."""
        return self.length / self.sample_rate

    # ---- many sounds, on their device ----

    @abstractmethod
    def analyse(self, waveforms: Tensor) -> Tensor:
        """Turn waveforms ``(B, length)`` in [-1, 1] into samples ``(B, *shape)``, on their device."""

    @abstractmethod
    def synthesise(self, samples: Tensor) -> Tensor:
        """Turn samples ``(B, *shape)`` into waveforms ``(B, length)``, on their device."""

    def fitted(self, waveforms: Tensor) -> Self:
        """Return the space with what it has to know about the data: statistics of the training clips.

        Data call it once with training clips ``(N, length)``. Most spaces need to know nothing, and return themselves.
        """
        return self

    # ---- one sound ----

    def encode(self, raw: Any) -> Tensor:
        """Turn a sound into a sample of ``shape``.

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
        """Turn one sample of ``shape`` into a waveform ``(length,)`` of floats."""
        given, wanted = tuple(sample.shape), self.shape
        if self.any_length and given and given[-1]:
            wanted = (*wanted[:-1], given[-1])
        if given != wanted:
            raise DataError(
                f"a sample of shape {given} is not in this space, whose samples are {self.shape}",
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

    # ---- what does not fit ----

    def refuse_rate(self, rate: int, where: str = "") -> None:
        """Raise where a sound has another sample rate than this space; the message has both."""
        mismatch.refuse_rate(rate, self.sample_rate, where)

    def refuse_mismatch(self, other: Space, where: str = "") -> None:
        """Raise where samples of another space do not mean the same as this one's.

        Args:
            other: The other space, such as that of a network's weights.
            where: What it belongs to, for the message.

        Raises:
            DataError: With both values of every setting that differs.
        """
        mismatch.refuse_mismatch(self, other, self.called, where, ignored=self.harmless)


def checked(space: Space | None, default: SoundSpace, data: str) -> SoundSpace:
    """Return the space that a recipe names, or the default.

    Raises:
        DataError: It is no space of sounds.
    """
    if space is None:
        return default
    if not isinstance(space, SoundSpace):
        raise DataError(
            f"{data} gives sounds, and {type(space).__name__} is no space of them",
            where="data.space",
            remedy="use audio/log-mel, audio/log-stft, audio/instantaneous-frequency, audio/mel or audio/waveform",
        )
    return space


def refuse(troubles: list[tuple[bool, str]], space: str) -> None:
    """Raise one error that names every trouble which holds."""
    wrong = [text for holds, text in troubles if holds]
    if wrong:
        raise DataError("; ".join(wrong), remedy=f"change these settings of {space}")
