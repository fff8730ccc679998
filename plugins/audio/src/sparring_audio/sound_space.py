"""What all spaces of sounds share: from files and waveforms to samples and back, and what does not fit together."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray
from torch import Tensor

from sparring.errors import DataError
from sparring.interfaces.space import Space
from sparring_audio.sounds import as_sound, fit

CHUNK = 256  # sounds that are transformed at a time


class SoundSpace(Space):
    """Sounds of one length and one sample rate, in some representation.

    A subclass turns many waveforms into samples and back, on the device where they are, by ``analyse`` and
    ``synthesise``; files, single sounds and messages follow from these.

    Attributes:
        sample_rate: In Hz.
        length: Samples of a clip.
        units: The unit of an option, by its name, for messages.
        harmless: Options that change how a sample sounds, but not what it means.
    """

    audible: ClassVar[bool] = True
    units: ClassVar[Mapping[str, str]] = {"sample_rate": " Hz", "lowest": " Hz", "highest": " Hz"}
    harmless: ClassVar[frozenset[str]] = frozenset()
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

    # ---- what does not fit ----

    def refuse_rate(self, rate: int, where: str = "") -> None:
        """Raise where a sound has another sample rate than this space; the message has both."""
        if rate != self.sample_rate:
            raise DataError(
                f"the sound has a sample rate of {rate} Hz, and this space has {self.sample_rate} Hz",
                where=where,
                remedy=f"set the space's `sample_rate` to {rate}, or let the data resample: `resample: true`",
            )

    def refuse_mismatch(self, other: Space, where: str = "") -> None:
        """Raise where samples of another space do not mean the same as this one's.

        Args:
            other: The other space, such as that of a network's weights.
            where: What it belongs to, for the message.

        Raises:
            DataError: With both values of every setting that differs.
        """
        if type(other) is not type(self):
            raise DataError(
                f"samples of {type(other).__name__} are none of {type(self).__name__}",
                where=where,
                remedy="give both the same space",
            )
        theirs = other.options()
        differing = [
            self._difference(name, value, theirs[name])
            for name, value in self.options().items()
            if name not in self.harmless and theirs[name] != value
        ]
        if differing:
            raise DataError(
                f"the {self.called} do not mean the same: {'; '.join(differing)}",
                where=where,
                remedy="give both the same settings",
            )

    def _difference(self, name: str, here: Any, there: Any) -> str:
        unit = self.units.get(name, "")
        if isinstance(here, list) and isinstance(there, list) and len(here) == len(there):
            most = max(abs(one - other) for one, other in zip(here, there, strict=True))
            return f"{name} differs by up to {most:.3g}{unit}"
        shown = [f"{len(one)} values" if isinstance(one, list) else f"{one}{unit}" for one in (here, there)]
        return f"{name} {shown[0]} here and {shown[1]} there"


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
            remedy="use audio/log-mel, audio/log-stft, audio/instantaneous-frequency or audio/waveform",
        )
    return space


def refuse(troubles: list[tuple[bool, str]], space: str) -> None:
    """Raise one error that names every trouble which holds."""
    wrong = [text for holds, text in troubles if holds]
    if wrong:
        raise DataError("; ".join(wrong), remedy=f"change these settings of {space}")
