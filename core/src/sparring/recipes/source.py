"""Find a recipe, override parts of it, and resolve it into the form that a run keeps."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

from sparring.errors import Problem, RecipeError, SparringError

GROUP = "sparring.recipes"


class Loader(yaml.SafeLoader):
    """YAML without surprises: ``1e-3`` is a number, and a key that is written twice is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Build a mapping, refusing duplicate keys."""
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, (str, int)) and key in seen:
                mark = key_node.start_mark
                raise yaml.MarkedYAMLError(problem=f"the key '{key}' is written twice", problem_mark=mark)
            if isinstance(key, (str, int)):
                seen.add(key)
        return super().construct_mapping(node, deep)


# A copy, so that PyYAML's own loader stays as it is.
Loader.yaml_implicit_resolvers = {key: list(value) for key, value in yaml.SafeLoader.yaml_implicit_resolvers.items()}
Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(?:\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+0123456789.")
)


class Listed:
    """A recipe that an installed package brings, as a listing shows it."""

    def __init__(self, name: str, path: Path, package: str) -> None:
        self.name, self.path, self.package = name, path, package

    def as_row(self) -> dict[str, Any]:
        """Return name, summary and needs, read from the file's head."""
        text = self.path.read_text(encoding="utf-8")
        summary = re.search(r"^summary:\s*(.+)$", text, re.MULTILINE)
        needs = re.search(r"^needs:\s*\[(.*)\]", text, re.MULTILINE)
        return {
            "name": self.name,
            "summary": summary.group(1).strip().strip("\"'") if summary else "",
            "needs": [part.strip() for part in needs.group(1).split(",") if part.strip()] if needs else [],
            "package": self.package,
            "path": str(self.path),
        }


def installed() -> list[Listed]:
    """List the recipes of every installed recipe package, importing nothing but those packages' names."""
    found: dict[str, Listed] = {}
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        for folder in _folders(point):
            for path in sorted(folder.rglob("*.yaml")):
                name = path.relative_to(folder).with_suffix("").as_posix()
                found.setdefault(name, Listed(name, path, point.dist.name if point.dist else point.value))
    return sorted(found.values(), key=lambda listed: listed.name)


def find(name: str) -> Path:
    """Return the file of a recipe: a path, or the name of an installed one.

    Raises:
        SparringError: There is no such recipe; the message says what comes near.
    """
    path = Path(name)
    if path.suffix in (".yaml", ".yml"):
        if path.is_file():
            return path
        raise SparringError(
            f"there is no recipe file '{name}'", remedy="check the path, or `sparring recipes` for names"
        )
    names = {listed.name: listed.path for listed in installed()}
    if name in names:
        return names[name]
    near = difflib.get_close_matches(name, list(names), 1) or [known for known in names if known.endswith(f"/{name}")]
    hint = f"; did you mean '{near[0]}'?" if near else ""
    raise SparringError(
        f"there is no recipe '{name}'{hint}", remedy="`sparring recipes` lists them; or give a .yaml file"
    )


def read(path: Path) -> dict[str, Any]:
    """Read a recipe's plain values from a file.

    Raises:
        SparringError: The file is not YAML, or not a mapping; the place in the file is named.
    """
    try:
        values = yaml.load(path.read_text(encoding="utf-8"), Loader)
    except UnicodeDecodeError as cause:
        raise SparringError("the recipe is not UTF-8 text", where=str(path), remedy="save it as UTF-8") from cause
    except OSError as cause:
        raise SparringError(f"the recipe cannot be read: {cause.strerror}", where=str(path)) from cause
    except yaml.YAMLError as cause:
        mark = getattr(cause, "problem_mark", None)
        place = f"{path}, line {mark.line + 1}, column {mark.column + 1}" if mark else str(path)
        problem = getattr(cause, "problem", None) or str(cause)
        raise SparringError(f"the recipe is not YAML: {problem}", where=place, remedy="mend the line") from cause
    if not isinstance(values, dict):
        raise SparringError("a recipe is a mapping of keys to values", where=str(path), remedy="see `sparring schema`")
    return values


def override(values: dict[str, Any], overrides: Sequence[str], *, relative: bool = False) -> dict[str, Any]:
    """Return the values with ``key.path=value`` changes applied.

    Args:
        values: A recipe's plain values; left as they are.
        overrides: Assignments such as ``stages.0.steps=100``; the value is YAML.
        relative: Whether ``+5000`` adds to a number, as extending a run does.

    Raises:
        RecipeError: An assignment has no ``=``, or its path leads nowhere; all are reported at once.
    """
    changed: dict[str, Any] = yaml.safe_load(yaml.safe_dump(values))
    problems: list[Problem] = []
    for assignment in overrides:
        path, equals, text = assignment.partition("=")
        if not equals or not path:
            problems.append(Problem(assignment, "is not an override", "write key.path=value, as in stages.0.steps=100"))
            continue
        try:
            value = yaml.load(text, Loader) if text else None
        except yaml.YAMLError as cause:
            problems.append(Problem(path, f"its value is not YAML: {text} ({getattr(cause, 'problem', cause)})"))
            continue
        problem = _assign(changed, path, value, add=relative and text.startswith("+"))
        if problem:
            problems.append(problem)
    if problems:
        raise RecipeError(problems, recipe="the command line")
    return changed


def dump(values: dict[str, Any]) -> str:
    """Write a recipe's plain values as YAML."""
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=110)


def _folders(point: EntryPoint) -> list[Path]:
    try:
        spec = find_spec(point.value)
    except (ImportError, ValueError):
        return []
    return [Path(location) for location in spec.submodule_search_locations or []] if spec else []


def _assign(values: dict[str, Any], path: str, value: Any, *, add: bool) -> Problem | None:
    holder: Any = values
    steps = path.split(".")
    for depth, step in enumerate(steps):
        place = ".".join(steps[: depth + 1])
        last = depth == len(steps) - 1
        if isinstance(holder, list):
            if not step.isdigit() or int(step) >= len(holder):
                return Problem(place, f"there is no item '{step}'", f"use 0 to {len(holder) - 1}")
            key: Any = int(step)
        elif isinstance(holder, dict):
            key = step
            if not last and key not in holder:
                holder[key] = {}
        else:
            return Problem(place, f"'{'.'.join(steps[:depth])}' is a single value, without parts", "shorten the path")
        if not last:
            holder = holder[key]
            continue
        if add:
            before = holder[key] if isinstance(holder, list) else holder.get(key)
            if not isinstance(before, (int, float)) or not isinstance(value, (int, float)):
                return Problem(place, f"cannot add {value!r} to {before!r}", "give a number")
            value = before + value
        holder[key] = value
    return None
