"""The ``sparring`` program: its commands, and those that plugins add."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer
from typer.main import get_command

from sparring import __version__
from sparring.cli import after, data, demo, export, output, plugins, recipes, run

RECIPES, RUNS, EXTENSIONS = "Recipes", "Runs", "Plugins and data"

_COMMANDS: tuple[tuple[str, str, Callable[..., None]], ...] = (
    (RECIPES, "recipes", recipes.list_recipes),
    (RECIPES, "show", recipes.show),
    (RECIPES, "copy", recipes.copy),
    (RECIPES, "check", recipes.check),
    (RECIPES, "schema", recipes.schema),
    (RUNS, "demo", demo.demo),
    (RUNS, "run", run.train),
    (RUNS, "resume", run.resume),
    (RUNS, "generate", after.generate),
    (RUNS, "evaluate", after.evaluate),
    (RUNS, "report", after.report),
    (RUNS, "export", export.export),
    (EXTENSIONS, "plugins", plugins.list_plugins),
)


def _show_version(wanted: bool) -> None:
    if wanted:
        output.write(f"sparring {__version__}")
        raise typer.Exit


def _start(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Train generative adversarial networks on images, speech and text.

    `sparring demo` trains a small one; `sparring recipes` lists what else there is.
    """


def build_app() -> typer.Typer:
    """Return the program with the commands that come with it."""
    app = typer.Typer(no_args_is_help=True, callback=_start, rich_markup_mode="markdown")
    new = typer.Typer(no_args_is_help=True, help="Start something of your own.")
    new.command("plugin")(plugins.new_plugin)
    for panel, name, command in _COMMANDS:
        app.command(name, rich_help_panel=panel)(command)
    app.add_typer(new, name="new", rich_help_panel=EXTENSIONS)
    app.add_typer(data.app, name="data", rich_help_panel=EXTENSIONS)
    return app


def command_line(words: Sequence[str]) -> Any:
    """Return the program as a command group; plugins are asked for commands where the first word is unknown."""
    group: Any = get_command(build_app())
    first = next((word for word in words if not word.startswith("-")), None)
    if first is not None and first not in group.commands:
        _add_plugin_commands(group)
    return group


def _add_plugin_commands(group: Any) -> None:
    """Add what each plugin's ``sparring_commands`` gives; a plugin that fails there adds nothing and is named."""
    import pluggy

    from sparring.plugins import manager
    from sparring.plugins.hookspecs import RegistrationSpecs

    owners = dict.fromkeys(group.commands, "Sparring")
    for record in manager.discover():
        if record.name == manager.ALWAYS or record.status == "disabled":
            continue
        manager.load(record)
        if record.status != "loaded":
            output.tell(f"plugin '{record.name}' is {record.status} and adds no commands: {record.cause}")
            continue
        # An app for each plugin, so that one that fails half-way leaves nothing behind.
        theirs = typer.Typer(rich_markup_mode="markdown")
        theirs.callback()(lambda: None)  # without a callback, typer makes a lone command the program itself
        hooks = pluggy.PluginManager(manager.GROUP)
        hooks.add_hookspecs(RegistrationSpecs)
        hooks.register(record.plugin, record.name)
        try:
            hooks.hook.sparring_commands(app=theirs)
            commands: dict[str, Any] = getattr(get_command(theirs), "commands", {})
        except Exception as error:
            output.tell(f"plugin '{record.name}' failed to add its commands: {type(error).__name__}: {error}")
            continue
        for name, command in commands.items():
            if name in owners:
                output.tell(f"plugin '{record.name}' adds a command '{name}', which is {owners[name]}'s: left out")
            else:
                owners[name] = f"plugin '{record.name}'"
                group.add_command(command, name)
