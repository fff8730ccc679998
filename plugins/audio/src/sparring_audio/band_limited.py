"""Sounds without their upper frequencies: what bandwidth extension is asked to find again."""

from __future__ import annotations

import torch
from torch import Tensor

from sparring.errors import DataError
from sparring.interfaces.data import Batch, Data
from sparring_audio.transforms import resample
from sparring_audio.waveform import waveform_space


class BandLimited(Data):
    """Any sounds and, as the condition ``narrow``, what a lower sample rate leaves of them.

    ``narrow`` has the sample rate of the sounds: it is resampled down and up again by a windowed sinc, which leaves
    frequencies up to about half of ``rate``. The conditions of the wrapped data are left out.

    Args:
        of: The data to wrap, such as ``{use: audio/folder, path: speech, space: {use: audio/waveform}}``.
        rate: The lower sample rate, in Hz.
    """

    def __init__(self, of: Data, rate: int = 8000) -> None:
        waveforms = waveform_space(of.space, "audio/band-limited", "data.of.space")
        if not 0 < rate < waveforms.sample_rate:
            raise DataError(
                f"a sample rate of {rate} Hz takes nothing from sounds at {waveforms.sample_rate} Hz, or all",
                where="data.rate",
                remedy="choose one above 0 and below theirs",
            )
        self.space, self.conditions = waveforms, {"narrow": waveforms}
        self._of, self._rate, self._own_rate = of, rate, waveforms.sample_rate
        self.notes = of.notes

    def __len__(self) -> int:
        return len(self._of)

    def gather(self, indices: Tensor, *, rng: torch.Generator) -> Batch:
        sample = self._of.gather(indices, rng=rng).sample
        return Batch(sample, {"narrow": limited(sample, self._own_rate, self._rate)})

    def split(self, name: str) -> BandLimited:
        """Return a part of the wrapped data."""
        return self if name == "train" else BandLimited(self._of.split(name), self._rate)

    def place(self, device: torch.device) -> bool:
        return self._of.place(device)


def limited(waveform: Tensor, rate: int, lower: int) -> Tensor:
    """Resample waveforms ``(…, L)`` in [-1, 1] down to a lower rate in Hz and up again: ``(…, L)`` in [-1, 1]."""
    back = resample(resample(waveform, rate, lower), lower, rate)
    return back[..., : waveform.shape[-1]].clamp(-1, 1)
