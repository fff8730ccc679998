"""What logged losses and logits say about each critic; both callbacks read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

WINDOW = 40
"""Logging steps that are remembered. Long enough to show a cycle, short enough to forget the start."""

ENOUGH = 10
"""Logging steps below which nothing is said about a critic."""

WON_LOSS = 0.05
"""A critic's loss near zero: with cross-entropy, the right answer is given 97% on average."""

WON_GAP = 0.8
"""Real and generated logits apart: least squares wants a gap of 1, hinge of 2, cross-entropy has no bound. A
Wasserstein loss is the gap's negative, so the two conditions exclude each other there, as they should."""

GROWTH = 1.1
"""The gap's later mean over its earlier one, above which it grows."""

SATURATED_LOSS = 0.01
"""The right answer is given 99.5% on average: next to no gradient is left for the generator."""

SATURATED_GAP = 20.0
"""A healthy regularised critic holds the gap below 1; runs without any penalty that froze showed 25 to 65."""

CYCLE = 0.65
"""A loss resembles itself one period later at least this much: DiracGAN gave 0.70 to 1.00, healthy rings up to 0.45."""

CYCLE_SWING = 0.05
"""Highest less lowest loss, over its mean: a converged critic's loss moves by less."""


class Reading(NamedTuple):
    """Means over the later half of a critic's record, and of the gap over the earlier half."""

    since: int
    loss: float | None
    real: float
    fake: float
    earlier_gap: float

    @property
    def gap(self) -> float:
        """Real logits less generated ones; above zero, the critic tells them apart."""
        return self.real - self.fake

    @property
    def winning(self) -> bool:
        """Whether the loss is near zero while the gap is large and grows."""
        separated = self.loss is not None and abs(self.loss) < WON_LOSS and self.gap > WON_GAP
        return separated and self.gap > GROWTH * self.earlier_gap

    @property
    def saturated(self) -> bool:
        """Whether every sample is told apart so surely that the generator learns nothing."""
        if self.loss is None or self.loss < -1.0:  # a Wasserstein loss: its gap is a distance, and may be large
            return False
        certain = abs(self.loss) < SATURATED_LOSS and self.gap > WON_GAP
        return certain or self.gap > SATURATED_GAP


class Cycle(NamedTuple):
    """A critic's loss that repeats itself."""

    since: int
    period: int
    low: float
    high: float


class CriticRecord:
    """Remember the recent losses and logits of every critic: of each update that logs ``real_logit``."""

    def __init__(self) -> None:
        self.rows: dict[str, list[tuple[int, float | None, float, float]]] = {}

    def observe(self, step: int, metrics: Mapping[str, float]) -> None:
        """Take in one logging step."""
        for name, value in metrics.items():
            critic, _, what = name.rpartition("/")
            if what == "real_logit" and f"{critic}/fake_logit" in metrics:
                rows = self.rows.setdefault(critic, [])
                rows.append((step, metrics.get(f"{critic}/adversarial"), value, metrics[f"{critic}/fake_logit"]))
                del rows[:-WINDOW]

    def clear(self) -> None:
        """Forget everything: another stage has begun."""
        self.rows = {}

    def readings(self) -> dict[str, Reading]:
        """Return what is known of each critic that has been seen often enough."""
        return {critic: _reading(rows) for critic, rows in self.rows.items() if len(rows) >= ENOUGH}

    def cycles(self) -> dict[str, Cycle]:
        """Return the critics whose loss goes in circles."""
        found = {}
        for critic, rows in self.rows.items():
            losses = [loss for _, loss, _, _ in rows if loss is not None]
            if len(losses) == WINDOW and (lag := _period(losses)):
                found[critic] = Cycle(rows[0][0], rows[lag][0] - rows[0][0], min(losses), max(losses))
        return found

    def state_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {critic: [list(row) for row in rows] for critic, rows in self.rows.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take back what ``state_dict`` returned."""
        self.rows = {critic: [(int(row[0]), row[1], row[2], row[3]) for row in rows] for critic, rows in state.items()}


def _reading(rows: Sequence[tuple[int, float | None, float, float]]) -> Reading:
    half = len(rows) // 2
    early, late = rows[:half], rows[half:]
    losses = [loss for _, loss, _, _ in late if loss is not None]
    return Reading(
        since=late[0][0],
        loss=_mean(losses) if losses else None,
        real=_mean([real for _, _, real, _ in late]),
        fake=_mean([fake for _, _, _, fake in late]),
        earlier_gap=_mean([real - fake for _, _, real, fake in early]),
    )


def _period(values: Sequence[float]) -> int | None:
    """Return the lag at which a series repeats itself, by its autocorrelation once a straight line is removed."""
    count, mean = len(values), _mean(values)
    if max(values) - min(values) < CYCLE_SWING * max(abs(mean), 0.1):  # a mean near zero is no scale
        return None
    places = [index - (count - 1) / 2 for index in range(count)]
    slope = sum(x * y for x, y in zip(places, values, strict=True)) / sum(x * x for x in places)
    rest = [y - mean - slope * x for x, y in zip(places, values, strict=True)]
    variance = _mean([value * value for value in rest])
    if variance == 0:
        return None
    likeness = [
        _mean([a * b for a, b in zip(rest, rest[lag:], strict=False)]) / variance for lag in range(count // 2 + 1)
    ]
    # Near lag 0 every smooth series resembles itself: look past the first lag at which it is unlike itself.
    first = next((lag for lag, value in enumerate(likeness) if value < 0), None)
    if first is None:
        return None
    best = max(range(first, len(likeness)), key=likeness.__getitem__)
    return best if likeness[best] > CYCLE else None


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
