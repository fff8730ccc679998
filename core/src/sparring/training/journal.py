"""The journal is metrics.jsonl: one JSON object a line, in the order in which things happened.

Its lines are a function of recipe and seed but for ``time`` and ``steps_per_second``, so they are cut back to a
checkpoint when a run resumes there, and written again.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

NAME = "metrics.jsonl"


class Journal:
    """Write what happens in a run; on processes other than rank 0, write nothing."""

    def __init__(self, folder: Path, *, enabled: bool = True) -> None:
        self.path = folder / NAME
        self._enabled = enabled
        self._start = time.perf_counter()

    def write(self, event: str, **values: Any) -> None:
        """Add a line and hand it to the operating system at once, so that a killed run keeps it."""
        if not self._enabled:
            return
        line = {"event": event, **values, "time": round(time.perf_counter() - self._start, 3)}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(_finite(line), ensure_ascii=False) + "\n")

    def position(self) -> int:
        """Return the file's length in bytes."""
        return self.path.stat().st_size if self.path.exists() else 0

    def cut(self, position: int) -> None:
        """Drop everything after a position."""
        if self._enabled and self.path.exists():
            os.truncate(self.path, min(position, self.position()))


def _finite(value: Any) -> Any:
    """Replace what JSON cannot say by its name."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {key: _finite(part) for key, part in value.items()}
    return value


def read(folder: Path) -> list[dict[str, Any]]:
    """Read a run's journal; a last line that was cut short is left out."""
    path = folder / NAME
    if not path.exists():
        return []
    lines = []
    for line in path.read_text(encoding="utf-8", errors="replace").split("\n"):
        if not line:
            continue
        try:
            lines.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return lines
