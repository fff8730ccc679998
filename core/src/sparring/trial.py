"""Try a recipe out: two steps of each stage, and what the whole would need."""

from __future__ import annotations

import resource
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from sparring import api
from sparring.plugins.hookspecs import hookimpl
from sparring.plugins.registry import Registry
from sparring.recipes import source
from sparring.recipes.check import resolve
from sparring.training import checkpoint
from sparring.training.parallel import Parallel
from sparring.training.run import Run

TRIAL_STEPS = 2


def try_out(
    recipe: str | Path | Mapping[str, Any], *, overrides: Sequence[str] = (), plugins: Sequence[Path | str] = ()
) -> dict[str, Any]:
    """Train two steps of each stage in a temporary folder, and tell what the whole would need.

    Returns:
        ``peak_memory_bytes``, ``steps_per_second`` by stage, ``seconds_to_finish`` (training alone),
        ``checkpoint_bytes``, ``disk_bytes`` (all that is kept at once).
    """
    values = source.override(api.values_of(recipe), overrides)
    whole = resolve(values, Registry([Path(file) for file in plugins]))
    short = [f"stages.{index}.steps={TRIAL_STEPS}" for index in range(len(whole.stages))]
    watch = _Stopwatch()
    with tempfile.TemporaryDirectory(prefix="sparring-try-") as folder:
        out = Path(folder) / "run"
        api.train(values, out=out, overrides=[*short, "log.every=1"], plugins=plugins, listeners=[watch])
        saved = checkpoint.listed(out)
        size = sum(file.stat().st_size for file in saved[-1].iterdir())
    speeds = {stage.name: watch.speeds[stage.name] for stage in whole.stages}
    kept = whole.checkpoint.keep if isinstance(whole.checkpoint.keep, int) else 2
    return {
        "peak_memory_bytes": _peak_memory(Parallel.start(whole.device).device),
        "steps_per_second": speeds,
        "seconds_to_finish": sum(stage.steps / speeds[stage.name] for stage in whole.stages),
        "checkpoint_bytes": size,
        "disk_bytes": size * (kept + 1),
    }


class _Stopwatch:
    """Note each stage's speed in its last step; the first also pays for what torch sets up."""

    def __init__(self) -> None:
        self.speeds: dict[str, float] = {}

    @hookimpl
    def sparring_step_end(self, run: Run, metrics: Mapping[str, float]) -> None:
        if run.stage is not None:
            self.speeds[run.stage.name] = metrics["steps_per_second"]


def _peak_memory(device: torch.device) -> int:
    """Return the most memory held so far, in bytes: the device's, or this process's on a processor."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
