"""Commands on data and pretrained weights: list them with their source and licence, and fetch what is not shipped."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sparring.cli import output
from sparring.cli.recipes import AsJson, PluginFiles
from sparring.errors import PluginError, SparringError

if TYPE_CHECKING:
    from sparring.interfaces.data import Source
    from sparring.plugins.component import Component
    from sparring.plugins.registry import Registry

FETCHED = ("data", "encoder", "term")
"""The kinds of components that may name a source of their files; data come first."""

app = typer.Typer(help="List data, and fetch those that do not ship with a plugin.", rich_markup_mode="markdown")


@app.callback(invoke_without_command=True)
def list_data(context: typer.Context, as_json: AsJson = False, plugin: PluginFiles = None) -> None:
    """List data, and pretrained weights that encoders use; fetch those that do not ship with a plugin."""
    if context.invoked_subcommand is not None:
        return
    from sparring.plugins.registry import Registry

    registry = Registry(plugin or ())
    registry.load_all()
    rows = []
    for component in [component for kind in FETCHED for component in registry.components(kind)]:
        about = {"name": component.name, "kind": component.kind, "summary": component.summary}
        try:
            source: Source | None = getattr(component.load(), "source", None)
        except SparringError as error:
            rows.append({**about, "state": f"broken: {error.what}"})
        else:
            if source is not None or component.kind == "data":
                rows.append({**about, **_describe(component.name, source)})
    if as_json:
        output.write_json(rows)
    else:
        columns = ("name", "state", "source", "licence", "summary")
        output.write_table(columns, [[row.get(column, "") for column in columns] for row in rows])


@app.command("fetch")
def fetch_data(
    name: Annotated[str, typer.Argument(help="The name of data, such as `image/mnist-5000`, or of an encoder.")],
    plugin: PluginFiles = None,
    as_json: AsJson = False,
) -> None:
    """Fetch the files of one data component, or an encoder's weights, with the client that they are published for."""
    from sparring.plugins.registry import Registry

    source: Source | None = getattr(_find(Registry(plugin or ()), name).load(), "source", None)
    if source is None:
        output.tell(f"'{name}' needs no fetching: a recipe can use it as it is")
        folder = None
    else:
        from sparring.data.fetch import fetch

        folder = fetch(name, source, console=output.error_console())
    if as_json:
        output.write_json({"name": name, "folder": None if folder is None else str(folder)})
    elif folder is not None:
        output.write(str(folder))


def _find(registry: Registry, name: str) -> Component:
    """Return the data of a name, or else what has a source under that name."""
    try:
        return registry.find("data", name)
    except PluginError as error:
        for kind in FETCHED[1:]:
            with suppress(PluginError):
                found = registry.find(kind, name)
                if getattr(found.load(), "source", None) is not None:
                    return found
        raise error


def _describe(name: str, source: Source | None) -> dict[str, Any]:
    if source is None:
        return {"state": "ready", "source": "", "licence": ""}
    from sparring.data.fetch import describe, is_fetched

    return {
        "state": "fetched" if is_fetched(name) else "to fetch",
        "source": describe(source),
        "licence": " and ".join(dict.fromkeys(one.licence for one in source.downloads)),
        "size": sum(one.size for one in source.downloads),
        "credit": "; ".join(one.credit for one in source.downloads if one.credit),
    }
