"""What a run writes into its folder, and reads back from it."""

from __future__ import annotations

import copy
import fcntl
import hashlib
import json
import math
import platform
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from sparring import __version__
from sparring.errors import CheckpointError
from sparring.interfaces.space import Space
from sparring.plugins.registry import Registry
from sparring.recipes.schema import Best, Recipe
from sparring.recipes.source import dump
from sparring.training import checkpoint
from sparring.training.checkpoint import FINAL, UNFINISHED, Manifest
from sparring.training.ema import MovingAverage
from sparring.training.parallel import Parallel
from sparring.training.stage import Stage
from sparring.transfer.adapt import merged
from sparring.transfer.groups import SCALE

if TYPE_CHECKING:
    from sparring.training.run import Run

RECIPE, ENVIRONMENT, CONFIG = "recipe.yaml", "environment.json", "config.json"
_PARTS = {"callbacks", "ledger", "optimizers", "objective", "terms", "feed"}  # of a checkpoint's state
_MISFITS = (KeyError, ValueError, TypeError, AttributeError, IndexError)  # raised by state that is another's


# ---- the folder ----


def refuse_existing(folder: Path) -> None:
    """Raise where a folder holds anything, so that no run overwrites another."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CheckpointError(
            f"the folder '{folder}' exists",
            where=str(folder),
            remedy=f"`sparring resume {folder}`, or choose another --out",
        )


def create(
    folder: Path,
    recipe: Recipe,
    registry: Registry,
    spaces: Mapping[str, Any],
    threads: int,
    world: int,
    notes: Sequence[str] = (),
) -> None:
    """Make a run's folder, with the resolved recipe and the environment; it gets its name when both are in it.

    ``notes`` say where first weights came from.
    """
    beside = folder.with_name(f"{UNFINISHED}{folder.name}")
    environment = {
        "sparring": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "platform": platform.platform(),
        "processor": processor(),
        "plugins": [record.as_row() for record in registry.records if record.status == "loaded"],
        "seed": recipe.seed,
        "device": recipe.device,
        "threads": threads,
        "processes": world,
        "spaces": spaces,
        "samples": getattr(registry.find("space", spaces["sample"]["use"]).load(), "called", Space.called),
        "first weights": list(notes),
        "command": sys.argv[1:],
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }
    try:
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(parents=True)
        write_recipe(beside, recipe)
        (beside / ENVIRONMENT).write_text(json.dumps(environment, indent=1), encoding="utf-8")
        beside.rename(folder)
    except OSError as cause:
        shutil.rmtree(beside, ignore_errors=True)
        raise CheckpointError(
            f"the run's folder cannot be made: {cause.strerror}", where=str(folder), remedy="choose another --out"
        ) from cause


def write_recipe(folder: Path, recipe: Recipe) -> None:
    """Write a run's recipe beside its name and rename it, so that a full disk never costs the one before."""
    beside = folder / f"{UNFINISHED}{RECIPE}"
    beside.write_text(dump(recipe.dump()), encoding="utf-8")
    beside.replace(folder / RECIPE)


def read_environment(folder: Path) -> dict[str, Any]:
    """Read what a run was started with."""
    try:
        found: dict[str, Any] = json.loads((folder / ENVIRONMENT).read_text(encoding="utf-8"))
    except (OSError, ValueError) as cause:
        raise CheckpointError(
            "this folder is no run", where=str(folder), remedy="name a folder that a run wrote"
        ) from cause
    return found


def processor() -> str:
    """Return the processor's model, on which exact bytes depend."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


@contextmanager
def held(folder: Path, parallel: Parallel) -> Iterator[None]:
    """Hold a run's folder, so that two programs do not train in it at once."""
    if not parallel.main:
        yield
        return
    with (folder / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as cause:
            raise CheckpointError(
                "another program is training in this folder", where=str(folder), remedy="wait for it, or stop it"
            ) from cause
        yield


# ---- checkpoints ----


def identity(recipe: Recipe) -> str:
    """Return a fingerprint of what a checkpoint's weights belong to."""
    parts = {
        # A network without adapters has the fingerprint that it had before there were any.
        role: spec.model_dump(mode="json", exclude={"init"} if spec.adapt else {"init", "adapt"})
        for role, spec in recipe.networks.items()
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def save(run: Run, *, metrics: Mapping[str, float]) -> Path:
    """Write a checkpoint of a run, and delete those that are no longer to be kept."""
    manifest = Manifest(
        run.step, run.stage_index, run.stage_step, run.journal.position(), identity(run.recipe), dict(metrics)
    )
    path = checkpoint.save(
        run.folder,
        manifest,
        run.networks,
        {role: average.network for role, average in run.averages.items()},
        state_of(run),
    )
    keep = run.recipe.checkpoint.keep
    best = best_checkpoint(run) if isinstance(keep, Best) else None
    checkpoint.prune(run.folder, 1 if isinstance(keep, Best) else keep, spare=best)
    return path


def state_of(run: Run) -> dict[str, Any]:
    """Return everything but weights that a resumed run needs, as tensors and plain values."""
    stage = run.stage
    assert stage is not None
    state: dict[str, Any] = {
        "callbacks": {name: one.state_dict() for name, one in run.callbacks if hasattr(one, "state_dict")},
        "ledger": run.ledger.state_dict(),
        "metrics": dict(run.metrics),
        "metric_better": dict(run.metric_better),
        "optimizers": {role: optimizer.state_dict() for role, optimizer in stage.optimizers.items()},
        "objective": stage.objective.state_dict(),
        "terms": {entry.name: entry.term.state_dict() for entry in stage.objective.weighted},
        "feed": stage.feed.state_dict(),
    }
    return state


def load(run: Run, path: Path) -> dict[str, Any]:
    """Put a checkpoint's weights into a run, and return the rest of its state."""
    for role, network in run.networks.items():
        checkpoint.load_weights(network, path / f"{role}.safetensors", role=role)
    for file in sorted(path.glob("*.average.safetensors")):
        role = file.name.removesuffix(".average.safetensors")
        run.averages[role] = MovingAverage(run.networks[role], 0.0)
        checkpoint.load_weights(run.averages[role].network, file, role=role)
    state = checkpoint.read_state(path)
    if not state.keys() >= _PARTS:
        raise _foreign(path, "parts of it are missing")
    run.metrics = dict(state.get("metrics", run.metrics))
    run.metric_better = dict(state.get("metric_better", {}))
    try:
        for name, callback in run.callbacks:
            if name in state["callbacks"] and hasattr(callback, "load_state_dict"):
                callback.load_state_dict(state["callbacks"][name])
    except _MISFITS as cause:
        raise _foreign(path, f"{type(cause).__name__}: {cause}") from cause
    return state


def restore(run: Run, stage: Stage, state: Mapping[str, Any]) -> None:
    """Return a stage to a checkpoint's state."""
    try:
        run.ledger.load_state_dict(state["ledger"])
        for role, optimizer in stage.optimizers.items():
            built = [dict(group) for group in optimizer.param_groups]
            optimizer.load_state_dict(state["optimizers"][role])
            # The saved state brings the saved settings: a branch may have changed them in its recipe.
            spec = run.recipe.stages[stage.index].optimizers[role]
            named = {*spec.options, *(("lr", SCALE) if spec.groups else ())}
            for group, fresh in zip(optimizer.param_groups, built, strict=True):
                group.update({name: fresh[name] for name in named if name in fresh})
        stage.objective.load_state_dict(state["objective"])
        for entry in stage.objective.weighted:
            if entry.name in state["terms"]:
                entry.term.load_state_dict(state["terms"][entry.name])
        if state["feed"]:
            stage.feed.load_state_dict(state["feed"])
    except _MISFITS as cause:
        raise _foreign(run.folder, f"stage '{stage.name}', {type(cause).__name__}: {cause}") from cause


def _foreign(where: Path, why: str) -> CheckpointError:
    return CheckpointError(
        f"the checkpoint's state does not fit this run: {why}",
        where=str(where),
        remedy="resume with the recipe that the run was started with, or delete the checkpoint to use the one before",
    )


def best_checkpoint(run: Run) -> Path | None:
    """Return the checkpoint with the best value of the metric that the recipe keeps."""
    keep = run.recipe.checkpoint.keep
    if not isinstance(keep, Best) or keep.best not in run.metric_better:
        return None
    sign = 1.0 if run.metric_better[keep.best] == "higher" else -1.0
    scored = []
    for path in checkpoint.listed(run.folder):
        value = json.loads((path / checkpoint.MANIFEST).read_text(encoding="utf-8"))["metrics"].get(keep.best)
        if value is not None and math.isfinite(value):
            scored.append((sign * value, path))
    return max(scored)[1] if scored else None


# ---- final weights ----


def describe_space(registry: Registry, space: Space) -> dict[str, Any]:
    """Return a space's name and options, from which it can be rebuilt where the data are not."""
    return {"use": registry.name_of(space, "space"), **space.options()}


def write_final(run: Run) -> None:
    """Write the final weights: averaged where an average is kept, the best where the recipe keeps the best.

    Adapters are merged into the weights that they stand beside: what is final needs no source, and fits the network
    as it is without them.
    """
    written = run.folder / f"{UNFINISHED}{FINAL}"
    written.mkdir(exist_ok=True)
    best = best_checkpoint(run)
    weights: dict[str, str] = {}
    for role in run.networks:
        target = written / f"{role}.safetensors"
        if best is None:
            averaged = role in run.averages
            checkpoint.write_weights(merged(run.best_network(role)), target)
        else:
            # The best may be of an earlier stage, in which no average was kept.
            average = best / f"{role}.average.safetensors"
            averaged = average.exists()
            chosen = average if averaged else best / f"{role}.safetensors"
            if run.recipe.networks[role].adapt is None:
                target.write_bytes(chosen.read_bytes())
            else:
                network = copy.deepcopy(run.networks[role])
                checkpoint.load_weights(network, chosen, role=role)
                checkpoint.write_weights(merged(network), target)
        weights[role] = "average" if averaged else "live"
    environment = read_environment(run.folder)
    config = {
        "sparring": __version__,
        "step": run.step if best is None else int(best.name),
        "weights": weights,
        "spaces": environment["spaces"],
        "recipe": run.recipe.dump(),
    }
    (written / CONFIG).write_text(json.dumps(config, indent=1), encoding="utf-8")
    checkpoint.replace_folder(run.folder / FINAL, written)
    if best is not None:
        run.say(_about_best(run, best))


def _about_best(run: Run, best: Path) -> str:
    """Say which step the final weights are of: the last evaluation, which is shown beside it, may be another's."""
    keep, step = run.recipe.checkpoint.keep, int(best.name)
    assert isinstance(keep, Best)
    value = json.loads((best / checkpoint.MANIFEST).read_text(encoding="utf-8"))["metrics"][keep.best]
    if step == run.step:
        return f"final/ holds the last weights, which are the best by {keep.best}: {value:.4g}"
    last = f"; at the last evaluation it was {run.metrics[keep.best]:.4g}" if keep.best in run.metrics else ""
    return f"final/ holds the weights of step {step:,}, the best by {keep.best}: {value:.4g}{last}"
