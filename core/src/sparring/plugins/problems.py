"""Turn pydantic's errors into problems: with recipe paths, and what may have been meant."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from sparring.errors import Problem

Location = tuple[int | str, ...]


def problems_of(error: ValidationError, model: type[BaseModel], values: Any, where: str = "") -> list[Problem]:
    """Return one problem for each place that an error names.

    Args:
        error: What pydantic said.
        model: The model that refused.
        values: What it refused; pydantic's locations also name the branches of unions, which are told apart by it.
        where: The recipe path of the values.
    """
    problems = []
    for part in error.errors():
        path = ".".join(_path(part["loc"], values, ends_in_missing_key=part["type"] == "missing"))
        place = ".".join(step for step in (where, path) if step) or "(top)"
        if part["type"] == "extra_forbidden":
            word, known = str(part["loc"][-1]), _known_keys(model, part["loc"])
            remedy = f"use one of: {', '.join(known)}" if known else "remove it"
            problems.append(Problem(place, f"unknown key '{word}'{near(word, known)}", remedy))
        elif part["type"] == "missing":
            problems.append(Problem(place, "is required", "give it a value"))
        else:
            problems.append(Problem(place, f"{_sentence(part['msg'])}, not {_shown(part['input'])}"))
    return _merged(problems)


def near(word: str, known: Sequence[str]) -> str:
    """Return ``; did you mean '…'?`` where a known name comes near, in full or after its slash."""
    full = difflib.get_close_matches(word, known, 1)
    if full:
        return f"; did you mean '{full[0]}'?"
    last = {name.split("/")[-1]: name for name in reversed(known)}
    found = difflib.get_close_matches(word.rsplit("/", maxsplit=1)[-1], list(last), 1)
    return f"; did you mean '{last[found[0]]}'?" if found else ""


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """Return the models within an annotation: its own, or those of its parts."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in models_in(part)]


def _path(location: Location, values: Any, *, ends_in_missing_key: bool) -> list[str]:
    """Return the steps of a location that lead through the values; the others name branches of unions."""
    path = []
    for depth, step in enumerate(location):
        missing = ends_in_missing_key and depth == len(location) - 1
        has_index = isinstance(values, (list, tuple)) and isinstance(step, int) and step < len(values)
        if has_index or (isinstance(values, Mapping) and step in values):
            values = values[step]
        elif not missing:
            continue
        path.append(str(step))
    return path


def _known_keys(model: type[BaseModel], location: Location) -> list[str]:
    """Return the keys that may stand beside the last step of a location."""
    models = [model]
    for step in location[:-1]:
        branch = [one for one in models if one.__name__ == step]
        fields = [field for one in models for name, field in one.model_fields.items() if step in (name, field.alias)]
        inner = [found for field in fields for found in models_in(field.annotation)]
        # An index, or the key of a mapping such as a network's role, leads to no other model.
        models = branch or inner or models
    return [field.alias or name for one in models for name, field in one.model_fields.items()]


def _merged(problems: Sequence[Problem]) -> list[Problem]:
    """Join the branches of a union into one problem a place."""
    places: dict[str, Problem] = {}
    for problem in problems:
        before = places.get(problem.where)
        if before is None:
            places[problem.where] = problem
        elif problem.what not in before.what:
            places[problem.where] = before._replace(what=f"{before.what}; or {problem.what}")
    return list(places.values())


def _sentence(message: str) -> str:
    sentence = message.removeprefix("Input ").replace("valid ", "").strip().rstrip(".")
    sentence = re.sub(r"a dictionary or instance of \w+|a dictionary", "a mapping", sentence)
    return sentence.replace("a integer", "an integer")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
