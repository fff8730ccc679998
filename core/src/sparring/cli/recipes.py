"""Commands on recipes: list, show, copy, check, and the schema for editors."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sparring.cli import output
from sparring.errors import Problem, RecipeError, SparringError
from sparring.recipes import source

if TYPE_CHECKING:
    from sparring.plugins.registry import Registry
    from sparring.recipes.schema import Recipe


def complete_name(incomplete: str) -> list[str]:
    """Return the recipe names that a shell may complete to."""
    return [listed.name for listed in source.installed() if listed.name.startswith(incomplete)]


RecipeName = Annotated[
    str,
    typer.Argument(
        metavar="RECIPE", help="A recipe's name, or the path of a .yaml file.", autocompletion=complete_name
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="KEY=VALUE", help="Changes to the recipe, such as `stages.0.steps=100`."),
]
PluginFiles = Annotated[
    list[Path] | None,
    typer.Option("--plugin", metavar="FILE", help="A plugin in one Python file; may be given several times."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def list_recipes(as_json: AsJson = False) -> None:
    """List the recipes that are installed."""
    rows = [listed.as_row() for listed in source.installed()]
    if as_json:
        output.write_json(rows)
    elif rows:
        output.write_table(("recipe", "summary"), [(row["name"], row["summary"]) for row in rows])
    else:
        output.tell("no recipes are installed; `pip install sparring-recipes` brings some")


def show(name: RecipeName, overrides: Overrides = None, plugin: PluginFiles = None, as_json: AsJson = False) -> None:
    """Show a recipe as it would be trained: overrides applied, defaults written in."""
    recipe, _ = resolve(name, overrides or (), plugin or ())
    if as_json:
        output.write_json(recipe.dump())
    else:
        output.write(source.dump(recipe.dump()).rstrip())


def copy(
    name: RecipeName, file: Annotated[Path, typer.Argument(help="The new file, ending in .yaml; never overwritten.")]
) -> None:
    """Copy a recipe to a file of your own, comments included."""
    original = source.find(name)
    if file.suffix not in (".yaml", ".yml"):
        raise SparringError(
            f"a recipe's file ends in .yaml, and '{file}' does not",
            remedy=f"sparring copy {name} {file / original.name if file.is_dir() else file.with_suffix('.yaml')}",
        )
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8") as copied:
            copied.write(original.read_text(encoding="utf-8"))
    except FileExistsError as cause:
        raise SparringError(
            f"'{file}' exists and is left as it is", where=str(file), remedy="give another name, or remove the file"
        ) from cause
    except OSError as cause:
        raise SparringError(f"the recipe cannot be written: {cause.strerror}", where=str(file)) from cause
    output.tell(f"copied '{name}' to {file}; `sparring check {file}` checks it, `sparring run {file}` trains it")


def check(
    name: RecipeName,
    overrides: Overrides = None,
    try_out: Annotated[
        bool, typer.Option("--try", help="Train two steps of each stage, and tell speed, memory and disk.")
    ] = False,
    plugin: PluginFiles = None,
    as_json: AsJson = False,
) -> None:
    """Check a recipe, and report all its mistakes at once."""
    recipe, _ = resolve(name, overrides or (), plugin or ())
    found: dict[str, Any] = {"recipe": recipe.name, "problems": []}
    if not as_json:
        stages = ", then ".join(f"{stage.name} for {stage.steps} steps" for stage in recipe.stages)
        output.write(f"{recipe.name}: no mistakes; {stages}")
    if try_out:
        from sparring.trial import try_out as measure

        found["trial"] = measure(name, overrides=overrides or (), plugins=plugin or ())
        if not as_json:
            output.write_table(("measured", "value"), _trial_rows(found["trial"]))
    if as_json:
        output.write_json(found)


def schema(
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write to a file instead.")] = None,
    plugin: PluginFiles = None,
) -> None:
    """Print the JSON schema of recipes, for completion in an editor: keys, component names and their options.

    It knows the plugins that are installed. In VS Code, the YAML extension reads a first line such as
    `# yaml-language-server: $schema=recipe.schema.json`.
    """
    from sparring.cli.schema import recipe_schema
    from sparring.plugins.registry import Registry

    registry = Registry(plugin or ())
    registry.load_all()
    for record in registry.records:
        if record.status in ("broken", "conflict"):
            output.tell(f"plugin '{record.name}' is {record.status} and is left out: {record.cause}")
    text = json.dumps(recipe_schema(registry), indent=2, ensure_ascii=False)
    if out is None:
        output.write(text)
        return
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text + "\n", encoding="utf-8")
    except OSError as cause:
        raise SparringError(f"the schema cannot be written: {cause.strerror}", where=str(out)) from cause
    output.tell(f"wrote {out}")


def resolve(name: str, overrides: Sequence[str], files: Sequence[Path]) -> tuple[Recipe, Registry]:
    """Find, override and check a recipe.

    Raises:
        RecipeError: With every mistake, those of the overrides included.
    """
    from sparring.plugins.registry import Registry
    from sparring.recipes.check import resolve as resolve_values

    values = source.read(source.find(name))
    problems: list[Problem] = []
    for assignment in overrides:  # one at a time, so that a bad one does not hide the recipe's other mistakes
        try:
            values = source.override(values, [assignment])
        except RecipeError as error:
            problems += error.problems
    registry = Registry(files)
    try:
        recipe = resolve_values(values, registry)
    except RecipeError as error:
        problems += error.problems
    if problems:
        raise RecipeError(problems, recipe=str(values.get("name", name)))
    return recipe, registry


def _trial_rows(trial: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        ("peak memory", output.size(trial["peak_memory_bytes"])),
        *((f"steps a second, stage {stage}", f"{speed:.3g}") for stage, speed in trial["steps_per_second"].items()),
        ("time to finish", output.duration(trial["seconds_to_finish"])),
        ("one checkpoint", output.size(trial["checkpoint_bytes"])),
        ("disk for the whole run", output.size(trial["disk_bytes"])),
    ]
