"""Fit tensors from one network into another whose names, classes or sizes differ."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

SHOWN = 6  # names in a sentence


@dataclass
class Fitted:
    """What one network's tensors are to another.

    Attributes:
        values: What is to be loaded, by the names here.
        resized: Sentences about tensors of another size, of which a part was taken.
        missing: Names here that nothing there is for, or nothing of a size that fits.
        surplus: Names there that have no place here.
    """

    values: dict[str, Tensor] = field(default_factory=dict)
    resized: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    surplus: list[str] = field(default_factory=list)


def rename(tensors: Mapping[str, Tensor], prefixes: Mapping[str, str]) -> dict[str, Tensor]:
    """Replace the beginnings of names; the first of the prefixes that fits a name is taken.

    A prefix is one or more whole parts of a name: ``main.3`` fits ``main.3.weight`` and not ``main.30.weight``. The
    empty one fits every name; an empty replacement leaves the prefix out.
    """
    return {_renamed(name, prefixes): value for name, value in tensors.items()}


def _renamed(name: str, prefixes: Mapping[str, str]) -> str:
    for prefix, replacement in prefixes.items():
        if prefix == "":
            return f"{replacement}.{name}" if replacement else name
        if name == prefix or name.startswith(f"{prefix}."):
            return f"{replacement}{name.removeprefix(prefix)}".lstrip(".")
    return name


def fit(
    theirs: Mapping[str, Tensor],
    ours: Mapping[str, Tensor],
    *,
    tables: Collection[str] = (),
    classes: tuple[Sequence[str], Sequence[str]] | None = None,
) -> Fitted:
    """Say which tensors are to be loaded, and from what.

    Where the size differs along one dimension, the leading part that both have is taken; where that dimension counts
    the classes and both runs know their names, each class takes the part of its namesake.

    Args:
        theirs: The tensors of the source.
        ours: The tensors here.
        tables: The names here of tables with a row a class.
        classes: The classes' names there and here.
    """
    found = Fitted(surplus=sorted(set(theirs) - set(ours)))
    for name, mine in ours.items():
        if name not in theirs:
            found.missing.append(name)
            continue
        value = theirs[name]
        differing = [
            dim for dim in range(mine.dim()) if value.dim() == mine.dim() and value.shape[dim] != mine.shape[dim]
        ]
        along = differing[0] if len(differing) == 1 else 0 if value.shape == mine.shape and name in tables else None
        if value.shape == mine.shape and (along is None or not _namesakes(classes, value, mine, along)):
            found.values[name] = value
        elif along is None:
            found.missing.append(name)
        else:
            found.values[name], said = _part(value, mine, along, classes)
            found.resized.append(f"{name} {said}")
    found.missing.sort()
    return found


def _part(
    value: Tensor, mine: Tensor, along: int, classes: tuple[Sequence[str], Sequence[str]] | None
) -> tuple[Tensor, str]:
    """Return what is here, with the part that fits from there in its place, and say which."""
    pairs = _namesakes(classes, value, mine, along)
    if pairs:
        there, here = (torch.tensor(places) for places in zip(*pairs, strict=True))
        how = "by the classes' names"
    else:
        there = here = torch.arange(min(value.shape[along], mine.shape[along]))
        how = "by position"
    taken = mine.detach().cpu().clone()
    taken.index_copy_(along, here, value.to(taken.dtype).index_select(along, there))
    return taken, f"({len(here)} of {mine.shape[along]} {how}, from {value.shape[along]} there)"


def _namesakes(
    classes: tuple[Sequence[str], Sequence[str]] | None, value: Tensor, mine: Tensor, along: int
) -> list[tuple[int, int]]:
    """Return the places there and here of classes of one name, where a dimension counts the classes."""
    if classes is None or (value.shape[along], mine.shape[along]) != (len(classes[0]), len(classes[1])):
        return []
    there, here = classes
    return (
        [] if list(there) == list(here) else [(there.index(name), here.index(name)) for name in here if name in there]
    )


def listed(names: Sequence[str]) -> str:
    """Join names, of which there may be too many to read."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
