"""What the commands write: JSON and tables on stdout; messages and errors on stderr."""

from __future__ import annotations

import json
import math
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import typer

from sparring.errors import RecipeError, SparringError

if TYPE_CHECKING:
    from rich.console import Console

TRACEBACK = "SPARRING_TRACEBACK"
UNLIMITED = 10_000  # columns: what is piped elsewhere is never wrapped


def tell(message: str) -> None:
    """Write a message for a person."""
    typer.echo(message, err=True)


def write(text: str) -> None:
    """Write a result."""
    typer.echo(text)


def write_json(value: Any) -> None:
    """Write a result as JSON; a number that JSON cannot hold becomes null."""
    typer.echo(json.dumps(_plain(value), indent=2, ensure_ascii=False, default=str))


def write_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write a table: fitted to the terminal, or unwrapped where the output goes elsewhere."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False, width=None if sys.stdout.isatty() else UNLIMITED)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))  # Text: brackets in a cell are not markup
    with console.capture() as captured:
        console.print(table)
    lines = captured.get().rstrip("\n").split("\n")
    write("\n".join(line.rstrip() for line in lines))


def error_console() -> Console:
    """Return the console of progress displays and messages."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def show_error(error: SparringError, *, as_json: bool) -> None:
    """Show a mistake with its place and its remedy; its traceback only on demand."""
    if _wants_traceback():
        traceback.print_exception(error)
    tell(f"error: {error}")
    if as_json:
        write_json({"error": _as_mapping(error)})


def show_surprise(error: Exception, *, as_json: bool) -> None:
    """Show an error that nobody foresaw: what it is, whose code raised it, and how to see more."""
    cause = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    culprit, place = _culprit(error)
    if _wants_traceback():
        traceback.print_exception(error)
    tell(f"error: {culprit} failed: {cause}\n  where: {place}")
    if not _wants_traceback():
        tell(f"  what to do: set {TRACEBACK}=1 and run the command again to see the traceback")
    if as_json:
        write_json({"error": {"kind": type(error).__name__, "message": f"{culprit} failed: {cause}", "where": place}})


def size(count: float) -> str:
    """Write a number of bytes for a person."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"


def duration(seconds: float) -> str:
    """Write a length of time for a person."""
    if seconds < 100:
        return f"{seconds:.3g} s"
    minutes, hours = seconds / 60, seconds / 3600
    return f"{minutes:.0f} min" if minutes < 100 else f"{hours:.1f} h"


def _as_mapping(error: SparringError) -> dict[str, Any]:
    found: dict[str, Any] = {
        "kind": type(error).__name__,
        "message": error.what,
        "where": error.where,
        "remedy": error.remedy,
    }
    if isinstance(error, RecipeError):
        found["problems"] = [problem._asdict() for problem in error.problems]
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    return value


def _wants_traceback() -> bool:
    return os.environ.get(TRACEBACK, "") not in ("", "0")


def _culprit(error: BaseException) -> tuple[str, str]:
    """Return whose code raised an error, and where: the innermost plugin on the way down, or Sparring itself."""
    steps = list(traceback.walk_tb(error.__traceback__))
    if not steps:
        return "Sparring", "unknown"
    from sparring.plugins import manager

    owners = _owners()
    for frame, line in reversed(steps):
        module = str(frame.f_globals.get("__name__", ""))
        owner = f"the plugin file '{frame.f_code.co_filename}'" if module.startswith(manager.FILE_MODULE) else None
        owner = owner or owners.get(module.partition(".")[0])
        if owner:
            return f"{_class_of(frame)}{owner}", _place(frame, line)
    return "Sparring", _place(*steps[-1])


def _owners() -> dict[str, str]:
    """Map the packages of installed plugins to what they are called in messages."""
    from sparring.plugins import manager

    return {
        record.target.split(":")[0].split(".")[0]: f"the plugin '{record.name}' ({record.distribution})"
        for record in manager.discover()
        if record.name != manager.ALWAYS
    }


def _class_of(frame: FrameType) -> str:
    instance = frame.f_locals.get("self")
    return "" if instance is None else f"{type(instance).__name__} of "


def _place(frame: FrameType, line: int) -> str:
    return f"{Path(frame.f_code.co_filename)}, line {line}, in {frame.f_code.co_qualname}"
