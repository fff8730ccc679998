"""Commands that train: run and resume."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sparring.cli import output
from sparring.cli.recipes import AsJson, Overrides, PluginFiles, RecipeName
from sparring.errors import SparringError

if TYPE_CHECKING:
    from sparring.interfaces.trainer import Result

INTERRUPTED = 130

RunFolder = Annotated[Path, typer.Argument(metavar="DIR", help="A run's folder.")]


def train(
    name: RecipeName,
    overrides: Overrides = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The run's folder.", show_default="runs/<the recipe's name>")
    ] = None,
    plugin: PluginFiles = None,
    as_json: AsJson = False,
) -> None:
    """Train a recipe."""
    from sparring import api

    result = api.train(name, out=out, overrides=overrides or (), plugins=plugin or (), listeners=listeners())
    conclude(result, as_json=as_json)


def resume(
    folder: RunFolder,
    overrides: Annotated[
        list[str] | None,
        typer.Argument(metavar="KEY=VALUE", help="Changes, such as `stages.1.steps=+5000` for a longer run."),
    ] = None,
    step: Annotated[
        int | None,
        typer.Option("--from", metavar="STEP", min=0, help="With --out: branch off at this checkpoint, not the last."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="NEW", help="Leave DIR as it is, and go on in this new folder.")
    ] = None,
    plugin: PluginFiles = None,
    as_json: AsJson = False,
) -> None:
    """Go on with a run that was stopped, extend one, or branch off from one of its checkpoints."""
    if step is not None and out is None:
        raise typer.BadParameter("--from STEP branches off, and needs --out NEW")
    require_folder(folder)
    from sparring import api

    result = api.resume(
        folder, overrides=overrides or (), step=step, out=out, plugins=plugin or (), listeners=listeners()
    )
    conclude(result, as_json=as_json)


def conclude(result: Result, *, as_json: bool, resume: str = "") -> None:
    """Say how a run ended and what can be done with it.

    Args:
        result: How it ended.
        as_json: Whether the result is written as JSON.
        resume: The command that goes on with it; by default ``sparring resume`` and its folder.

    Raises:
        typer.Exit: It was interrupted; the exit code says so.
    """
    interrupted = result.status == "stopped" and result.reason == "interrupted"
    if _is_main_process():
        if as_json:
            output.write_json({**asdict(result), "folder": str(result.folder)})
        if interrupted:
            output.tell(f"interrupted at step {result.step}; `{resume or f'sparring resume {result.folder}'}` goes on")
        else:
            output.tell(f"{result.status} at step {result.step}" + (f": {result.reason}" if result.reason else ""))
            if result.metrics and not as_json:
                rows = [(metric, f"{value:.4g}") for metric, value in sorted(result.metrics.items())]
                output.write_table(("metric", "value"), rows)
            output.tell(f"the run is in {result.folder}; `sparring generate {result.folder}` draws samples")
    if interrupted:
        raise typer.Exit(INTERRUPTED)


def listeners() -> list[object]:
    """Return the progress display, which watches a run."""
    from sparring.callbacks.progress import Progress

    return [Progress(output.error_console())]


def _is_main_process() -> bool:
    """Whether this process speaks for all that `torchrun` started."""
    return os.environ.get("RANK", "0") == "0"


def require_folder(folder: Path) -> None:
    """Refuse a path that is not the folder of a run.

    Raises:
        SparringError: It is none.
    """
    if not (folder / "recipe.yaml").is_file():
        what = f"the folder '{folder}' is no run" if folder.is_dir() else f"there is no folder '{folder}'"
        raise SparringError(what, remedy="give the folder of a run, such as runs/demo")
