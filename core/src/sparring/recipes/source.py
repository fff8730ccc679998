"""Find a recipe, override parts of it, and resolve it into the form that a run keeps."""

from __future__ import annotations

import copy
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
LARGEST = 100_000  # values in a recipe: aliases of aliases unfold a few lines into billions
_HEAD = re.compile(r"^(?:summary|needs):.*(?:\n(?:[ \t]+.*|- .*|[ \t]*$))*", re.MULTILINE)


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


class Dumper(yaml.SafeDumper):
    """Writes what ``Loader`` reads back: a text such as ``1e5`` gets its quotes. Nothing is written as an alias."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write a value that occurs twice twice."""
        return True


for _ours, _theirs in ((Loader, yaml.SafeLoader), (Dumper, yaml.SafeDumper)):
    # A copy, so that PyYAML's own classes stay as they are.
    _ours.yaml_implicit_resolvers = {key: list(value) for key, value in _theirs.yaml_implicit_resolvers.items()}
    _ours.add_implicit_resolver(
        "tag:yaml.org,2002:float", re.compile(r"^[-+]?(?:\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+0123456789.")
    )


class Listed:
    """A recipe that an installed package brings, as a listing shows it."""

    def __init__(self, name: str, path: Path, package: str) -> None:
        self.name, self.path, self.package = name, path, package

    def as_row(self) -> dict[str, Any]:
        """Return name, summary and needs, read from the file's head."""
        head: dict[str, Any] = {}
        try:
            # These two alone: reading the whole of every recipe would take a listing too long.
            blocks = _HEAD.findall(self.path.read_text(encoding="utf-8"))
            head = yaml.load("\n".join(blocks), Loader) or {}
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as cause:
            head["summary"] = f"(cannot be read: {type(cause).__name__})"
        return {
            "name": self.name,
            "summary": " ".join(str(head.get("summary") or "").split()),
            "needs": [str(need) for need in head.get("needs") or []],
            "package": self.package,
            "path": str(self.path),
        }


def installed() -> list[Listed]:
    """List the recipes of every installed recipe package, importing nothing but those packages' names."""
    found: dict[Path, Listed] = {}
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        for folder in _folders(point):
            for path in sorted(folder.rglob("*.yaml")):
                name = path.relative_to(folder).with_suffix("").as_posix()
                # By path: an editable install may be found twice.
                found.setdefault(path, Listed(name, path, point.dist.name if point.dist else point.value))
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
    known = installed()
    named = [listed for listed in known if listed.name == name]
    if len(named) > 1:
        packages = " and ".join(sorted(listed.package for listed in named))
        raise SparringError(
            f"the recipe '{name}' is claimed by {packages}", remedy="give the path of the one that you mean, as a file"
        )
    if named:
        return named[0].path
    names = [listed.name for listed in known]
    near = difflib.get_close_matches(name, names, 1) or [other for other in names if other.endswith(f"/{name}")]
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
        too_large = _count(values, LARGEST) < 0
    except UnicodeDecodeError as cause:
        raise SparringError("the recipe is not UTF-8 text", where=str(path), remedy="save it as UTF-8") from cause
    except OSError as cause:
        raise SparringError(f"the recipe cannot be read: {cause.strerror}", where=str(path)) from cause
    except yaml.YAMLError as cause:
        mark = getattr(cause, "problem_mark", None)
        place = f"{path}, line {mark.line + 1}, column {mark.column + 1}" if mark else str(path)
        problem = getattr(cause, "problem", None) or str(cause)
        raise SparringError(f"the recipe is not YAML: {problem}", where=place, remedy="mend the line") from cause
    except (RecursionError, ValueError) as cause:  # ValueError: a date such as 2024-13-45
        raise SparringError(f"the recipe is not YAML: {cause}", where=str(path), remedy="mend the file") from cause
    if not isinstance(values, dict):
        raise SparringError("a recipe is a mapping of keys to values", where=str(path), remedy="see `sparring schema`")
    if too_large:
        raise SparringError(
            f"the recipe unfolds to more than {LARGEST:,} values", where=str(path), remedy="use fewer aliases (`*name`)"
        )
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
    changed: dict[str, Any] = copy.deepcopy(values)
    problems: list[Problem] = []
    for assignment in overrides:
        path, equals, text = assignment.partition("=")
        if not equals or not path:
            problems.append(Problem(assignment, "is not an override", "write key.path=value, as in stages.0.steps=100"))
            continue
        try:
            value = yaml.load(text, Loader) if text else None
        except yaml.YAMLError as cause:
            found = f"its value is not YAML: {text} ({getattr(cause, 'problem', cause)})"
            problems.append(Problem(path, found, "write a number, a word, [a list] or {a: mapping}"))
            continue
        problem = _assign(changed, path, value, add=relative and text.startswith("+"))
        if problem:
            problems.append(problem)
    if problems:
        raise RecipeError(problems, recipe="the command line")
    return changed


def dump(values: dict[str, Any]) -> str:
    """Write a recipe's plain values as YAML."""
    return yaml.dump(values, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=110)


def _folders(point: EntryPoint) -> list[Path]:
    try:
        spec = find_spec(point.module)
    except Exception:  # the parent of a nested package is imported, and may fail in any way
        return []
    return [Path(location) for location in spec.submodule_search_locations or []] if spec else []


def _assign(holder: Any, path: str, value: Any, *, add: bool, done: str = "") -> Problem | None:
    """Set what a path leads to; ``done`` is the part of it that led to the holder."""
    if isinstance(holder, list):
        step = path.partition(".")[0]
        place = f"{done}.{step}".strip(".")
        if not step.isdecimal() or int(step) >= len(holder):
            remedy = f"use 0 to {len(holder) - 1}" if holder else "the list is empty"
            return Problem(place, f"there is no item '{step}'", remedy)
        key: Any = int(step)
    elif isinstance(holder, dict):
        # Some keys have dots themselves, such as the paths of schedules: the longest that is there is meant.
        known = [str(key) for key in holder if f"{path}.".startswith(f"{key}.")]
        key = step = max(known, key=len, default=path.partition(".")[0])
        place = f"{done}.{step}".strip(".")
    else:
        return Problem(f"{done}.{path}", f"'{done}' is a single value, without parts", "shorten the path")
    rest = path[len(step) + 1 :]
    if rest:
        inner = holder[key] if isinstance(holder, list) else holder.setdefault(key, {})
        return _assign(inner, rest, value, add=add, done=place)
    if add:
        before = holder[key] if isinstance(holder, list) else holder.get(key)
        if not isinstance(before, (int, float)) or not isinstance(value, (int, float)):
            return Problem(place, f"cannot add {value!r} to {before!r}", "give a number")
        value = before + value
    holder[key] = value
    return None


def _count(value: Any, budget: int) -> int:
    """Return what is left of a budget after counting a value and its parts; below zero it stops."""
    budget -= 1
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        if budget < 0:
            break
        budget = _count(part, budget)
    return budget
