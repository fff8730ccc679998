"""Schedules: values that change with the step, each a pure function of it, so that a resumed run needs no state."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod


class Schedule(ABC):
    """A value that changes with the step: a learning rate, a temperature, a term's weight."""

    @abstractmethod
    def value(self, step: int, steps: int) -> float:
        """Return the value at a step.

        Args:
            step: The step within the stage, from 0.
            steps: The stage's length in steps.
        """


class Constant(Schedule):
    """The same value at every step.

    Args:
        value: The value.
    """

    def __init__(self, value: float) -> None:
        self._value = value

    def value(self, step: int, steps: int) -> float:
        return self._value


class Linear(Schedule):
    """From start to end along a line; after that the end holds.

    Args:
        start: The value at step 0.
        end: The value at step ``until``.
        until: A step; by default the stage's length.
    """

    def __init__(self, start: float, end: float, until: int | None = None) -> None:
        _check_until(until)
        self.start, self.end, self.until = start, end, until

    def value(self, step: int, steps: int) -> float:
        return _between(self.start, self.end, _progress(step, self.until or steps))


class Cosine(Schedule):
    """From start to end along half a cosine, level at both ends (Loshchilov and Hutter, 2017); then the end holds.

    Args:
        start: The value at step ``warmup``.
        end: The value at step ``until``, the floor.
        warmup: How many steps to climb for, in a line from near 0 to start.
        until: A step; by default the stage's length.
    """

    def __init__(self, start: float, end: float = 0.0, warmup: int = 0, until: int | None = None) -> None:
        _check_until(until)
        if warmup < 0 or (until is not None and warmup >= until):
            raise ValueError(f"warmup must be at least 0 and less than until, not {warmup}")
        self.start, self.end, self.warmup, self.until = start, end, warmup, until

    def value(self, step: int, steps: int) -> float:
        if step < self.warmup:
            # One more in both, so that the very first step is not wasted on a value of 0.
            return self.start * (step + 1) / (self.warmup + 1)
        progress = _progress(step - self.warmup, (self.until or steps) - self.warmup)
        return _between(self.start, self.end, (1 - math.cos(math.pi * progress)) / 2)


class Exponential(Schedule):
    """From start to end by a constant ratio from step to step; after that the end holds.

    Args:
        start: The value at step 0, not 0.
        end: The value at step ``until``, of the same sign.
        until: A step; by default the stage's length.
    """

    def __init__(self, start: float, end: float, until: int | None = None) -> None:
        _check_until(until)
        if start * end <= 0:
            raise ValueError(f"start and end must both be positive or both negative, not {start} and {end}")
        self.start, self.end, self.until = start, end, until

    def value(self, step: int, steps: int) -> float:
        progress = _progress(step, self.until or steps)
        # Split in two powers, so that both ends are exact.
        return float(math.copysign(abs(self.start) ** (1 - progress) * abs(self.end) ** progress, self.start))


def _progress(step: int, until: int) -> float:
    """Return how much of the way is done, in [0, 1]."""
    return min(step / until, 1.0) if until > 0 else 1.0


def _between(start: float, end: float, share: float) -> float:
    return start * (1 - share) + end * share


def _check_until(until: int | None) -> None:
    if until is not None and until < 1:
        raise ValueError(f"until must be at least 1, not {until}")
