"""A critic of short windows of mel spectrograms.

Letters in names of tensors: B rows of the batch, K windows of a row, M mel bands, T frames, W frames of a window, C
channels.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from sparring.errors import DataError
from sparring.interfaces.data import Condition
from sparring.interfaces.discriminator import Critique, Discriminator
from sparring.interfaces.space import Space
from sparring_audio.mels import MelSpace

NAME = "audio/mel-patches"
SLOPE = 0.2  # of LeakyReLU below zero
LAYERS = 4
FINEST = 4.0  # times a natural logarithm's unit: about the spread of a band's values


class MelPatches(Discriminator):
    """Judge patches of several windows of a spectrogram, evenly spread from its beginning to its end.

    A patch critic (pix2pix: Isola et al. 2017, arXiv:1611.07004) on windows, which are those that EATS' critics look
    through (Donahue et al. 2021, arXiv:2006.03575), but at places of their own: real and generated speech of the same
    durations are judged at the same moments, so that features can be matched. What lies past a sample's end is never
    judged, unless it is shorter than a window. What is said is no matter: naturalness is.

    Args:
        space: Of the spectrograms: ``audio/mel``.
        windows: How many are judged in each sample.
        window: Frames of each.
        width: Channels of the first layer; each of the next two has twice as many as the one before.
    """

    def __init__(self, space: Space, windows: int = 3, window: int = 64, width: int = 24) -> None:
        super().__init__()
        if not isinstance(space, MelSpace):
            raise DataError(
                f"{NAME} judges spectrograms of audio/mel, and the samples are of {type(space).__name__}",
                remedy="use data such as audio/spoken-sentences",
            )
        if windows < 1 or not 1 << LAYERS <= window <= space.frames:
            raise DataError(
                f"{windows} windows of {window} frames cannot be cut from spectrograms of {space.frames} frames",
                remedy=f"set `windows` above 0, and `window` from {1 << LAYERS} to {space.frames}",
            )
        self.windows, self.window, self.silence = windows, window, space.silence
        channels = [1, width, 2 * width, 4 * width, 4 * width]
        self.layers = nn.ModuleList(
            nn.Conv2d(narrow, wide, (5, 3), (2, 2), (2, 1)) for narrow, wide in pairwise(channels)
        )
        self.head = nn.Conv2d(channels[-1], 1, 3, padding=1)

    def forward(self, sample: Tensor, condition: Condition, lengths: Tensor | None = None) -> Critique:
        """Judge ``(B, M, T)``: logits ``(B, K * patches)``, and the activations of every layer as features."""
        rows = len(sample)
        hidden = ((self._cut(sample, lengths) - self.silence) / FINEST - 1).flatten(0, 1)[:, None]
        features = []
        for layer in self.layers:
            hidden = nn.functional.leaky_relu(layer(hidden), SLOPE)
            features.append(hidden.view(rows, self.windows, *hidden.shape[1:]))
        return Critique((self.head(hidden).view(rows, -1),), (tuple(features),))

    def _cut(self, sample_BMT: Tensor, lengths: Tensor | None) -> Tensor:
        """Return the windows ``(B, K, M, W)``."""
        frames = sample_BMT.shape[2]
        if frames < self.window:
            sample_BMT = nn.functional.pad(sample_BMT, (0, self.window - frames), value=self.silence)
        end_B = torch.full((len(sample_BMT),), frames, device=sample_BMT.device) if lengths is None else lengths
        spare_B = (end_B - self.window).clamp_min(0)
        place_K = (torch.arange(self.windows, device=sample_BMT.device) + 0.5) / self.windows
        start_BK = (spare_B[:, None] * place_K).long()
        place_BKW = start_BK[:, :, None] + torch.arange(self.window, device=sample_BMT.device)
        # A product with zeros and ones, whose gradient has one order on every device, as that of an index has not.
        chosen_BKWT = place_BKW[..., None] == torch.arange(sample_BMT.shape[2], device=sample_BMT.device)
        return torch.einsum("bmt,bkwt->bkmw", sample_BMT, chosen_BKWT.to(sample_BMT.dtype))
