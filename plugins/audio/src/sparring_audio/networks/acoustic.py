"""An acoustic model: from text to a mel spectrogram, through durations and pitch.

The way is that of FastSpeech 2 (Ren et al. 2021, arXiv:2006.04558) and FastPitch (Łańcucki 2021, arXiv:2006.06873): a
text is encoded symbol by symbol, each symbol's duration and pitch are predicted, its code is laid over its frames, and
these are decoded, all of them at once. Its blocks are ConvNeXt's (Liu et al. 2022, arXiv:2201.03545) in the place of
attention: they cost the same for each frame of a long text, and know no position, so that a text may be longer than any
that was learnt from.

Letters in names of tensors: B rows of the batch, N symbols, T frames, C channels, M mel bands.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sparring.errors import DataError, TrainingError
from sparring.interfaces.data import Condition
from sparring.interfaces.generator import Generated, Generator
from sparring.interfaces.space import Space
from sparring_audio.mels import MelSpace
from sparring_audio.russian_text import SYMBOLS
from sparring_audio.spoken_text import UNKNOWN, SpokenText

NAME = "audio/acoustic-model"
KERNEL = 7  # of a block, in symbols or frames
EXPANSION = 2  # times the width, inside a block
LONGEST = 120.0  # frames of one symbol: two seconds at 16 ms; a pause is hardly longer
AVERAGE_DURATION = 1.6  # log(1 + frames), of a letter
AVERAGE_LEVEL = -5.0  # of a band of speech, where the last layer begins


class AcousticModel(Generator):
    """Turn texts into mel spectrograms.

    Durations and pitch that the text has are obeyed, as in training; those that are unknown are predicted.
    ``extras["log_durations"]`` has the prediction of log(1 + frames), and ``extras["pitch"]`` that of octaves, each
    ``(B, N)`` and 0 past the text's end, whatever the text had.

    Args:
        space: Of the spectrograms: ``audio/mel``.
        conditions: ``text``: of ``audio/spoken-text``.
        width: Channels.
        encoder: Number of blocks over symbols.
        decoder: Number of blocks over frames.
    """

    latent_shape = None

    def __init__(
        self,
        space: Space,
        conditions: Mapping[str, Space],
        width: int = 192,
        encoder: int = 4,
        decoder: int = 6,
    ) -> None:
        super().__init__()
        if not isinstance(space, MelSpace) or not isinstance(conditions.get("text"), SpokenText):
            raise DataError(
                f"{NAME} makes spectrograms of audio/mel from a condition 'text' of audio/spoken-text, and the data "
                f"have {type(space).__name__} and {', '.join(conditions) or 'no condition'}",
                remedy="use audio/spoken-sentences",
            )
        self.frames, self.silence = space.frames, space.silence
        self.symbol = nn.Embedding(len(SYMBOLS), width, padding_idx=0)
        self.encoder = nn.ModuleList(_Block(width, 1 / encoder) for _ in range(encoder))
        self.duration, self.pitch = _Predictor(width), _Predictor(width)
        self.pitch_code = nn.Conv1d(1, width, 3, padding=1)
        self.place_code = nn.Linear(3, width)
        self.decoder = nn.ModuleList(_Block(width, 1 / decoder) for _ in range(decoder))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, space.mels)

    def forward(self, latent: Tensor | None, condition: Condition) -> Generated:
        """Make ``(B, M, T)`` from ``text`` ``(B, 3, N)``; there is no latent.

        T is the space's ``frames`` in training; otherwise it is the longest row's, and at least those where all
        durations are given. Past its end a spectrogram is silent.
        """
        text_B3N = text_of(condition)
        symbol_BN = text_B3N[:, 0].round().long().clamp(0, len(SYMBOLS) - 1)
        spoken_BN = symbol_BN > 0
        encoded_BNC = self.symbol(symbol_BN)
        for block in self.encoder:
            encoded_BNC = block(encoded_BNC, spoken_BN)
        log_durations_BN = (self.duration(encoded_BNC, spoken_BN) + AVERAGE_DURATION) * spoken_BN
        pitch_BN = self.pitch(encoded_BNC, spoken_BN)
        own_BN = log_durations_BN.detach().float().expm1().round().clamp(0, LONGEST)
        durations_BN = torch.where(text_B3N[:, 1] > UNKNOWN, text_B3N[:, 1], own_BN) * spoken_BN
        heard_BN = torch.where(text_B3N[:, 2] > UNKNOWN, text_B3N[:, 2], pitch_BN) * spoken_BN
        lengths_B = durations_BN.sum(1).long()
        frames = self._frames_of(text_B3N, lengths_B)
        encoded_BNC = encoded_BNC + self.pitch_code(heard_BN[:, None].to(encoded_BNC.dtype)).transpose(1, 2)
        laid = regulate(encoded_BNC, durations_BN, frames)
        hidden_BTC = laid.codes + self.place_code(laid.places.to(laid.codes.dtype))
        for block in self.decoder:
            hidden_BTC = block(hidden_BTC, laid.inside)
        mel_BTM = self.head(self.norm(hidden_BTC)).float() + AVERAGE_LEVEL
        mel_BMT = torch.where(laid.inside[:, None], mel_BTM.transpose(1, 2), self.silence)
        extras = {"log_durations": log_durations_BN, "pitch": pitch_BN}
        return Generated(mel_BMT, lengths_B.clamp_max(frames), extras)

    def _frames_of(self, text_B3N: Tensor, lengths_B: Tensor) -> int:
        # In training there is no look at the values: on an accelerator it would wait for them.
        if self.training:
            return self.frames
        timed = bool((text_B3N[:, 1] > UNKNOWN).all())
        return max(self.frames if timed else 1, int(lengths_B.max()))


class Laid(NamedTuple):
    """Codes of symbols over their frames.

    Attributes:
        codes: ``(B, T, C)``, 0 past the end.
        places: ``(B, T, 3)``: the share of the symbol's frames that is over, the share that is left, and the logarithm
            of how many it has.
        inside: ``(B, T)``: whether a frame lies before the end.
    """

    codes: Tensor
    places: Tensor
    inside: Tensor


def regulate(codes_BNC: Tensor, durations_BN: Tensor, frames: int) -> Laid:
    """Lay each symbol's code over as many frames as it lasts (FastSpeech's length regulator).

    It is a product with a matrix of zeros and ones rather than an index: its gradient has one order on every device.

    Args:
        codes_BNC: ``(B, N, C)``.
        durations_BN: Whole numbers of frames, ``(B, N)``.
        frames: How many there are, T; what reaches further is cut.
    """
    end_BN = durations_BN.cumsum(1)
    start_BN = end_BN - durations_BN
    place_T1 = torch.arange(frames, device=codes_BNC.device)[:, None] + 0.5
    its_BTN = (place_T1 > start_BN[:, None]) & (place_T1 < end_BN[:, None])
    over_BTN = (place_T1 - start_BN[:, None]) / durations_BN[:, None].clamp_min(1)
    over_BT = (over_BTN * its_BTN).sum(2)
    inside_BT = its_BTN.any(2)
    long_BT = (durations_BN[:, None].log1p() * its_BTN).sum(2)
    places_BT3 = torch.stack([over_BT, (1 - over_BT) * inside_BT, long_BT], dim=2)
    return Laid(its_BTN.to(codes_BNC.dtype) @ codes_BNC, places_BT3, inside_BT)


def text_of(condition: Condition) -> Tensor:
    """Return the texts ``(B, 3, N)`` of a condition.

    Raises:
        TrainingError: There are none.
    """
    text = condition.get("text")
    if text is None or text.dim() != 3 or text.shape[1] != 3:
        given = "none" if text is None else f"one of shape {tuple(text.shape)}"
        raise TrainingError(
            f"{NAME} speaks a text (B, 3, symbols), and was given {given}",
            remedy="pass condition={'text': 'Привет.'}, or rows of audio/spoken-text",
        )
    return text


class _Block(nn.Module):
    """Mix neighbours in each channel, then channels at each place, and add a share of that; nothing past the end."""

    def __init__(self, width: int, share: float) -> None:
        super().__init__()
        self.mix = nn.Conv1d(width, width, KERNEL, padding=KERNEL // 2, groups=width)
        self.norm = nn.LayerNorm(width)
        self.expand, self.reduce = nn.Linear(width, EXPANSION * width), nn.Linear(EXPANSION * width, width)
        self.share = nn.Parameter(torch.full((width,), share))

    def forward(self, hidden_BNC: Tensor, inside_BN: Tensor) -> Tensor:
        hidden_BNC = hidden_BNC * inside_BN[:, :, None]
        mixed_BNC = self.norm(self.mix(hidden_BNC.transpose(1, 2)).transpose(1, 2))
        changed_BNC: Tensor = self.reduce(F.gelu(self.expand(mixed_BNC)))
        return hidden_BNC + self.share * changed_BNC


class _Predictor(nn.Module):
    """Predict one number for each symbol, 0 past the end."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.block, self.norm, self.head = _Block(width, 1.0), nn.LayerNorm(width), nn.Linear(width, 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, encoded_BNC: Tensor, spoken_BN: Tensor) -> Tensor:
        value_BN: Tensor = self.head(self.norm(self.block(encoded_BNC, spoken_BN))).squeeze(2)
        return value_BN.float() * spoken_BN
