"""The losses of the first steps of the recipe ``points/ring``, which no change of the loop may move by accident.

Where a change is meant to move them, write them anew and say why in the commit::

    OMP_NUM_THREADS=1 python -m tests.core.training.golden
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import torch

FILE = Path(__file__).with_suffix(".json")
STEPS = 20
OVERRIDES = [
    f"stages.0.steps={STEPS}",
    "stages.0.batch=32",
    "threads=1",
    "device=cpu",
    "log.every=1",
    "evaluate.every=1000",
    "evaluate.count=32",
    "checkpoint.every=1000",
    "samples.every=1000",
    "samples.count=16",
]


def losses(folder: Path) -> list[dict[str, float]]:
    """Train, and return the values of each step."""
    from sparring.api import train
    from tests.core.training.running import logged

    train("points/ring", out=folder, overrides=OVERRIDES)
    return logged(folder)


if __name__ == "__main__":
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        FILE.write_text(json.dumps(losses(Path(temporary) / "run"), indent=1) + "\n", encoding="utf-8")
