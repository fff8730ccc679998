"""Trainers: they turn a run into a result."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from sparring.training.run import Run


@dataclass(frozen=True)
class Result:
    """How a run ended.

    Attributes:
        folder: The run's folder.
        step: Steps taken over all stages.
        status: ``finished``; or ``stopped``, with the reason, to be resumed.
        reason: Why the run stopped early, or an empty string.
        metrics: The last evaluation.
    """

    folder: Path
    step: int
    status: Literal["finished", "stopped"]
    reason: str
    metrics: dict[str, float]


class Trainer(ABC):
    """Train a run to its end, or until it is asked to stop."""

    @abstractmethod
    def fit(self, run: Run) -> Result:
        """Train from the run's place to the end of its last stage."""
