"""Curves for TensorBoard, beside the journal and the report that every run writes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sparring.errors import PluginError
from sparring.plugins.hookspecs import hookimpl
from sparring.training.run import Run


class TensorBoard:
    """Write losses and metrics as event files into the run's folder ``tensorboard``.

    Needs the extra: ``pip install sparring[tensorboard]``.
    """

    def __init__(self) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as cause:
            raise PluginError("TensorBoard is not installed", remedy="`pip install sparring[tensorboard]`") from cause
        self._open: Any = SummaryWriter
        self._writer: Any = None

    @hookimpl
    def sparring_run_start(self, run: Run) -> None:
        """Begin an event file; after a resume, hide what an earlier one has of later steps."""
        self._writer = self._open(str(run.folder / "tensorboard"), purge_step=run.step + 1 if run.step else None)

    @hookimpl
    def sparring_step_end(self, step: int, metrics: Mapping[str, float]) -> None:
        """Write losses, logits, learning rates and speed."""
        self._write(step, metrics)

    @hookimpl
    def sparring_evaluate(self, step: int, metrics: Mapping[str, float]) -> None:
        """Write the metrics."""
        self._write(step, {f"metrics/{name}": value for name, value in metrics.items()})

    @hookimpl
    def sparring_run_end(self) -> None:
        """Close the event file."""
        if self._writer is not None:
            self._writer.close()

    def _write(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)
