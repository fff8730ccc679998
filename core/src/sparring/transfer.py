"""Transfer learning: start a network from the weights of another run, and freeze parts of it."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path

from torch import nn

from sparring.errors import CheckpointError
from sparring.recipes.schema import InitializeFrom
from sparring.training.checkpoint import FINAL, read_weights


def initialize_from(network: nn.Module, spec: InitializeFrom, role: str, *, where: str) -> list[str]:
    """Load weights into a network and freeze what the patterns name.

    Args:
        network: The network, changed in place.
        spec: What the recipe says under ``init``.
        role: The network's role, read in the other run unless the recipe names another.
        where: The recipe path, for messages.

    Returns:
        Sentences that say what was loaded, skipped and frozen.

    Raises:
        CheckpointError: The weights are missing or do not fit.
    """
    file = _weight_file(Path(spec.from_), spec.network or role, where)
    theirs = {_renamed(name, spec.rename): value for name, value in read_weights(file).items()}
    ours = network.state_dict()
    fitting = {name: value for name, value in theirs.items() if name in ours and ours[name].shape == value.shape}
    missing = sorted(set(ours) - set(fitting))
    surplus = sorted(set(theirs) - set(fitting))
    if spec.strict and (missing or surplus):
        raise CheckpointError(
            f"the weights do not fit the network '{role}': {len(missing)} of its tensors are missing there or have "
            f"another shape ({', '.join(missing[:3])}), and {len(surplus)} there have no place here "
            f"({', '.join(surplus[:3])})",
            where=where,
            remedy="use the same network, or `strict: false` to load what fits",
        )
    if not fitting:
        raise CheckpointError(f"nothing in {file} fits the network '{role}'", where=where, remedy="name another file")
    network.load_state_dict(fitting, strict=False)
    notes = [f"{role}: {len(fitting)} of {len(ours)} tensors loaded from {file}"]
    if missing:
        notes.append(f"{role}: these keep their first values: {', '.join(missing)}")
    return notes + freeze_as(network, spec, role, where=where)


def freeze_as(network: nn.Module, spec: InitializeFrom, role: str, *, where: str) -> list[str]:
    """Keep the parameters that the patterns name as they are, whatever the updates do.

    Raises:
        CheckpointError: A pattern names no parameter.
    """
    notes = []
    for pattern in spec.freeze:
        chosen = [parameter for name, parameter in network.named_parameters() if fnmatch(name, pattern)]
        if not chosen:
            names = ", ".join(name for name, _ in network.named_parameters())
            raise CheckpointError(
                f"the pattern '{pattern}' names no parameter of '{role}'",
                where=where,
                remedy=f"its parameters: {names}",
            )
        for parameter in chosen:
            parameter.requires_grad_(False)
        notes.append(f"{role}: {len(chosen)} parameters frozen by '{pattern}'")
    return notes


def _renamed(name: str, prefixes: Mapping[str, str]) -> str:
    for theirs, ours in prefixes.items():
        if not theirs or name == theirs or name.startswith(f"{theirs}."):
            return f"{ours}.{name[len(theirs) :].removeprefix('.')}" if ours else name[len(theirs) :].removeprefix(".")
    return name


def _weight_file(source: Path, role: str, where: str) -> Path:
    if source.is_file():
        return source
    file = source / FINAL / f"{role}.safetensors"
    if file.is_file():
        return file
    if not source.exists():
        raise CheckpointError(
            f"'{source}' does not exist", where=where, remedy="name a run's folder or a .safetensors file"
        )
    there = sorted(path.stem for path in (source / FINAL).glob("*.safetensors")) or ["nothing; the run is unfinished"]
    raise CheckpointError(
        f"the run '{source}' has no final weights of '{role}'", where=where, remedy=f"it has: {', '.join(there)}"
    )
