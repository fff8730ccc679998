"""A run as callbacks see it, without any training."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import torch

from sparring.interfaces.data import Batch, Data


class FixedData(Data):
    """A batch as data."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch

    def __len__(self) -> int:
        return len(self.batch)

    def gather(self, indices: torch.Tensor, *, rng: torch.Generator) -> Batch:
        return self.batch.rows(indices)


@dataclass
class FakeRun:
    """What callbacks read of a run, and what they said to it."""

    real: Batch = field(default_factory=lambda: Batch(torch.zeros(2, 2)))
    stage_steps: tuple[int, ...] = (1000,)
    metric_better: dict[str, str] = field(default_factory=lambda: {"frechet": "lower"})
    step: int = 0
    stage_index: int = 0
    stage_step: int = 0
    stop_reason: str = ""
    notes: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.recipe = SimpleNamespace(stages=[SimpleNamespace(steps=steps) for steps in self.stage_steps])
        self.data = FixedData(self.real)

    def at(self, step: int) -> FakeRun:
        """Move to a step of the whole run."""
        self.step = step
        self.stage_index = 0
        while step > self.stage_steps[self.stage_index] and self.stage_index < len(self.stage_steps) - 1:
            step -= self.stage_steps[self.stage_index]
            self.stage_index += 1
        self.stage_step = step
        return self

    def note(self, source: str, finding: str, *, remedy: str = "", since: int | None = None, level: str = "") -> None:
        self.notes.append({"source": source, "finding": finding, "remedy": remedy, "since": since, "level": level})

    def request_stop(self, reason: str) -> None:
        self.stop_reason = self.stop_reason or reason

    def real_samples(self, count: int) -> Batch:
        return self.real.rows(slice(0, count))

    @property
    def total_steps(self) -> int:
        return sum(self.stage_steps)

    @property
    def findings(self) -> list[str]:
        return [note["finding"] for note in self.notes]
