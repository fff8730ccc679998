"""Commands on plugins: list and check them, and start a new one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sparring.cli import output, templates
from sparring.cli.recipes import AsJson, PluginFiles
from sparring.errors import PluginError, SparringError
from sparring.plugins import manager

if TYPE_CHECKING:
    from sparring.plugins.registry import Registry

BAD = ("broken", "conflict")


def list_plugins(
    check: Annotated[bool, typer.Option("--check", help="Import each plugin and its components.")] = False,
    components: Annotated[bool, typer.Option("--components", help="List what the plugins bring.")] = False,
    plugin: PluginFiles = None,
    as_json: AsJson = False,
) -> None:
    """List the plugins that are installed."""
    if not check and not components:
        records = manager.discover(plugin or ())
        _write_plugins([record.as_row() for record in records], as_json=as_json)
        return
    from sparring.plugins.registry import Registry

    registry = Registry(plugin or ())
    registry.load_all()
    faults = _check_components(registry) if check else {}
    rows: list[dict[str, Any]] = [record.as_row() for record in registry.records]
    if components:
        parts = [
            {
                "kind": part.kind,
                "name": part.name,
                "summary": part.summary,
                "fault": faults.get((part.kind, part.name), ""),
            }
            for part in registry.components()
        ]
        _write_components(parts, as_json=as_json)
    else:
        for row in rows:
            mine = {key: fault for key, fault in faults.items() if _owner(key[1]) == row["name"]}
            if mine:
                row["status"] = "broken"
                row["cause"] = "\n".join(mine.values())
        _write_plugins(rows, as_json=as_json)
    if check and (faults or any(row["status"] in BAD for row in rows)):
        raise typer.Exit(1)


def new_plugin(
    name: Annotated[str, typer.Argument(help="The plugin's name, such as `spiral`; components are called `spiral/…`.")],
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The new folder.", show_default="./sparring-NAME")
    ] = None,
) -> None:
    """Start a plugin: a package with one generator, its test and its entry point."""
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
        raise SparringError(
            f"'{name}' cannot name a plugin", remedy="use lower-case letters, digits and single dashes, as in spiral-2"
        )
    for record in manager.discover():
        if record.name == name:
            raise PluginError(
                f"a plugin '{name}' is installed already", where=record.distribution, remedy="choose another name"
            )
    folder = out or Path(f"sparring-{name}")
    try:
        folder.mkdir(parents=True)
        for path, text in templates.plugin_files(name).items():
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
    except FileExistsError as cause:
        raise SparringError(
            f"'{folder}' exists and is left as it is", where=str(folder), remedy="give another --out, or remove it"
        ) from cause
    except OSError as cause:
        raise SparringError(f"the plugin cannot be written: {cause.strerror}", where=str(folder)) from cause
    output.tell(f"wrote {folder}; next:\n  pip install --editable {folder}\n  sparring plugins --check")


def _check_components(registry: Registry) -> dict[tuple[str, str], str]:
    """Import every component, lazy ones too, and read its signature; return what failed, by kind and name."""
    from sparring.plugins.options import options_model

    faults: dict[tuple[str, str], str] = {}
    for component in registry.components():
        try:
            options_model(component.load(), component.kind)
        except SparringError as error:
            faults[component.kind, component.name] = error.what
        except Exception as error:  # a signature that pydantic cannot read
            faults[component.kind, component.name] = (
                f"{component.kind} '{component.name}' has a signature that cannot be read: {error}"
            )
    return faults


def _owner(component: str) -> str:
    return component.partition("/")[0] if "/" in component else manager.ALWAYS


def _write_plugins(rows: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        output.write_json(rows)
        return
    cells = [
        (row["name"], f"{row['distribution']} {row['version']}".strip(), row["status"], row["cause"]) for row in rows
    ]
    if any(row["cause"] for row in rows):
        output.write_table(("plugin", "distribution", "status", "cause"), cells)
    elif rows:
        output.write_table(("plugin", "distribution", "status"), [cell[:3] for cell in cells])
    else:
        output.tell("no plugins are installed")


def _write_components(parts: list[dict[str, str]], *, as_json: bool) -> None:
    if as_json:
        output.write_json(parts)
    elif any(part["fault"] for part in parts):
        output.write_table(
            ("kind", "name", "summary", "fault"),
            [(part["kind"], part["name"], part["summary"], part["fault"]) for part in parts],
        )
    else:
        output.write_table(
            ("kind", "name", "summary"), [(part["kind"], part["name"], part["summary"]) for part in parts]
        )
