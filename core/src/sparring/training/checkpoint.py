"""Checkpoints: written beside their name and then renamed, so that one that has its name is whole."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import pickle
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from sparring.errors import CheckpointError

FOLDER, FINAL, MANIFEST, STATE = "checkpoints", "final", "manifest.json", "state.pt"
UNFINISHED = ".unfinished-"
_NEXT_TO_NOTHING = 1 << 20  # bytes


@dataclass
class Manifest:
    """What a checkpoint holds.

    Attributes:
        step: The run's step.
        stage: The stage's index.
        stage_step: The step within it.
        journal: The journal's length in bytes.
        identity: A fingerprint of what the weights belong to: networks and stages.
        metrics: The evaluation at this step, if there was one.
        files: Size and SHA-256 of each file.
    """

    step: int
    stage: int
    stage_step: int
    journal: int
    identity: str
    metrics: dict[str, float] = field(default_factory=dict)
    files: dict[str, dict[str, Any]] = field(default_factory=dict)


def listed(run: Path) -> list[Path]:
    """List a run's checkpoints, oldest first."""
    folder = run / FOLDER
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.is_dir() and path.name.isdigit())


def save(
    run: Path,
    manifest: Manifest,
    networks: Mapping[str, nn.Module],
    averages: Mapping[str, nn.Module],
    state: Mapping[str, Any],
) -> Path:
    """Write a checkpoint and give it its name only when it is whole.

    Raises:
        CheckpointError: The disk is full; earlier checkpoints are untouched.
    """
    path = run / FOLDER / f"{manifest.step:08d}"
    beside = path.with_name(UNFINISHED + path.name)
    shutil.rmtree(beside, ignore_errors=True)
    try:
        beside.mkdir(parents=True)
        for role, network in networks.items():
            write_weights(network, beside / f"{role}.safetensors")
        for role, network in averages.items():
            write_weights(network, beside / f"{role}.average.safetensors")
        torch.save(dict(state), beside / STATE)
        manifest.files = {file.name: _fingerprint(file) for file in sorted(beside.iterdir())}
        (beside / MANIFEST).write_text(json.dumps(asdict(manifest), indent=1), encoding="utf-8")
        _flush(beside)
        if path.exists():
            _remove(path)
        beside.rename(path)
    except (OSError, SafetensorError, RuntimeError) as cause:
        shutil.rmtree(beside, ignore_errors=True)
        raise full_disk(cause, run) from cause
    return path


def read_manifest(path: Path) -> Manifest:
    """Read what a checkpoint holds, and verify that every file is whole.

    Raises:
        CheckpointError: A file is missing, cut short or changed.
    """
    try:
        manifest = Manifest(**json.loads((path / MANIFEST).read_text(encoding="utf-8")))
        expectations = {str(name): dict(expected) for name, expected in manifest.files.items()}
    except (OSError, ValueError, TypeError, AttributeError) as cause:
        raise _damaged(path, f"its {MANIFEST} cannot be read") from cause
    for name, expected in expectations.items():
        file = path / name
        if not file.is_file():
            raise _damaged(path, f"'{name}' is missing")
        if file.stat().st_size != expected.get("size"):
            raise _damaged(path, f"'{name}' has {file.stat().st_size} bytes instead of {expected.get('size')}")
        if _fingerprint(file) != expected:
            raise _damaged(path, f"'{name}' has changed since it was written")
    return manifest


def read_state(path: Path) -> dict[str, Any]:
    """Read optimiser and other state. Nothing in the file can be executed.

    Raises:
        CheckpointError: The file holds something else than tensors and plain values.
    """
    try:
        state: Any = torch.load(path / STATE, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError) as cause:
        raise _damaged(path, f"'{STATE}' cannot be read safely ({str(cause).splitlines()[0]})") from cause
    if not isinstance(state, dict):
        raise _damaged(path, f"'{STATE}' holds no mapping")
    return state


def write_weights(network: nn.Module, file: Path) -> None:
    """Write a network's parameters and buffers as safetensors."""
    tensors = {name: value.detach().cpu().contiguous().clone() for name, value in network.state_dict().items()}
    save_file(tensors, file)


def read_weights(file: Path) -> dict[str, Tensor]:
    """Read parameters and buffers from a safetensors file.

    Raises:
        CheckpointError: The file is missing, cut short, or not safetensors.
    """
    try:
        return load_file(file)
    except FileNotFoundError as cause:
        raise CheckpointError("there is no such weight file", where=str(file), remedy="check the path") from cause
    except (SafetensorError, OSError) as cause:
        raise CheckpointError(
            f"the weights cannot be read: {cause}", where=str(file), remedy="the file is cut short or not safetensors"
        ) from cause


def load_weights(network: nn.Module, file: Path, *, role: str) -> None:
    """Put weights into a network.

    Raises:
        CheckpointError: They belong to another network.
    """
    try:
        network.load_state_dict(read_weights(file))
    except RuntimeError as cause:
        details = "; ".join(line.strip() for line in str(cause).splitlines()[1:4])
        raise CheckpointError(
            f"these weights do not fit the network '{role}': {details}",
            where=str(file),
            remedy="use the recipe that the weights were trained with",
        ) from cause


def prune(run: Path, keep: int, *, spare: Path | None = None) -> None:
    """Delete all but the newest checkpoints, sparing one."""
    for path in listed(run)[:-keep]:
        if path != spare:
            _remove(path)
    for left in (run / FOLDER).glob(f"{UNFINISHED}*"):  # by a run that was killed while it wrote or deleted
        shutil.rmtree(left, ignore_errors=True)


def _remove(path: Path) -> None:
    """Take a checkpoint's name away before its files: a run killed in between has no half of it left in its list."""
    nameless = path.with_name(f"{UNFINISHED}old-{path.name}")
    shutil.rmtree(nameless, ignore_errors=True)
    path.rename(nameless)
    shutil.rmtree(nameless, ignore_errors=True)


def replace_folder(target: Path, written: Path) -> None:
    """Put a finished folder in the place of another."""
    _flush(written)
    old = target.with_name(f"{UNFINISHED}old-{target.name}")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    written.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def full_disk(cause: Exception, run: Path) -> CheckpointError:
    """Return the error for a write that failed."""
    full = getattr(cause, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "space" in str(cause).lower()
    with contextlib.suppress(OSError):
        # torch does not pass on why a write failed.
        full = full or (isinstance(cause, RuntimeError) and shutil.disk_usage(run).free < _NEXT_TO_NOTHING)
    saved = listed(run)
    last = f"the last good checkpoint is {saved[-1].name}" if saved else "nothing had been saved before"
    return CheckpointError(
        f"{'the disk is full' if full else f'a file could not be read or written ({cause})'}; {last}",
        where=str(run),
        remedy=f"{'free some space' if full else 'mend the cause'}, then `sparring resume {run}`",
    )


def _fingerprint(file: Path) -> dict[str, Any]:
    with file.open("rb") as stream:
        return {"size": file.stat().st_size, "sha256": hashlib.file_digest(stream, "sha256").hexdigest()}


def _flush(folder: Path) -> None:
    """Have the operating system write a folder to the disk, so that a rename never precedes its contents."""
    for path in [*folder.iterdir(), folder]:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _damaged(path: Path, why: str) -> CheckpointError:
    return CheckpointError(
        f"the checkpoint is damaged: {why}",
        where=str(path),
        remedy="delete this checkpoint's folder to resume from the one before it",
    )
