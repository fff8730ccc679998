"""Hear samples of any space of sounds in one way, so that metrics can compare them.

Letters in names of tensors: B rows of the batch, L samples of a waveform, M mel bands, T frames.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from sparring.errors import DataError
from sparring.interfaces.space import Space
from sparring_audio.sound_space import SoundSpace
from sparring_audio.spaces import LogMelSpace

MELS = 64
WINDOW = 0.064  # seconds, or a little less: a window is a power of two
OVERLAP = 4  # hops in a window


class Listener:
    """Turn samples of a space into log-mel spectrograms.

    Those of ``audio/log-mel`` are taken as they are. Others become sound first, as a listener would have it, and then
    spectrograms of 64 bands.

    Attributes:
        space: That of the spectrograms.

    Args:
        source: The samples' space.
        user: Who asks, for messages.
    """

    def __init__(self, source: Space, user: str) -> None:
        if not isinstance(source, SoundSpace):
            raise DataError(
                f"{user} listens to sounds, and the samples are of {type(source).__name__}",
                remedy="use data in a space of sounds, such as audio/log-mel",
            )
        self.source = source
        self.space = source if isinstance(source, LogMelSpace) else mel_space(source)

    def __call__(self, samples: Tensor) -> Tensor:
        """Map samples ``(B, *shape)`` to ``(B, 1, M, T)`` in [-1, 1]."""
        if self.source is self.space:
            return samples
        waveform_BL = self.source.synthesise(samples.detach())
        return self.space.analyse(F.pad(waveform_BL, (0, self.space.length - self.source.length)))


def mel_space(source: SoundSpace) -> LogMelSpace:
    """Return a space of log-mel spectrograms that covers a space's clips."""
    window = 1 << max(3, int(WINDOW * source.sample_rate).bit_length() - 1)
    hop = window // OVERLAP
    frames = max(2, -(-source.length // hop) + 1)
    return LogMelSpace(source.sample_rate, window, hop, MELS, frames, highest=source.sample_rate / 2)
