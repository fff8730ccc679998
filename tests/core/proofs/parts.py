"""What the proofs share: the frame of a recipe, listeners, and a run that is killed and resumed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import sparring
from sparring import hookimpl
from sparring.api import resume
from sparring.training import checkpoint, journal
from sparring.training.run import Run

RARELY = 10**6
"""Steps between checkpoints of runs that are not resumed: only the first and the last are written."""


def recipe(
    name: str,
    *,
    data: Mapping[str, Any],
    networks: Mapping[str, Any],
    stages: Sequence[Mapping[str, Any]],
    save_every: int = RARELY,
) -> dict[str, Any]:
    """Return a recipe's plain values; runs stay on the processor, where bytes are promised."""
    return {
        "schema": 1,
        "name": f"proofs/{name}",
        "device": "cpu",
        "data": dict(data),
        "networks": dict(networks),
        "stages": [{"name": f"stage-{index}", **stage} for index, stage in enumerate(stages)],
        "checkpoint": {"every": save_every, "keep": 100},
        "log": {"every": 10},
    }


def adam(lr: float, *, betas: tuple[float, float] = (0.0, 0.9)) -> dict[str, Any]:
    """Return an optimiser's specification."""
    return {"use": "adam", "lr": lr, "betas": list(betas)}


# ---- listeners ----


class AtUpdate:
    """Call a function after each update, with the run, the update's name and its terms."""

    def __init__(self, see: Callable[[Run, str, Mapping[str, Tensor]], None]) -> None:
        self.see = see

    @hookimpl
    def sparring_update_end(self, run: Run, update: sparring.Update, terms: Mapping[str, Tensor]) -> None:
        self.see(run, update.name, terms)


class AtStart:
    """Call a function with the run before its first step: to look at its networks, or put hooks on them."""

    def __init__(self, see: Callable[[Run], None]) -> None:
        self.see = see

    @hookimpl
    def sparring_run_start(self, run: Run) -> None:
        self.see(run)


class AtEnd:
    """Keep the run when it ends, to ask it for samples."""

    run: Run

    @hookimpl
    def sparring_run_end(self, run: Run) -> None:
        self.run = run


class Passes:
    """Count the forward passes of each network between two updates' ends."""

    def __init__(self) -> None:
        self.now: dict[str, int] = {}
        self.taken: list[tuple[str, dict[str, int]]] = []

    @hookimpl
    def sparring_run_start(self, run: Run) -> None:
        for role, network in run.networks.items():
            network.register_forward_hook(lambda *_, role=role: self._count(role))

    @hookimpl
    def sparring_update_end(self, update: sparring.Update) -> None:
        self.taken.append((update.name, self.now))
        self.now = {}

    def of(self, update: str) -> list[dict[str, int]]:
        """Return, for each time that an update was taken, the passes by role."""
        return [passes for name, passes in self.taken if name == update]

    def _count(self, role: str) -> None:
        self.now[role] = self.now.get(role, 0) + 1


class Weights:
    """Record which parameters each update changed, and which it gave a new gradient, over the first updates."""

    def __init__(self, updates: int = 60) -> None:
        self.left = updates
        self.changed: dict[str, set[str]] = {}
        self.touched: dict[str, set[str]] = {}

    @hookimpl
    def sparring_run_start(self, run: Run) -> None:
        self._before = self._state(run)

    @hookimpl
    def sparring_update_end(self, run: Run, update: sparring.Update) -> None:
        self.left -= 1
        if self.left < 0:
            return
        now = self._state(run)
        for name, (weight, gradient) in now.items():
            before_weight, before_gradient = self._before[name]
            if not weight.equal(before_weight):
                self.changed.setdefault(update.name, set()).add(name)
            if gradient is not None and (before_gradient is None or not gradient.equal(before_gradient)):
                self.touched.setdefault(update.name, set()).add(name)
        self._before = now

    @staticmethod
    def _state(run: Run) -> dict[str, tuple[Tensor, Tensor | None]]:
        return {
            f"{role}.{name}": (
                parameter.detach().clone(),
                None if parameter.grad is None else parameter.grad.detach().clone(),
            )
            for role, network in run.networks.items()
            for name, parameter in network.named_parameters()
        }


def roles(names: set[str]) -> set[str]:
    """Return the roles that parameters such as ``generator.body.0.weight`` belong to."""
    return {name.partition(".")[0] for name in names}


# ---- what a run wrote ----


def logged(folder: Path, name: str) -> list[float]:
    """Return a value's course over the logging steps."""
    lines = [line["values"] for line in journal.read(folder) if line["event"] == "log"]
    return [values[name] for values in lines if name in values]


def saved_state(folder: Path, step: int | None = None) -> dict[str, Any]:
    """Return what a checkpoint, by default the last, holds beside weights."""
    found = checkpoint.listed(folder)
    return checkpoint.read_state(found[-1] if step is None else folder / checkpoint.FOLDER / f"{step:08d}")


# ---- killed and resumed ----


def train_through_a_kill(
    values: Mapping[str, Any], folder: Path, *, at: int, plugins: Sequence[Path], listeners: Sequence[object] = ()
) -> None:
    """Train to a step, lose every checkpoint since the last regular one but that, and resume from there.

    ``at`` must lie between two regular checkpoints, so that steps are lost and taken again.
    """

    def stop(run: Run, update: str, terms: Mapping[str, Tensor]) -> None:
        if run.step + 1 >= at:
            run.interrupt.asked = True

    assert at % values["checkpoint"]["every"], "at a regular checkpoint nothing would be lost"
    stopped = sparring.train(values, out=folder, plugins=plugins, listeners=[AtUpdate(stop)])
    assert (stopped.status, stopped.step) == ("stopped", at)
    # The stop wrote a checkpoint of its own, which a killed run would not have.
    shutil.rmtree(folder / checkpoint.FOLDER / f"{at:08d}")
    assert checkpoint.listed(folder)
    assert resume(folder, plugins=plugins, listeners=listeners).status == "finished"


def assert_same_run(resumed: Path, unbroken: Path) -> None:
    """Assert that two runs ended with the same bytes, the same state, and the same journal but for times."""
    weights = sorted(path.name for path in (unbroken / "final").glob("*.safetensors"))
    assert weights
    for name in weights:
        assert (resumed / "final" / name).read_bytes() == (unbroken / "final" / name).read_bytes(), name
    assert_equal(saved_state(resumed), saved_state(unbroken))
    assert _timeless(resumed) == _timeless(unbroken)


def assert_equal(ours: Any, theirs: Any, path: str = "state") -> None:
    """Assert that two nests of tensors and plain values are the same, bit for bit."""
    if isinstance(ours, Tensor):
        assert torch.equal(ours, theirs), path
    elif isinstance(ours, Mapping):
        assert set(ours) == set(theirs), path
        for key in ours:
            assert_equal(ours[key], theirs[key], f"{path}.{key}")
    elif isinstance(ours, (list, tuple)):
        assert len(ours) == len(theirs), path
        for index, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            assert_equal(one, other, f"{path}.{index}")
    else:
        assert ours == theirs, path


def _timeless(folder: Path) -> list[str]:
    lines = journal.read(folder)
    return [
        json.dumps({key: value for key, value in line.items() if key not in ("time", "steps_per_second")})
        for line in lines
    ]


# ---- networks of a few units ----


def layers(*sizes: int) -> nn.Sequential:
    """Return linear layers of the given sizes with leaky ReLUs between them."""
    steps: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        steps += [nn.Linear(inputs, outputs), nn.LeakyReLU(0.2)]
    return nn.Sequential(*steps[:-1])
