"""The JSON schema of recipes, with the names and options of the components that are installed.

Written in the words of draft 7 (``if``/``then``), which editors know best.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, PydanticInvalidForJsonSchema, PydanticSchemaGenerationError

from sparring.errors import SparringError
from sparring.plugins.component import KINDS, Component
from sparring.plugins.options import component_kind, handed, options_model, parameters_of
from sparring.plugins.registry import Registry
from sparring.recipes.check import NETWORK_KINDS
from sparring.recipes.schema import CallbackSpec, NetworkSpec, OptimizerSpec, Recipe, TermSpec

Schema = dict[str, Any]

PLAIN = "ComponentSpec"  # what pydantic calls the definition that any component fits
DEFINITIONS = "#/$defs/"
PLACES = {
    ("Recipe", "data"): "data",
    ("Recipe", "trainer"): "trainer",
    ("StageSpec", "objective"): "objective",
    ("StageSpec", "data"): "data",
    ("StageSpec", "schedules"): "schedule",
    ("StageSpec", "constraints"): "constraint",
    ("Evaluate", "metrics"): "metric",
    ("NetworkSpec", "init"): "initializer",
}
"""Where a recipe takes any component by its type, and which kind is meant there."""

SPECIFIC: dict[str, tuple[type[BaseModel], tuple[str, ...]]] = {
    "CallbackSpec": (CallbackSpec, ("callback",)),
    "NetworkSpec": (NetworkSpec, NETWORK_KINDS),
    "OptimizerSpec": (OptimizerSpec, ("optimizer",)),
    "TermSpec": (TermSpec, ("term",)),
}
"""The specifications that add keys of their own to ``use:`` and the options."""


def recipe_schema(registry: Registry) -> Schema:
    """Return the schema of a recipe, for the components of the registry's loaded plugins."""
    schema = Recipe.model_json_schema(by_alias=True)
    definitions: dict[str, Schema] = schema["$defs"]
    schema["$schema"] = "http://json-schema.org/draft-07/schema#"
    schema["title"] = "A recipe of Sparring"
    for (owner, key), kind in PLACES.items():
        properties = schema["properties"] if owner == "Recipe" else definitions[owner]["properties"]
        properties[key] = _pointed(properties[key], kind)
    for kind in KINDS:
        definitions[_name(kind)] = _one_of(registry, (kind,), {}, definitions)
        names = [component.name for component in registry.components(kind)]
        definitions[f"{_name(kind)}.name"] = {"type": "string", "enum": names} if names else {"type": "string"}
    for definition, (_, kinds) in SPECIFIC.items():
        own = definitions[definition]["properties"]
        own.pop("use", None)
        summary = definitions[definition].get("description", "")
        definitions[definition] = {"description": summary, **_one_of(registry, kinds, own, definitions)}
    return schema


def _one_of(registry: Registry, kinds: tuple[str, ...], own: Schema, definitions: dict[str, Schema]) -> Schema:
    """Return the schema of a component of some kinds: its name decides which options it takes."""
    components = [component for kind in kinds for component in registry.components(kind)]
    names = list(dict.fromkeys(component.name for component in components))
    use: Schema = {"type": "string", "description": f"Which {' or '.join(kinds)}."}
    if names:
        use["enum"] = names
    branches = []
    for name in names:
        alike = [component for component in components if component.name == name]
        options = [_options(component, own, definitions) for component in alike]
        if all(option is not None for option in options):
            then = options[0] if len(options) == 1 else {"anyOf": options}
            branches.append({"if": {"properties": {"use": {"const": name}}}, "then": then})
    schema: Schema = {"type": "object", "required": ["use"], "properties": {"use": use, **own}}
    return {**schema, "allOf": branches} if branches else schema


def _options(component: Component, own: Schema, definitions: dict[str, Schema]) -> Schema | None:
    """Return the schema of one component's options, or None where its signature cannot be written as one."""
    try:
        target = component.load()
        schema = options_model(target, component.kind).model_json_schema(ref_template=DEFINITIONS + "{model}")
    except (SparringError, PydanticInvalidForJsonSchema, PydanticSchemaGenerationError):
        return None
    for name, definition in schema.pop("$defs", {}).items():
        definitions.setdefault(name, definition)
    properties: Schema = schema.get("properties", {})
    for parameter in parameters_of(target):
        inner = component_kind(parameter.annotation)
        if inner and parameter.name not in handed(component.kind):
            properties[parameter.name] = _pointed(properties[parameter.name], inner)
    summary = {"description": component.summary} if component.summary else {}
    return {
        **summary,
        "properties": {"use": True, **dict.fromkeys(own, True), **properties},
        "required": schema.get("required", []),
        "additionalProperties": False,
    }


def _pointed(schema: Any, kind: str) -> Any:
    """Return a schema whose references to any component, and the names beside them, are to one kind."""
    if isinstance(schema, list):
        return [_pointed(part, kind) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("$ref") == DEFINITIONS + PLAIN:
        return {**schema, "$ref": DEFINITIONS + _name(kind)}
    changed = {key: _pointed(part, kind) for key, part in schema.items()}
    if "anyOf" in changed:
        changed["anyOf"] = [
            {"$ref": f"{DEFINITIONS}{_name(kind)}.name"} if part == {"type": "string"} else part
            for part in changed["anyOf"]
        ]
    return changed


def _name(kind: str) -> str:
    return f"component.{kind}"
