"""How well generated speech keeps the pitch of the real speech it belongs to."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from sparring.errors import DataError
from sparring.interfaces.data import Batch
from sparring.interfaces.metric import Metric
from sparring.interfaces.space import Space
from sparring_audio.metrics.pairs import audible, pairs

FRAME = 0.064  # seconds: two periods of a pitch of 31 Hz
HOPS = 4  # in a frame
OCTAVE = 1200.0  # cents


class Pitch(Metric):
    """The error of the fundamental frequency, and of where there is a voice, against real speech, row by row.

    ``voicing_error`` is the share of frames that are voiced in one of the two sounds alone. ``pitch_error`` is the root
    mean square difference of pitch in cents, hundredths of a semitone, over the frames that are voiced in both; it is
    absent where there are none. Voiced frames and their pitch are those of pYIN (Mauch and Dixon 2014), in librosa; its
    steps of 10 cents are made finer as in YIN (de Cheveigné and Kawahara 2002). It takes some tenth of the sounds'
    duration.

    Args:
        space: Of the sounds.
        lowest: The lowest pitch that is looked for, in Hz.
        highest: The highest, in Hz.
    """

    better: ClassVar[Literal["higher", "lower"]] = "lower"

    def __init__(self, space: Space, lowest: float = 65.0, highest: float = 500.0) -> None:
        self.space = audible(space, "audio/pitch")
        if not 2 / FRAME <= lowest < highest <= self.space.sample_rate / 4:
            raise ValueError(
                f"the range from {lowest} to {highest} Hz must lie between {2 / FRAME:.3g} Hz and a quarter of the "
                f"sample rate, {self.space.sample_rate / 4:.6g} Hz"
            )
        self.lowest, self.highest = float(lowest), float(highest)
        self.reset()

    def reset(self) -> None:
        self._frames = self._differing = self._both = 0
        self._squares = 0.0

    def update(self, real: Batch, fake: Batch) -> None:
        for one, other in zip(*pairs(self.space, real, fake).mended, strict=True):
            real_T, fake_T = (pitch(sound, self.space.sample_rate, self.lowest, self.highest) for sound in (one, other))
            voiced_T = ~np.isnan(real_T) & ~np.isnan(fake_T)
            self._frames += len(real_T)
            self._differing += int((np.isnan(real_T) != np.isnan(fake_T)).sum())
            self._both += int(voiced_T.sum())
            self._squares += float(np.square(cents(fake_T[voiced_T], real_T[voiced_T])).sum())

    def compute(self) -> dict[str, float]:
        if not self._frames:
            raise DataError("no pairs of real and generated sounds were given to audio/pitch", remedy="call `update`")
        values = {"voicing_error": self._differing / self._frames}
        if self._both:
            values["pitch_error"] = float(np.sqrt(self._squares / self._both))
        return values


def pitch(sound_L: Tensor, rate: int, lowest: float, highest: float) -> NDArray[np.float64]:
    """Return the pitch of each frame in Hz, ``(T,)``, NaN where there is no voice.

    Args:
        sound_L: ``(L,)`` in [-1, 1].
        rate: Its sample rate, in Hz.
        lowest: The lowest pitch, in Hz.
        highest: The highest, in Hz.
    """
    import librosa  # here, since its first use costs seconds

    frame = 2 * round(FRAME * rate / 2)
    hop = frame // HOPS
    values = sound_L.detach().double().cpu().numpy()
    if not values.any():  # silence has no period, and pYIN would divide by it
        return np.full(1 + len(values) // hop, np.nan)
    found_T, voiced_T, _ = librosa.pyin(values, fmin=lowest, fmax=highest, sr=rate, frame_length=frame, hop_length=hop)
    pitch_T = np.where(voiced_T, found_T, np.nan)
    padded = np.pad(values, frame // 2 + 1)
    for index in np.flatnonzero(voiced_T):
        start = index * hop
        pitch_T[index] = rate / _period(padded[start : start + frame + 2], rate / pitch_T[index])
    return pitch_T


def _period(frame_L: NDArray[np.float64], rough: float) -> float:
    """Make a period finer than a sample: the minimum of the difference from the sound one period later, as in YIN."""
    lags = max(1, round(rough)) + np.arange(-2, 3)
    lags = lags[lags > 0]
    window = len(frame_L) - int(lags[-1])
    differences = np.array([np.square(frame_L[:window] - frame_L[lag : lag + window]).sum() for lag in lags])
    least = int(differences.argmin())
    if not 0 < least < len(lags) - 1:
        return rough
    before, at, after = differences[least - 1 : least + 2]
    curve = before - 2 * at + after
    return float(lags[least] + (0.5 * (before - after) / curve if curve > 0 else 0.0))


def cents(frequency: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how far a frequency is above another, in cents."""
    return OCTAVE * np.log2(frequency / other)
