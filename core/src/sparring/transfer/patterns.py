"""Patterns of names, by which a recipe names parts of a network: ``blocks.0.*`` is all of its first block."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from torch import nn

from sparring.errors import SparringError


def matches(name: str, patterns: Sequence[str]) -> bool:
    """Say whether a name fits one of some patterns, in which ``*`` stands for any text, dots included."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def parameters_named(
    network: nn.Module, pattern: str, role: str, *, where: str, error: type[SparringError]
) -> dict[str, nn.Parameter]:
    """Return the parameters that a pattern names.

    Args:
        network: The network.
        pattern: The pattern.
        role: The network's role, for the message.
        where: The recipe path, for the message.
        error: What is raised where it names none.
    """
    chosen = {name: parameter for name, parameter in network.named_parameters() if matches(name, [pattern])}
    if not chosen:
        names = ", ".join(name for name, _ in network.named_parameters())
        raise error(
            f"the pattern '{pattern}' names no parameter of '{role}'", where=where, remedy=f"its parameters: {names}"
        )
    return chosen
