"""Losses of how a text is spoken: how long each symbol lasts, and how high it is.

Letters in names of tensors: B rows of the batch, N symbols.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from sparring.errors import DataError, TrainingError
from sparring.interfaces.context import Context
from sparring.interfaces.objective import Term
from sparring.interfaces.space import Space
from sparring_audio.spoken_text import SpokenText

TEXT = "text"


class Duration(Term):
    """The mean square difference of predicted durations from the spoken ones, in log(1 + frames), over symbols.

    As in FastSpeech 2 (Ren et al. 2021, arXiv:2006.04558). The mean absolute difference in frames is logged as
    ``duration_error``.

    Args:
        conditions: ``text``: of ``audio/spoken-text``.
        generator: The generator's role; it must give ``extras["log_durations"]``, as ``audio/acoustic-model`` does.
    """

    def __init__(self, conditions: Mapping[str, Space], generator: str = "generator") -> None:
        refuse_other(conditions, "audio/duration")
        self.generator, self.trains = generator, (generator,)

    def __call__(self, context: Context) -> Tensor:
        predicted_BN = predicted(context, self.generator, "log_durations", "audio/duration")
        symbols_BN, durations_BN, _ = context.batch.condition[TEXT].unbind(1)
        spoken_BN = symbols_BN > 0
        error = mean_over(predicted_BN.detach().expm1() - durations_BN, spoken_BN, absolute=True)
        context.record("duration_error", error)
        return mean_over(predicted_BN - durations_BN.clamp_min(0).log1p(), spoken_BN)


class Pitch(Term):
    """The mean square difference of predicted pitch from the spoken one, in octaves, over symbols that have a duration.

    As in FastPitch (Łańcucki 2021, arXiv:2006.06873), whose pitch is normalised Hz.

    Args:
        conditions: ``text``: of ``audio/spoken-text``.
        generator: The generator's role; it must give ``extras["pitch"]``, as ``audio/acoustic-model`` does.
    """

    def __init__(self, conditions: Mapping[str, Space], generator: str = "generator") -> None:
        refuse_other(conditions, "audio/pitch")
        self.generator, self.trains = generator, (generator,)

    def __call__(self, context: Context) -> Tensor:
        predicted_BN = predicted(context, self.generator, "pitch", "audio/pitch")
        symbols_BN, durations_BN, pitch_BN = context.batch.condition[TEXT].unbind(1)
        return mean_over(predicted_BN - pitch_BN, (symbols_BN > 0) & (durations_BN > 0))


def predicted(context: Context, role: str, name: str, term: str) -> Tensor:
    """Return what a generator predicts for each symbol, ``(B, N)``."""
    extras = context.generate(role).extras
    if name not in extras:
        raise TrainingError(
            f"the term {term} compares extras['{name}'], which '{role}' does not give",
            remedy="use the generator audio/acoustic-model, or return Generated(sample, lengths, extras)",
        )
    return extras[name]


def mean_over(difference_BN: Tensor, counted_BN: Tensor, *, absolute: bool = False) -> Tensor:
    """Return the mean square, or the mean absolute value, over the symbols that count, a scalar."""
    sizes_BN = difference_BN.abs() if absolute else difference_BN.square()
    return (sizes_BN * counted_BN).sum() / counted_BN.sum().clamp_min(1)


def refuse_other(conditions: Mapping[str, Space], name: str) -> None:
    """Raise where the data have no text with durations and pitch."""
    if not isinstance(conditions.get(TEXT), SpokenText):
        raise DataError(
            f"{name} compares with the condition 'text' of audio/spoken-text, and the data's conditions are "
            f"{', '.join(conditions) or 'none'}",
            remedy="use audio/spoken-sentences",
        )
