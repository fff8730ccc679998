"""The reference pages of what a recipe may say: its keys, and the components that it may name."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from docstrings import NOTICE, parts_of, prose_of, table, type_name
from pydantic import BaseModel

from sparring.plugins.component import KINDS, Component
from sparring.plugins.options import handed, parameters_of
from sparring.plugins.registry import Registry
from sparring.recipes import schema

PLUGINS = ("core", "image", "audio", "text")
"""Whose components are listed. A plugin is added here, and to the text of the page, once its components ship."""

# ---- recipe.md ----

MODELS: tuple[tuple[str, str, type[BaseModel]], ...] = (
    ("Top level", "", schema.Recipe),
    ("Networks", "networks.ROLE", schema.NetworkSpec),
    ("Weights from another run", "networks.ROLE.init", schema.InitializeFrom),
    ("Stages", "stages.N", schema.StageSpec),
    ("Terms", "stages.N.terms.N", schema.TermSpec),
    ("Optimisers", "stages.N.optimizers.ROLE", schema.OptimizerSpec),
    ("Moving averages", "stages.N.ema.ROLE", schema.Average),
    ("Evaluation", "evaluate", schema.Evaluate),
    ("Checkpoints", "checkpoint", schema.Checkpoint),
    ("Keeping the best", "checkpoint.keep", schema.Best),
    ("Samples", "samples", schema.Samples),
    ("Logging", "log", schema.Log),
    ("Callbacks", "callbacks.N", schema.CallbackSpec),
)

# What the schema leaves to the reader, because it is plain to whoever reads the code.

RECIPE_PAGE = f"""{NOTICE}

# Recipe

A recipe is a YAML file. `sparring check FILE` reports all of its mistakes at once, each with its place.
`sparring schema` prints the same rules as a JSON schema, with the components that are installed, for completion in an
editor.

Wherever a component is expected, write `{{use: NAME, option: value}}`. Where an option of a component is itself a
component, such as the `loss` of `adversarial`, its name alone will do. [Components](components.md) lists them all.

Numbers such as `1e-3` are numbers, a key that is written twice is a mistake, and nothing in a recipe is ever imported
or executed.

## Overrides

The command line and `sparring.train` take changes as `key.path=value`. Items of lists are numbered from 0, and the
value is YAML:

```console
$ sparring run points/ring stages.0.steps=500 stages.0.terms.0.gamma=0.5 seed=3
$ sparring show points/ring 'evaluate=null' 'log={{every: 10}}'
```

`sparring resume` also takes `+`: `stages.0.steps=+1000` makes a stage longer.

## Which network a name means

One name may stand for a generator and for its discriminator: `image/dcgan` is both, and so is `mlp`. A role with
`generator` in it then means the generator, one with `discriminator` or `critic` in it the discriminator. Other roles
need the key `kind`.

A network that is handed the data's space takes that of the samples. `space: conditions.NAME` hands it another.

## Paths of schedules

| path | what it sets |
| --- | --- |
| `optimizers.ROLE.lr` | a number of an optimiser's parameter groups |
| `terms.NAME.weight` | a term's weight |
| `terms.NAME.OPTION` | a number among a term's attributes |
| `objective.OPTION` | a number among the objective's attributes |

A schedule's step counts from the start of its stage.
"""


def recipe_page() -> str:
    """Return the page of recipe keys."""
    parts = [RECIPE_PAGE]
    for title, path, model in MODELS:
        parts.append(f"## {title}")
        parts.append((f"At `{path}`. " if path else "") + prose_of(model))
        parts.append(table(("key", "type", "default", "meaning"), _keys(model)))
        if (model.model_config.get("extra")) == "allow":
            parts.append("Every other key is an option of the component.")
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _keys(model: type[BaseModel]) -> Iterator[tuple[str, str, str, str]]:
    shapes = model.model_json_schema(by_alias=True)
    for name, field in model.model_fields.items():
        key = field.alias or name
        said = field.description
        if key == "use":
            said = "The component's name."
        assert said, f"{model.__name__}.{key} is not described: say what it is in the schema"
        default = "required" if field.is_required() else yaml_value(field.get_default(call_default_factory=True))
        yield f"`{key}`", _shape(shapes["properties"][key], shapes), default, said


def _shape(shape: dict[str, Any], root: dict[str, Any]) -> str:
    """Write a JSON schema in a few words."""
    if "$ref" in shape:
        name = shape["$ref"].rsplit("/", 1)[-1]
        known = {model.__name__: title for title, _, model in MODELS}
        return f"[{known[name].lower()}](#{_slug(known[name])})" if name in known else "component"
    if "const" in shape:
        return f"`{shape['const']}`"
    if "enum" in shape:
        return " or ".join(f"`{value}`" for value in shape["enum"])
    for union in ("anyOf", "oneOf"):
        if union in shape:
            words = " or ".join(_shape(part, root) for part in shape[union] if part.get("type") != "null")
            return words.replace("component or text", "component or its name")
    kind = shape.get("type")
    if kind == "array":
        return f"list of {_shape(shape['items'], root)}"
    if kind == "object":
        return f"mapping to {_shape(shape['additionalProperties'], root)}"
    bounds = [f"≥ {shape['minimum']}"] if "minimum" in shape else []
    bounds += [f"> {shape['exclusiveMinimum']:g}"] if "exclusiveMinimum" in shape else []
    words = {"integer": "int", "number": "float", "boolean": "bool", "string": "text"}
    return " ".join([words[str(kind)], *bounds])


def yaml_value(value: Any) -> str:
    """Write a default as a recipe would."""
    if isinstance(value, BaseModel):
        value = value.model_dump()
    text = json.dumps(value, default=str)
    return f"`{text.strip(chr(34)) or text}`"


def _slug(heading: str) -> str:
    return heading.lower().replace(" ", "-")


# ---- components.md ----

COMPONENTS_PAGE = f"""{NOTICE}

# Components

Everything that a recipe may name with `use:`, by kind. Names without a slash come with the core; `image/…` comes with
`sparring-image`. `sparring plugins --components` lists those that are installed, other people's included.

Types and defaults are those of the constructors. A component that takes `space`, `conditions` or `data` is handed the
run's own; they are not listed as options. An option that asks for a component takes its name, or `{{use: NAME, …}}`.
"""

NOTES = {
    "encoder": "What a metric looks through. Quote an encoder's name beside every figure that it gives.",
    "initializer": "Named in `networks.ROLE.init`.",
    "optimizer": "`clip: NORM` beside the options bounds the gradient's norm.",
    "term": "`weight`, `every` and `name` may stand beside the options.",
}


def components(registry: Registry) -> list[Component]:
    """List the components of the official plugins, by kind."""
    for name in PLUGINS:
        registry.plugin(name)
    return sorted(registry.components(), key=lambda one: (KINDS.index(one.kind), "/" in one.name, one.name))


def components_page() -> str:
    """Return the page of components."""
    parts = [COMPONENTS_PAGE]
    found = components(Registry())
    for kind in KINDS:
        alike = [component for component in found if component.kind == kind]
        if alike:
            parts.append(f"## {_plural(kind)}")
            parts += [NOTES[kind]] if kind in NOTES else []
            parts += [part for component in alike for part in _component(component)]
    missing = [kind for kind in KINDS if not any(component.kind == kind for component in found)]
    if missing:
        kinds = ", ".join(f"`{kind}`" for kind in missing)
        parts.append(f"## Kinds without components\n\nPlugins may register these too; none ships yet: {kinds}.")
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _component(component: Component) -> Iterator[str]:
    target = component.load()
    yield f"### {component.kind} `{component.name}`"
    prose = re.sub(r"`docs/(explanation/[\w-]+)\.md`", r"[this page](../\1.md)", prose_of(target))
    if not prose.startswith(component.summary):
        yield f"*{component.summary}.*"
    yield prose
    described = dict(parts_of(target).sections.get("Args", []))
    rows = [
        (
            f"`{parameter.name}`",
            type_name(parameter.annotation),
            "required" if parameter.required else yaml_value(parameter.default),
            described.get(parameter.name, ""),
        )
        for parameter in parameters_of(target)
        if parameter.name not in handed(component.kind)
    ]
    yield table(("option", "type", "default", "meaning"), rows) if rows else "No options."
    given = [f"`{one.name}`" for one in parameters_of(target) if one.name in handed(component.kind)]
    if given and component.kind != "optimizer":
        yield f"It is handed: {', '.join(given)}."


def _plural(kind: str) -> str:
    irregular = {"data": "Data", "loss": "Losses", "initializer": "Initialisers", "optimizer": "Optimisers"}
    return irregular.get(kind, f"{kind.capitalize()}s")
