"""Sparring from Python: train, resume, load."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sparring.errors import CheckpointError, SparringError
from sparring.interfaces.data import Data, StreamingData
from sparring.interfaces.trainer import Result, Trainer
from sparring.plain import as_data, as_network
from sparring.plugins.options import ComponentSpec
from sparring.plugins.registry import Registry
from sparring.recipes import source
from sparring.recipes.check import resolve
from sparring.recipes.schema import GIVEN, InitializeFrom, NetworkSpec, Recipe
from sparring.report.page import write_report
from sparring.trained import Trained, load
from sparring.training import checkpoint, record, resuming
from sparring.training.build import AnyData, Builder
from sparring.training.parallel import Parallel
from sparring.training.run import Run

__all__ = ["Trained", "load", "resume", "train"]


def train(
    recipe: str | Path | Mapping[str, Any],
    *,
    networks: Mapping[str, nn.Module] | None = None,
    data: Data | StreamingData | Tensor | None = None,
    out: Path | str | None = None,
    overrides: Sequence[str] = (),
    plugins: Sequence[Path | str] = (),
    listeners: Sequence[object] = (),
) -> Result:
    """Train a recipe in a new folder.

    Args:
        recipe: A name, a file, or plain values.
        networks: Networks to use in place of the recipe's, by role. Plain modules will do: a generator is called with
            the latent (it needs the attribute ``latent_shape``), a discriminator with the sample; either is given the
            condition too where its ``forward`` takes one.
        data: Data to use in place of the recipe's; a tensor ``(N, …)`` will do.
        out: The run's folder; by default ``runs/`` and the recipe's name.
        overrides: Changes such as ``stages.0.steps=100``.
        plugins: Files that hold a plugin each.
        listeners: Objects with event hooks that only watch.

    Raises:
        RecipeError: The recipe has mistakes, all of which it names.
        CheckpointError: The folder exists.
    """
    registry = Registry([Path(file) for file in plugins])
    values = source.override(values_of(recipe), overrides)
    given = dict(networks or {})
    resolved = resolve(values, registry, given=given, given_data=data is not None)
    for role in given:
        spec = resolved.networks.get(role, NetworkSpec(use=GIVEN))
        # An initialiser is left out: the weights of a module that is handed over are its owner's affair.
        init = spec.init if isinstance(spec.init, InitializeFrom) else None
        resolved.networks[role] = NetworkSpec(use=GIVEN, init=init, adapt=spec.adapt)
    if data is not None:
        resolved.data = ComponentSpec(use=GIVEN)
    folder = Path(out) if out is not None else Path("runs") / resolved.name.replace("/", "-")
    parallel = Parallel.start(resolved.device)
    if parallel.main:
        record.refuse_existing(folder)
    run = _prepare(resolved, folder, registry, parallel, given, data, listeners)
    return _fit(run, registry)


def resume(
    folder: Path | str,
    *,
    overrides: Sequence[str] = (),
    step: int | None = None,
    out: Path | str | None = None,
    networks: Mapping[str, nn.Module] | None = None,
    data: Data | StreamingData | Tensor | None = None,
    plugins: Sequence[Path | str] = (),
    listeners: Sequence[object] = (),
) -> Result:
    """Go on with a run from its last checkpoint, extend it, or branch it.

    Args:
        folder: The run's folder.
        overrides: Changes such as ``stages.1.steps=+5000``. In the run's own folder only what leaves its past as it was
            may change; in a branch, anything that the saved state still fits.
        step: Branch from the checkpoint of this step; needs ``out``.
        out: The branch's new folder.
        networks: Networks that the run was given as objects.
        data: Data that the run was given as an object.
        plugins: Files that hold a plugin each.
        listeners: Objects with event hooks that only watch.

    Raises:
        CheckpointError: There is no run, no whole checkpoint, or the checkpoint belongs to another recipe.
        RecipeError: A change is not allowed.
    """
    folder = Path(folder)
    if step is not None and out is None:
        raise CheckpointError(
            "a run goes on from its last checkpoint only", where=str(folder), remedy="branch it: give `out` with `step`"
        )
    environment = record.read_environment(folder)
    registry = Registry([Path(file) for file in plugins])
    before = source.read(folder / record.RECIPE)
    values = source.override(before, overrides, relative=True)
    given = dict(networks or {})
    resolved = resolve(values, registry, given=given, given_data=data is not None)
    if out is None:
        resuming.check_changes(before, resolved.dump())
    parallel = Parallel.start(resolved.device)
    torch.set_num_threads(resolved.threads or int(environment["threads"]))
    chosen = resuming.choose_checkpoint(folder, step)
    if chosen is None:  # killed before the first checkpoint: nothing is lost by starting again
        if out is not None:
            raise CheckpointError("this run has no checkpoint to branch from", where=str(folder), remedy="resume it")
        run = _prepare(resolved, folder, registry, parallel, given, data, listeners, fresh=False)
        run.begin_anew()
        return _fit(run, registry)
    manifest = checkpoint.read_manifest(chosen)
    resuming.check_identity(manifest, resolved, chosen)
    target = folder if out is None else Path(out)
    fresh = out is not None
    if fresh and parallel.main:
        record.refuse_existing(target)
    run = _prepare(resolved, target, registry, parallel, given, data, listeners, fresh=fresh, resumed=True)
    if fresh and parallel.main:
        resuming.branch(folder, target, chosen, manifest)
    run.resume_at(manifest, chosen)
    return _fit(run, registry)


def values_of(recipe: str | Path | Mapping[str, Any]) -> dict[str, Any]:
    """Return a recipe's plain values, given its name, its file or the values themselves."""
    if isinstance(recipe, Mapping):
        return dict(recipe)
    return source.read(source.find(str(recipe)))


def _prepare(
    recipe: Recipe,
    folder: Path,
    registry: Registry,
    parallel: Parallel,
    networks: Mapping[str, nn.Module],
    data: AnyData | Tensor | None,
    listeners: Sequence[object],
    *,
    fresh: bool = True,
    resumed: bool = False,
) -> Run:
    if recipe.threads is not None:
        torch.set_num_threads(recipe.threads)
    if recipe.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when CUDA is first used
        torch.use_deterministic_algorithms(True)
    built: AnyData = as_data(data) if data is not None else registry.build("data", recipe.data, "data")
    given = {role: as_network(network, role) for role, network in networks.items()}
    builder = Builder(recipe, registry, space=built.space, conditions=built.conditions, data=built)
    run = Run(recipe, folder, builder, built, parallel, networks=given, listeners=listeners, resumed=resumed)
    builder.check_stages(run.networks, parallel)
    # Only now, so that a recipe that is refused leaves no folder behind.
    if fresh and parallel.main:
        spaces = {
            "sample": record.describe_space(registry, built.space),
            "conditions": {name: record.describe_space(registry, one) for name, one in built.conditions.items()},
        }
        threads, notes = torch.get_num_threads(), builder.notes
        record.create(folder, recipe, registry, spaces, threads, parallel.world, notes)
    for sentence in [*built.notes, *builder.notes]:
        run.say(sentence)
    return run


def _fit(run: Run, registry: Registry) -> Result:
    trainer: Trainer = registry.build("trainer", run.recipe.trainer, "trainer")
    result = trainer.fit(run)
    if run.parallel.main:
        try:
            write_report(run.folder)
        except OSError as cause:
            raise SparringError(
                f"the run is complete but for its report, which cannot be written: {cause.strerror}",
                where=str(run.folder),
                remedy=f"`sparring report {run.folder}` writes it, once there is space",
            ) from cause
    return result
