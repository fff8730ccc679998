"""Commands on data: list them with their source and licence, and fetch those that are not shipped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from sparring.cli import output
from sparring.cli.recipes import AsJson, PluginFiles
from sparring.errors import SparringError

if TYPE_CHECKING:
    from sparring.interfaces.data import Source

app = typer.Typer(help="List data, and fetch those that do not ship with a plugin.", rich_markup_mode="markdown")


@app.callback(invoke_without_command=True)
def list_data(context: typer.Context, as_json: AsJson = False, plugin: PluginFiles = None) -> None:
    """List data, and fetch those that do not ship with a plugin."""
    if context.invoked_subcommand is not None:
        return
    from sparring.plugins.registry import Registry

    registry = Registry(plugin or ())
    registry.load_all()
    rows = []
    for component in registry.components("data"):
        try:
            source: Source | None = getattr(component.load(), "source", None)
        except SparringError as error:
            rows.append({"name": component.name, "summary": component.summary, "state": f"broken: {error.what}"})
        else:
            rows.append({"name": component.name, "summary": component.summary, **_describe(component.name, source)})
    if as_json:
        output.write_json(rows)
    else:
        columns = ("name", "state", "source", "licence", "summary")
        output.write_table(columns, [[row.get(column, "") for column in columns] for row in rows])


@app.command("fetch")
def fetch_data(
    name: Annotated[str, typer.Argument(help="The data's name, such as `image/mnist-5000`.")],
    plugin: PluginFiles = None,
    as_json: AsJson = False,
) -> None:
    """Fetch the files of one data component, with the client that they are published for."""
    from sparring.plugins.registry import Registry

    source: Source | None = getattr(Registry(plugin or ()).find("data", name).load(), "source", None)
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


def _describe(name: str, source: Source | None) -> dict[str, Any]:
    if source is None:
        return {"state": "ready", "source": "", "licence": ""}
    from sparring.data.fetch import describe, is_fetched

    return {
        "state": "fetched" if is_fetched(name) else "to fetch",
        "source": describe(source),
        "licence": source.licence,
        "size": source.size,
        "credit": source.credit,
    }
