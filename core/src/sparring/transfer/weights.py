"""Start a network from the weights of another run, or published ones, and freeze parts of it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from torch import nn

from sparring.errors import CheckpointError
from sparring.recipes.schema import InitializeFrom
from sparring.transfer.fitting import Fitted, fit, listed, rename
from sparring.transfer.patterns import parameters_named
from sparring.transfer.source import Source, read_source


def initialize_from(
    network: nn.Module, spec: InitializeFrom, role: str, *, where: str, classes: Sequence[str] | None = None
) -> list[str]:
    """Load weights into a network and freeze what the patterns name.

    Args:
        network: The network, changed in place.
        spec: What the recipe says under ``init``.
        role: The network's role, read in the other run unless the recipe names another.
        where: The recipe path, for messages.
        classes: The names of the classes of this run, where it has labels.

    Returns:
        Sentences that say what was loaded, skipped, resized and frozen.

    Raises:
        CheckpointError: The weights are missing or do not fit.
    """
    source = read_source(spec.from_, role, spec.network, where=where)
    theirs, ours = rename(source.tensors, spec.rename), network.state_dict()
    names = None if classes is None or source.classes is None else (source.classes, tuple(classes))
    found = fit(theirs, ours, tables=_tables(network), classes=names)
    if spec.strict:
        misfits = [name for name in ours if name in theirs and ours[name].shape != theirs[name].shape]
        _check_strict(found, misfits, role, where)
    if not found.values:
        raise CheckpointError(
            f"nothing in {source.file} fits the network '{role}'",
            where=where,
            remedy=f"name another file, or its names with `rename`; there: {listed(list(theirs))}; here: "
            f"{listed(list(ours))}",
        )
    try:
        network.load_state_dict(found.values, strict=False)
    except RuntimeError as cause:  # such as a frozen part that another file is for
        details = "; ".join(line.strip() for line in str(cause).splitlines()[1:4])
        raise CheckpointError(
            f"the weights do not fit the network '{role}': {details}",
            where=where,
            remedy="build the network with what the source was trained with",
        ) from cause
    return _notes(role, source, found, len(ours), names) + freeze_as(network, spec, role, where=where)


def freeze_as(network: nn.Module, spec: InitializeFrom, role: str, *, where: str) -> list[str]:
    """Keep the parameters that the patterns name as they are, whatever the updates do.

    Raises:
        CheckpointError: A pattern names no parameter.
    """
    notes = []
    for pattern in spec.freeze:
        chosen = parameters_named(network, pattern, role, where=where, error=CheckpointError)
        for parameter in chosen.values():
            parameter.requires_grad_(False)
        notes.append(f"{role}: {len(chosen)} parameters frozen by '{pattern}'")
    return notes


def _check_strict(found: Fitted, misfits: Sequence[str], role: str, where: str) -> None:
    missing, surplus = sorted({*found.missing, *misfits}), sorted({*found.surplus, *misfits})
    if missing or surplus:
        raise CheckpointError(
            f"the weights do not fit the network '{role}': {len(missing)} of its tensors are missing there or have "
            f"another shape ({', '.join(missing[:3])}), and {len(surplus)} there have no place here "
            f"({', '.join(surplus[:3])})",
            where=where,
            remedy="use the same network, give its names with `rename`, or `strict: false` to load what fits",
        )


def _tables(network: nn.Module) -> set[str]:
    """Return the names of all embeddings' weights, which may have a row a class."""
    modules = {name: module for name, module in network.named_modules() if isinstance(module, nn.Embedding)}
    inside = ("weight", "parametrizations.weight.original")
    return {f"{name}.{end}" for name in modules for end in inside}


def _notes(
    role: str, source: Source, found: Fitted, count: int, names: tuple[Sequence[str], Sequence[str]] | None
) -> list[str]:
    notes = [f"{role}: {len(found.values)} of {count} tensors loaded from {source.file} (SHA-256 {_hash(source.file)})"]
    if found.missing:
        notes.append(f"{role}: these keep their first values: {listed(found.missing)}")
    if found.resized:
        notes.append(f"{role}: these differ in size or classes, and take what fits: {listed(found.resized)}")
    if found.surplus:
        notes.append(f"{role}: these have no place here: {listed(found.surplus)}")
    if names is not None and not set(names[0]) & set(names[1]):
        notes.append(
            f"{role}: the classes there ({listed(names[0])}) are others than here ({listed(names[1])}); what "
            "belongs to a class passes on by position"
        )
    return notes


def _hash(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:16]
