"""The reference pages of hooks, of the command line, and of the public names in Python."""

from __future__ import annotations

import ast
import importlib
import inspect
import itertools
from collections.abc import Iterator
from typing import Any

from docstrings import NOTICE, bullets, markdown, prose_of, signature, table
from typer.main import get_command

import sparring
from sparring.plugins.component import KINDS, Plugin
from sparring.plugins.hookspecs import EventSpecs, RegistrationSpecs

# ---- hooks.md ----

HOOKS_PAGE = f"""{NOTICE}
<!-- fmt: off -->

# Hooks

Hooks are methods that Sparring calls. They come in two families. Registration hooks are called on plugins, once a
process. Event hooks are called on the callbacks that a recipe names, and on the `listeners` of `sparring.train`, during
that run alone: an installed plugin that a recipe does not name never changes the run.

Mark an implementation with `@sparring.hookimpl`. It may take any of the arguments that are shown here, by name, and
leave out the others. An argument or a hook that does not exist is refused when the run starts.

Event hooks return nothing. They may call `run.request_stop(reason)`, and `run.note(source, finding)` to write a
verdict. They are called in one process alone, rank 0. How to write one:
[Write a callback](../how-to/write-a-callback.md).
"""


def hooks() -> Iterator[tuple[str, str, Any]]:
    """Give each hook's family, its name and its specification."""
    for family, specs in (("Registration hooks", RegistrationSpecs), ("Event hooks", EventSpecs)):
        for name, value in vars(specs).items():
            if name.startswith("sparring_"):
                yield family, name, value


def hooks_page() -> str:
    """Return the page of hooks."""
    parts, before = [HOOKS_PAGE], ""
    for family, name, spec in hooks():
        if family != before:
            parts.append(f"## {family}")
            before = family
        parts += [f"### `{hook_signature(name, spec)}`", f"`{signature(name, spec, method=True)}`", prose_of(spec)]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def hook_signature(name: str, spec: Any) -> str:
    """Return a hook with the names of its arguments."""
    return f"{name}({', '.join(list(inspect.signature(spec).parameters)[1:])})"


# ---- command-line.md ----

COMMANDS_PAGE = f"""{NOTICE}

# Command line

`sparring --help` and `sparring COMMAND --help` say the same. Results are written to stdout, messages and errors to
stderr. Plugins may add commands.

## Exit codes

| code | meaning |
| --- | --- |
| 0 | done |
| 1 | a mistake that the message explains, or `plugins --check` found a fault |
| 2 | a wrong command line |
| 70 | an error that nobody foresaw; the message says whose code raised it |
| 130 | interrupted by Ctrl-C; `sparring resume` goes on |

## Environment variables

| variable | meaning |
| --- | --- |
| `SPARRING_DATA` | where fetched data lie; by default `~/.cache/sparring/data` |
| `SPARRING_PLUGINS` | use only these plugins: names or distributions, separated by commas |
| `SPARRING_DISABLE_PLUGINS` | leave out these plugins: names or distributions, separated by commas |
| `SPARRING_TRACEBACK` | `1` shows the traceback of an error |
"""


def command_line_page() -> str:
    """Return the page of commands."""
    from sparring.cli.app import build_app

    parts, before = [COMMANDS_PAGE], ""
    for words, command, panel in commands(get_command(build_app()), "sparring", ""):
        if panel != before:
            parts.append(f"## {panel}")
            before = panel
        parts += list(_command(words, command))
    return "\n\n".join(part.strip() for part in parts) + "\n"


def commands(group: Any, words: str, panel: str) -> Iterator[tuple[str, Any, str]]:
    """Give every command with the words that call it and the heading it stands under."""
    for name, command in group.commands.items():
        own = getattr(command, "rich_help_panel", None)
        place = own if isinstance(own, str) else panel
        if not hasattr(command, "commands"):
            yield f"{words} {name}", command, place
            continue
        if command.params:
            yield f"{words} {name}", command, place
        yield from commands(command, f"{words} {name}", place)


def _command(words: str, command: Any) -> Iterator[str]:
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    options = [one for one in command.params if one.param_type_name == "option"]
    shown = [_argument(one) for one in arguments] + (["[OPTIONS]"] if options else [])
    yield f"### `{words}`"
    yield inspect.cleandoc(command.help or "")
    yield f"```text\n{' '.join([words, *shown])}\n```"
    rows = [(f"`{_argument(one)}`", _default(one), str(one.help)) for one in arguments]
    rows += [(f"`{_option(one)}`", _default(one), str(one.help)) for one in options]
    if rows:
        yield table(("argument", "default", "meaning"), rows)


def _argument(parameter: Any) -> str:
    name = parameter.metavar or parameter.name.upper()
    name = f"{name}…" if parameter.nargs == -1 else name
    return name if parameter.required else f"[{name}]"


def _option(parameter: Any) -> str:
    flag = getattr(parameter, "is_flag", False)
    return parameter.opts[0] + ("" if flag else f" {parameter.metavar or parameter.name.upper()}")


def _default(parameter: Any) -> str:
    if isinstance(parameter.show_default, str):
        return f"`{parameter.show_default}`"
    if parameter.required:
        return "required"
    return "" if parameter.default in (None, False, [], ()) else f"`{parameter.default}`"


# ---- python.md ----

PYTHON_PAGE = f"""{NOTICE}

# Python

The public names of `sparring`. They are imported when they are first used, so that `import sparring` costs nothing.
Shapes are given with B for the rows of a batch.
"""

GROUPS = {
    "Functions": ("train", "resume", "load"),
    "Results": ("Result", "Trained"),
    "Data": ("Batch", "Condition", "Data", "StreamingData", "Source", "Space"),
    "Networks": ("Generator", "SequenceGenerator", "Generated", "Discriminator", "Critique"),
    "Training": ("Objective", "Update", "Term", "Context", "Loss", "Reward", "Augmentation", "Constraint", "Trainer"),
    "Evaluation": ("Metric", "Encoder"),
    "Plugins": ("Plugin", "Component", "Registry", "hookimpl"),
    "Errors": ("SparringError", "RecipeError", "PluginError", "DataError", "CheckpointError", "TrainingError"),
}


def python_page() -> str:
    """Return the page of public names."""
    grouped = [name for names in GROUPS.values() for name in names]
    assert sorted(grouped) == sorted(sparring.__all__), set(grouped) ^ set(sparring.__all__)
    parts = [PYTHON_PAGE]
    for title, names in GROUPS.items():
        parts.append(f"## {title}")
        parts += [part for name in names for part in _public(name, getattr(sparring, name))]
    parts += ["## The conformance kit", *_contracts()]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _public(name: str, value: Any) -> Iterator[str]:
    yield f"### `{name}`"
    if not inspect.isclass(value) and not inspect.isfunction(value):
        yield _said_of(name)
        return
    if inspect.isfunction(value) or _has_constructor(value):
        yield f"```text\n{signature(name, value)}\n```"
    yield prose_of(value)
    for section in ("Args", "Attributes", "Returns", "Raises"):
        if text := bullets(value, section):
            yield f"{section}:\n\n{text}" if section != "Returns" else f"Returns: {text}"
    if value is Plugin:
        yield f"Decorators, one for each kind of component: {', '.join(f'`@plugin.{kind}(name)`' for kind in KINDS)}."
    if inspect.isclass(value) and (methods := list(_methods(value))):
        yield "\n".join(["Methods:", "", *methods])


def _has_constructor(value: type) -> bool:
    own = "__init__" in vars(value) and not getattr(value, "_is_protocol", False)
    return own or issubclass(value, tuple)


def _methods(value: type) -> Iterator[str]:
    for name, member in vars(value).items():
        function = member.__func__ if isinstance(member, (staticmethod, classmethod)) else member
        if (name.startswith("_") and name != "__call__") or (value is Plugin and name in KINDS):
            continue
        if isinstance(member, property) and member.fget is not None:
            yield f"- `{name}`: {_first_line(member.fget)}"
        elif inspect.isfunction(function) and inspect.getdoc(function):
            line = " ".join(signature(name, function, method=not isinstance(member, staticmethod)).split())
            yield f"- `{line.replace('( ', '(').replace(', )', ')')}`: {_first_line(function)}"


def _first_line(target: Any) -> str:
    return " ".join(markdown(inspect.getdoc(target) or "").split("\n\n")[0].split())


def _said_of(name: str) -> str:
    """Return the text that stands below an assignment in the source, or what is known of a foreign object."""
    module = importlib.import_module(sparring._MODULE_OF[name])
    body = ast.parse(inspect.getsource(module)).body
    for line, following in itertools.pairwise(body):
        named = isinstance(line, ast.Assign) and any(getattr(target, "id", "") == name for target in line.targets)
        if named and isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
            return f"`{ast.unparse(line.value)}`\n\n{markdown(str(following.value.value))}"
    return "Marks a method or function as the implementation of a hook: `@hookimpl`. See [hooks](hooks.md)."


def _contracts() -> Iterator[str]:
    from sparring import testing

    yield (
        "`sparring.testing` holds a contract for every kind of component: a base class whose checks pytest runs. "
        "It needs pytest. [Your first plugin](../tutorial/first-plugin.md) uses one."
    )
    rows = [
        (f"`{name}`", _first_line(getattr(testing, name)))
        for name in testing.__all__
        if inspect.isclass(getattr(testing, name)) or inspect.isfunction(getattr(testing, name))
    ]
    yield table(("name", "what it is"), rows)
