"""The ledger keeps loss values on the device until a logging step reads them all at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from sparring.errors import TrainingError

REMEDIES = (
    "lower the learning rates, clip gradients (`optimizers.ROLE.clip`), strengthen r1, "
    "or use precision: fp32; then `sparring resume` continues from the last good checkpoint"
)


class Entry(NamedTuple):
    """One value that an update gave."""

    step: int
    update: str
    name: str
    value: Tensor


class Ledger:
    """Collect scalars without waiting for the device, and give their means.

    Args:
        average: Averages a tensor over processes, so that all of them see, and act on, the same values.
    """

    def __init__(self, average: Callable[[Tensor], Tensor]) -> None:
        self._average = average
        self._pending: list[Entry] = []
        self._sums: dict[str, tuple[float, int]] = {}

    def record(self, step: int, update: str, values: Mapping[str, Tensor]) -> None:
        """Add an update's values; nothing is read from the device."""
        self._pending += [Entry(step, update, name, value.detach()) for name, value in values.items()]

    def read(self, stage: str) -> None:
        """Read all pending values from the device, once.

        Raises:
            TrainingError: One is not finite; the error names its update, term and step.
        """
        if not self._pending:
            return
        pending, self._pending = self._pending, []
        stacked = self._average(torch.stack([entry.value.float().reshape(()) for entry in pending]))
        for entry, value in zip(pending, stacked.tolist(), strict=True):
            if not math.isfinite(value):
                raise TrainingError(
                    f"the term '{entry.name}' became {value} in step {entry.step}",
                    where=f"stage '{stage}', update '{entry.update}', term '{entry.name}', step {entry.step}",
                    remedy=REMEDIES,
                )
            total, count = self._sums.get(f"{entry.update}/{entry.name}", (0.0, 0))
            self._sums[f"{entry.update}/{entry.name}"] = (total + value, count + 1)

    def take_means(self) -> dict[str, float]:
        """Return the means of what was read since the last call, and start anew."""
        means = {name: total / count for name, (total, count) in self._sums.items()}
        self._sums = {}
        return means

    def state_dict(self) -> dict[str, list[float]]:
        """Return the sums that no logging step has taken yet; ``read`` comes first."""
        return {name: [total, float(count)] for name, (total, count) in self._sums.items()}

    def load_state_dict(self, state: Mapping[str, list[float]]) -> None:
        """Return to saved sums."""
        self._pending = []
        self._sums = {name: (total, int(count)) for name, (total, count) in state.items()}
