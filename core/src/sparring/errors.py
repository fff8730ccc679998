"""Errors that a user can act on: what is wrong, where, and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class SparringError(Exception):
    """A mistake with a remedy.

    Args:
        what: What is wrong, as one sentence.
        where: The place: a recipe path such as ``stages.1.terms.0.every``, a file, a plugin.
        remedy: What to do about it.
    """

    def __init__(self, what: str, *, where: str = "", remedy: str = "") -> None:
        self.what, self.where, self.remedy = what, where, remedy
        super().__init__(what)

    def __str__(self) -> str:
        lines = [self.what]
        if self.where:
            lines.append(f"  where: {self.where}")
        if self.remedy:
            lines.append(f"  what to do: {self.remedy}")
        return "\n".join(lines)


class Problem(NamedTuple):
    """One mistake of a recipe, with its place and its remedy."""

    where: str
    what: str
    remedy: str = ""


class RecipeError(SparringError):
    """Every mistake of a recipe at once."""

    def __init__(self, problems: Sequence[Problem], *, recipe: str = "the recipe") -> None:
        self.problems = tuple(problems)
        count = len(self.problems)
        super().__init__(f"{recipe} has {count} mistake{'s' if count != 1 else ''}")

    def __str__(self) -> str:
        lines = [f"{self.what}:"]
        for problem in self.problems:
            lines.append(f"  {problem.where}: {problem.what}")
            if problem.remedy:
                lines.append(f"    what to do: {problem.remedy}")
        return "\n".join(lines)


class PluginError(SparringError):
    """A plugin that is broken, missing, disabled or in conflict with another."""


class DataError(SparringError):
    """Data that cannot be read or does not fit."""


class CheckpointError(SparringError):
    """A run folder, checkpoint or weight file that cannot be used."""


class TrainingError(SparringError):
    """Training that had to stop: a value that is not finite, or a component that broke its contract."""
