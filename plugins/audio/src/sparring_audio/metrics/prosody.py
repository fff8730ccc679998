"""How well durations and pitch are predicted for a text, against those that were spoken."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch

from sparring.errors import DataError, TrainingError
from sparring.interfaces.data import Batch
from sparring.interfaces.metric import Metric
from sparring.interfaces.space import Space
from sparring_audio.mels import MelSpace
from sparring_audio.metrics.pitch import OCTAVE
from sparring_audio.prosody_terms import TEXT, refuse_other

MILLISECONDS = 1000.0


class Prosody(Metric):
    """The errors of durations and pitch that a generator predicts for the text, symbol by symbol.

    ``duration_error`` is the mean absolute difference in milliseconds, over all letters and marks; ``text_pitch_error``
    is the root mean square difference in cents, over those that have a duration. Both are of the prediction, also where
    the sample itself was made with the spoken durations and pitch; the pitch of sounds is ``audio/pitch``'s.

    Args:
        space: Of the spectrograms: ``audio/mel``.
        conditions: ``text``: of ``audio/spoken-text``.
    """

    better: ClassVar[Literal["higher", "lower"]] = "lower"

    def __init__(self, space: Space, conditions: Mapping[str, Space]) -> None:
        refuse_other(conditions, "audio/prosody")
        if not isinstance(space, MelSpace):
            raise DataError(
                f"audio/prosody counts frames of audio/mel, and the samples are of {type(space).__name__}",
                remedy="use audio/spoken-sentences",
            )
        self.frame = MILLISECONDS * space.hop / space.sample_rate
        self.reset()

    def reset(self) -> None:
        self._durations, self._pitches = torch.zeros(2, dtype=torch.float64), torch.zeros(2, dtype=torch.float64)

    def update(self, real: Batch, fake: Batch) -> None:
        count = min(len(real), len(fake))
        if not count:
            return
        if not {"log_durations", "pitch"} <= fake.extras.keys():
            raise TrainingError(
                "audio/prosody compares extras['log_durations'] and extras['pitch'], which the generator does not give",
                remedy="use the generator audio/acoustic-model",
            )
        symbols, durations, pitch = real.condition[TEXT][:count].double().cpu().unbind(1)
        spoken = symbols > 0
        off = (fake.extras["log_durations"][:count].double().cpu().expm1() - durations).abs()
        self._durations += torch.stack([off[spoken].sum(), spoken.sum()])
        lasting = spoken & (durations > 0)
        apart = (fake.extras["pitch"][:count].double().cpu() - pitch).square()
        self._pitches += torch.stack([apart[lasting].sum(), lasting.sum()])

    def compute(self) -> dict[str, float]:
        if not self._durations[1]:
            raise DataError("no texts were given to audio/prosody", remedy="call `update` first")
        duration = self.frame * float(self._durations[0] / self._durations[1])
        pitch = OCTAVE * float((self._pitches[0] / self._pitches[1].clamp_min(1)).sqrt())
        return {"duration_error": duration, "text_pitch_error": pitch}
