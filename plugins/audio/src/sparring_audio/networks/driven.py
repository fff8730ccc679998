"""What vocoders share: a mel spectrogram that drives them, and synthesis piece by piece.

Letters in names of tensors: B rows of the batch, M mel bands, T frames.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from sparring.errors import DataError, TrainingError
from sparring.interfaces.data import Condition
from sparring.interfaces.generator import Generator, lift_generated
from sparring.interfaces.space import Space


class Drive(NamedTuple):
    """The spectrograms that drive a vocoder.

    Attributes:
        mels: Their number of bands.
        hop: How many samples belong to a frame.
    """

    mels: int
    hop: int


def drive_of(space: Space, conditions: Mapping[str, Space], network: str) -> Drive:
    """Return what drives a vocoder, by the shapes of the samples' space and of the condition ``mel``.

    Raises:
        DataError: The samples are no waveforms, or there is no such condition, or their lengths do not fit.
    """
    if len(space.shape) != 2 or space.shape[0] != 1:
        raise DataError(
            f"{network} makes waveforms (1, length), and the data's samples have the shape {space.shape}",
            remedy="use data of waveforms, such as audio/vocoding",
        )
    mel = conditions.get("mel")
    if mel is None or len(mel.shape) != 2:
        raise DataError(
            f"{network} is driven by a condition 'mel' (mels, frames), and the data's conditions are "
            f"{', '.join(conditions) or 'none'}",
            remedy="wrap the data: {use: audio/vocoding, of: …}",
        )
    (mels, frames), length = mel.shape, space.shape[1]
    if length % frames:
        raise DataError(
            f"{length} samples are no multiple of the spectrogram's {frames} frames", remedy="use audio/vocoding"
        )
    return Drive(mels, length // frames)


def mel_of(condition: Condition, mels: int, network: str) -> Tensor:
    """Return the spectrograms ``(B, M, T)`` of a condition.

    Raises:
        TrainingError: There are none, or they have another number of bands.
    """
    mel = condition.get("mel")
    if mel is None:
        raise TrainingError(f"{network} was given no mel", remedy="pass condition={'mel': tensor (B, mels, frames)}")
    if mel.dim() != 3 or mel.shape[1] != mels:
        raise TrainingError(
            f"{network} was built for {mels} mel bands, and was given spectrograms of shape {tuple(mel.shape)}",
            remedy=f"pass (B, {mels}, frames), of the space that the network was trained in",
        )
    return mel


def stream(generator: Generator, mels: Iterable[Tensor]) -> Iterator[Tensor]:
    """Turn spectrograms that arrive in pieces into sound, piece by piece: the same as from the whole, to rounding.

    A frame is sounded once all that it hears of the frames around it has arrived; ``generator.context`` says how many
    that are on either side. Each piece costs the computation of so many frames more, on both sides: pieces several
    times as long as the context lose little.

    Args:
        generator: A vocoder, in evaluation mode, with the attributes ``context`` (frames) and ``hop`` (samples).
        mels: Pieces ``(B, M, t)`` of one spectrogram, each of any length, in order.

    Yields:
        Waveforms ``(B, 1, n)``, one behind the other.

    Raises:
        TrainingError: The network has no limited context.
    """
    context, hop = getattr(generator, "context", None), getattr(generator, "hop", None)
    if not isinstance(context, int) or not isinstance(hop, int):
        raise TrainingError(
            f"{type(generator).__name__} does not say how many frames it hears at once",
            remedy="stream a vocoder, such as audio/hifigan or audio/istft-vocoder",
        )
    held: Tensor | None = None
    before = 0  # frames at the start of what is held that have been sounded already

    def sound(upto: int) -> Tensor:
        """Sound the frames that are held and were not sounded, up to one."""
        with torch.no_grad():
            sample = lift_generated(generator(None, {"mel": held})).sample
        return sample[:, :, before * hop : upto * hop]

    for piece in mels:
        held = piece if held is None else torch.cat([held, piece], dim=2)
        upto = held.shape[2] - context
        if upto > before:
            yield sound(upto)
            kept = max(0, upto - context)
            held, before = held[:, :, kept:], upto - kept
    if held is not None and held.shape[2] > before:
        yield sound(held.shape[2])
