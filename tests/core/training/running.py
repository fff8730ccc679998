"""Small recipes, ways to stop them, and comparisons of the folders that they write."""

from __future__ import annotations

import copy
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from sparring import hookimpl
from sparring.interfaces.trainer import Result
from sparring.training import journal

HERE = Path(__file__).parent
PARTS = HERE / "parts_plugin.py"
ROOT = HERE.parents[2]
TIMES = ("time", "steps_per_second")

_BASE: dict[str, Any] = {
    "schema": 1,
    "name": "tests/tiny",
    "seed": 3,
    "device": "cpu",
    "threads": 1,
    "data": {"use": "points", "count": 128, "modes": 4},
    "networks": {
        "generator": {"use": "mlp", "latent_dim": 4, "width": 12, "depth": 2},
        "discriminator": {"use": "mlp", "width": 12, "depth": 2},
    },
    "stages": [
        {
            "name": "contend",
            "objective": {"use": "adversarial", "loss": "non-saturating"},
            "steps": 10,
            "batch": 8,
            "optimizers": {
                "generator": {"use": "adam", "lr": 0.01, "betas": [0.5, 0.9]},
                "discriminator": {"use": "adam", "lr": 0.01, "betas": [0.5, 0.9]},
            },
        }
    ],
    "checkpoint": {"every": 4, "keep": 3},
    "log": {"every": 3},
}
EVALUATE: dict[str, Any] = {"every": 5, "count": 40, "metrics": [{"use": "modes"}]}
SAMPLES: dict[str, Any] = {"every": 5, "count": 9}


def tiny(stage: Mapping[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """Return a recipe that trains in a moment; ``stage`` changes its only stage."""
    recipe = copy.deepcopy(_BASE)
    recipe["stages"][0] |= copy.deepcopy(dict(stage or {}))
    return recipe | copy.deepcopy(changes)


# ---- ways to stop ----


class Stop:
    """Do what Ctrl-C does, in the midst of a step."""

    def __init__(self, step: int) -> None:
        self.step = step

    @hookimpl
    def sparring_update_end(self, run: Any) -> None:
        if run.step + 1 == self.step:
            run.interrupt.asked = True


class Crash(Exception):
    """What a test raises where a machine would lose its power."""


class CrashAt:
    """Fail in the midst of a step."""

    def __init__(self, step: int) -> None:
        self.step = step

    @hookimpl
    def sparring_update_end(self, run: Any) -> None:
        if run.step + 1 == self.step:
            raise Crash


class CrashBetweenStages:
    """Fail when a stage is left, or when the next is entered."""

    def __init__(self, *, leaving: bool) -> None:
        self.leaving = leaving

    @hookimpl
    def sparring_stage_end(self, stage: Any) -> None:
        if self.leaving:
            raise Crash

    @hookimpl
    def sparring_stage_start(self, stage: Any) -> None:
        if stage.index > 0:
            raise Crash


class Watch:
    """Call a function after every optimiser step, or at another event."""

    def __init__(self, after_update: Callable[[Any, Any, Mapping[str, Tensor]], None]) -> None:
        self._after_update = after_update

    @hookimpl
    def sparring_update_end(self, run: Any, update: Any, terms: Mapping[str, Tensor]) -> None:
        self._after_update(run, update, terms)


# ---- what a run wrote ----


def weights(folder: Path) -> dict[str, bytes]:
    """Return the bytes of a run's final weights."""
    found = {path.name: path.read_bytes() for path in sorted((folder / "final").glob("*.safetensors"))}
    assert found, f"{folder} has no final weights"
    return found


def tensors(folder: Path, role: str) -> dict[str, Tensor]:
    """Return a network's final weights."""
    return load_file(folder / "final" / f"{role}.safetensors")


def lines(folder: Path) -> list[dict[str, Any]]:
    """Return a run's journal without what depends on the clock."""
    return [{key: value for key, value in line.items() if key not in TIMES} for line in journal.read(folder)]


def logged(folder: Path) -> list[dict[str, float]]:
    """Return the values of every logging step."""
    return [line["values"] for line in lines(folder) if line["event"] == "log"]


def steps_saved(folder: Path) -> list[int]:
    """Return the steps of a run's checkpoints."""
    return sorted(int(path.name) for path in (folder / "checkpoints").iterdir() if path.name.isdigit())


def last_state(folder: Path) -> dict[str, Any]:
    """Return what the last checkpoint holds beside weights."""
    path = folder / "checkpoints" / f"{steps_saved(folder)[-1]:08d}" / "state.pt"
    state: dict[str, Any] = torch.load(path, weights_only=True)
    return state


def assert_same_run(one: Path, other: Path) -> None:
    """Assert that two folders hold the same weights, the same journal and the same samples."""
    for ours, theirs in zip(lines(one), lines(other), strict=True):
        assert ours == theirs
    assert weights(one) == weights(other)
    drawn = [
        {path.relative_to(folder / "samples"): path.read_bytes() for path in (folder / "samples").rglob("*.*")}
        for folder in (one, other)
    ]
    assert drawn[0] == drawn[1]


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file of a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


# ---- real processes ----


def environment() -> dict[str, str]:
    """Return an environment with one thread, where ``parts/slow`` is slow and tracebacks are not asked for."""
    chosen = dict(os.environ, OMP_NUM_THREADS="1", COLUMNS="200", SPARRING_TEST_SLOW="1")
    chosen.pop("SPARRING_TRACEBACK", None)
    return chosen


def program(*words: str | Path) -> list[str]:
    """Return the command line of the ``sparring`` program."""
    return [sys.executable, "-m", "sparring", *map(str, words)]


def call(*words: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the ``sparring`` program as a process of its own."""
    return subprocess.run(
        program(*words), capture_output=True, text=True, env=environment(), timeout=120, check=False, **options
    )


def write_recipe(folder: Path, recipe: Mapping[str, Any]) -> Path:
    """Write a recipe as a file; JSON is YAML."""
    path = folder / "recipe-under-test.yaml"
    path.write_text(json.dumps(recipe), encoding="utf-8")
    return path


def losses_of(results: Sequence[Mapping[str, float]], name: str) -> list[float]:
    """Return one value of every logging step."""
    return [values[name] for values in results if name in values]


def finished(result: Result) -> bool:
    """Whether a run came to its end."""
    return result.status == "finished"


def train_together(script: Path, folder: Path, seconds: float) -> list[dict[str, Any]]:
    """Run a script on a folder in two processes that train together, and return what each wrote of its outcomes.

    Both are killed, and the test fails, if they take longer than ``seconds``.
    """
    path = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    process = subprocess.Popen(
        [*command, str(script), str(folder)],
        env=environment() | {"PYTHONPATH": os.pathsep.join(path), "GLOO_SOCKET_IFNAME": "lo"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        pytest.fail(f"two processes waited for one another for ever:\n{process.communicate()[0][-3000:]}")
    assert process.returncode == 0, output[-5000:]
    return [json.loads((folder / f"outcome-{rank}.json").read_text(encoding="utf-8")) for rank in (0, 1)]
