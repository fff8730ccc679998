"""Terms of sound: how far a generated waveform is from the one that it should be."""

from __future__ import annotations

import torch
from torch import Tensor

from sparring.errors import TrainingError
from sparring.interfaces.context import Context
from sparring.interfaces.objective import Term
from sparring_audio.stft import multi_resolution_distance


class MultiResolutionSTFT(Term):
    """The multi-resolution STFT distance of the generated waveform from the batch's (Yamamoto, Song and Kim 2020).

    Row by row: sample i must belong to the batch's sample i, as a vocoder's or an enhancer's does.

    Args:
        generator: The generator's role.
    """

    def __init__(self, generator: str = "generator") -> None:
        self.generator = generator
        self.trains = (generator,)

    def __call__(self, context: Context) -> Tensor:
        made, wanted = context.generate(self.generator).sample, context.batch.sample
        if made.shape != wanted.shape or made.dim() != 3 or made.shape[1] != 1:
            raise TrainingError(
                f"audio/multi-resolution-stft compares waveforms (B, 1, L), and was given samples {tuple(made.shape)} "
                f"beside {tuple(wanted.shape)}",
                where="terms",
                remedy="use data in the space audio/waveform, and a generator of waveforms of their length",
            )
        with torch.autocast(made.device.type, enabled=False):
            return multi_resolution_distance(wanted[:, 0].detach().float(), made[:, 0].float()).mean()
