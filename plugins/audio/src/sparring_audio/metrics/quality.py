"""PESQ and STOI: how good, and how intelligible, generated speech is beside the real one it belongs to."""

from __future__ import annotations

from typing import ClassVar, Literal

from sparring.errors import DataError
from sparring.interfaces.data import Batch
from sparring.interfaces.metric import Metric
from sparring.interfaces.space import Space
from sparring_audio.metrics.pairs import audible, pairs
from sparring_audio.quality import WORST_PESQ, WORST_STOI, check_packages, mean, pesq_score, stoi_score


class PESQ(Metric):
    """The mean perceptual quality of generated speech beside the real one, row by row (ITU-T P.862.2).

    ``pesq`` is the wide-band score where the sample rate is 16 kHz or more, up to 4.64, and the narrow-band one below,
    up to 4.55; the two do not compare. A generated sound in which PESQ finds no speech has the lowest score, -0.5.
    Pairs whose real sound holds no speech, or less than a quarter of a second, are left out; ``pesq_unscored`` is their
    number. It needs the extra ``quality``, and takes about a hundredth of the sounds' duration.

    Args:
        space: Of the sounds.
    """

    better: ClassVar[Literal["higher", "lower"]] = "higher"

    def __init__(self, space: Space) -> None:
        check_packages("pesq")
        self.space = audible(space, "audio/pesq")
        self.reset()

    def reset(self) -> None:
        self._scores: list[float | None] = []

    def update(self, real: Batch, fake: Batch) -> None:
        rate = self.space.sample_rate
        self._scores += [pesq_score(*pair, rate) for pair in zip(*pairs(self.space, real, fake), strict=True)]

    def compute(self) -> dict[str, float]:
        return _summary("pesq", self._scores, WORST_PESQ)


class STOI(Metric):
    """The mean short-time objective intelligibility of generated speech beside the real one, row by row, up to 1.

    ``stoi`` is that of Taal, Hendriks, Heusdens and Jensen (2011, "An Algorithm for Intelligibility Prediction of
    Time-Frequency Weighted Noisy Speech"). Pairs whose real sound has less than 0.4 s that is not silence are left out;
    ``stoi_unscored`` is their number. It needs the extra ``quality``.

    Args:
        space: Of the sounds.
    """

    better: ClassVar[Literal["higher", "lower"]] = "higher"

    def __init__(self, space: Space) -> None:
        check_packages("pystoi")
        self.space = audible(space, "audio/stoi")
        self.reset()

    def reset(self) -> None:
        self._scores: list[float | None] = []

    def update(self, real: Batch, fake: Batch) -> None:
        rate = self.space.sample_rate
        self._scores += [stoi_score(*pair, rate) for pair in zip(*pairs(self.space, real, fake), strict=True)]

    def compute(self) -> dict[str, float]:
        return _summary("stoi", self._scores, WORST_STOI)


def _summary(name: str, scores: list[float | None], worst: float) -> dict[str, float]:
    """Return the mean of the scores, the worst one where none could be given, and how many could not."""
    if not scores:
        raise DataError(
            f"no pairs of real and generated sounds were given to audio/{name}", remedy="call `update` first"
        )
    known = [score for score in scores if score is not None]
    return {name: mean(known, worst), f"{name}_unscored": float(len(scores) - len(known))}
