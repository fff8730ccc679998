"""What a vocoder learns from: waveforms, and the mel spectrograms that they are to be made from."""

from __future__ import annotations

import torch

from sparring.errors import DataError
from sparring.interfaces.data import Batch, Data
from sparring.interfaces.space import Space
from sparring_audio.mels import MelSpace
from sparring_audio.waveform import waveform_space

NAME = "audio/vocoding"


class Vocoding(Data):
    """Any data of waveforms, with each one's mel spectrogram as the condition ``mel``.

    The conditions of the wrapped data are left out. A spectrogram is computed from the very segment, so that the two
    belong together to the sample.

    Args:
        of: The data to wrap, such as ``{use: audio/russian-speech}``; their samples are waveforms.
        mel: The spectrograms' space; by default ``audio/mel`` as it is, at the waveforms' sample rate and length.
    """

    def __init__(self, of: Data, mel: Space | None = None) -> None:
        space = waveform_space(of.space, NAME)
        if mel is None:
            rate = space.sample_rate
            mel = MelSpace(rate, frames=max(1, space.length // 256), highest=min(8000.0, rate / 2))
        if not isinstance(mel, MelSpace):
            raise DataError(
                f"a vocoder is driven by mel spectrograms, and {type(mel).__name__} is another space",
                where="data.mel",
                remedy="use audio/mel",
            )
        if mel.sample_rate != space.sample_rate:
            raise DataError(
                f"the waveforms have a sample rate of {space.sample_rate} Hz, and the mel spectrograms "
                f"{mel.sample_rate} Hz",
                where="data.mel.sample_rate",
                remedy=f"set it to {space.sample_rate}",
            )
        if mel.length != space.length:
            raise DataError(
                f"the waveforms have {space.length} samples, and {mel.frames} frames of {mel.hop} samples have "
                f"{mel.length}",
                where="data.mel.frames",
                remedy=f"set the waveforms' `length` to {mel.length}"
                + (f", or `frames` to {space.length // mel.hop}" if space.length % mel.hop == 0 else ""),
            )
        self.of, self.mel = of, mel
        self.space, self.conditions, self.notes = space, {"mel": mel}, of.notes

    def __len__(self) -> int:
        return len(self.of)

    def gather(self, indices: torch.Tensor, *, rng: torch.Generator) -> Batch:
        sample = self.of.gather(indices, rng=rng).sample
        return Batch(sample, {"mel": self.mel.analyse(sample[:, 0])})

    def split(self, name: str) -> Vocoding:
        """Return a part of the wrapped data."""
        return self if name == "train" else Vocoding(self.of.split(name), self.mel)

    def place(self, device: torch.device) -> bool:
        return self.of.place(device)
