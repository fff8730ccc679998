"""Commands on a run's folder: generate, evaluate, report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sparring.cli import output
from sparring.cli.recipes import AsJson, PluginFiles
from sparring.cli.run import RunFolder, require_folder
from sparring.errors import Problem, RecipeError, SparringError

if TYPE_CHECKING:
    from sparring.interfaces.space import Space


def generate(
    folder: RunFolder,
    count: Annotated[int, typer.Option(min=1, help="How many samples.")] = 64,
    seed: Annotated[int, typer.Option(min=0, help="The same seed draws the same samples.")] = 0,
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where they are written.", show_default="DIR/generated")
    ] = None,
    condition: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="What every sample should be, such as `label=3` or a file's path."),
    ] = None,
    plugin: PluginFiles = None,
    as_json: AsJson = False,
) -> None:
    """Draw samples from a trained generator, and write them to files."""
    require_folder(folder)
    target = out or folder / "generated"
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise SparringError(
            f"'{target}' is not empty, and is left as it is", where="--out", remedy="give another --out, or remove it"
        )
    from sparring.trained import load

    trained = load(folder, plugins=plugin or ())
    wanted = conditions_of(trained.choices(), condition or (), count)
    batch = trained.generate(count, condition=wanted or None, seed=seed)
    try:
        target.mkdir(parents=True, exist_ok=True)
        files = trained.save(batch, target)
    except OSError as cause:
        raise SparringError(f"the samples cannot be written: {cause.strerror}", where=str(target)) from cause
    if as_json:
        output.write_json({"folder": str(target), "count": count, "seed": seed, "files": [str(file) for file in files]})
    else:
        output.tell(f"wrote {count} samples to {target}")


def evaluate(folder: RunFolder, plugin: PluginFiles = None, as_json: AsJson = False) -> None:
    """Score a trained generator with its recipe's metrics."""
    require_folder(folder)
    from sparring.trained import load

    trained = load(folder, plugins=plugin or ())
    metrics = trained.evaluate()
    if as_json:
        output.write_json(metrics)
    else:
        output.write_table(("metric", "value"), [(name, f"{value:.4g}") for name, value in sorted(metrics.items())])


def report(folder: RunFolder) -> None:
    """Write a run's report, one HTML file that needs nothing else."""
    require_folder(folder)
    from sparring.report.page import write_report

    output.write(f"report: {write_report(folder)}")


def conditions_of(spaces: Any, assignments: Sequence[str], count: int) -> dict[str, Any]:
    """Encode conditions from the command line, each repeated for every sample.

    Raises:
        RecipeError: With every assignment that is wrong.
    """
    import torch

    found: dict[str, Any] = {}
    problems: list[Problem] = []
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals:
            problems.append(Problem(assignment, "is not a condition", "write NAME=VALUE, as in label=3"))
        elif name not in spaces:
            names = ", ".join(spaces)
            remedy = f"use one of: {names}" if names else "leave --condition out: this generator takes none"
            problems.append(Problem(name, "there is no such condition", remedy))
        else:
            try:
                encoded: torch.Tensor = encode(spaces[name], text)
            except SparringError as error:
                problems.append(Problem(name, error.what, error.remedy))
            except (ValueError, TypeError, KeyError, IndexError, OSError) as error:
                problems.append(Problem(name, f"'{text}' is refused: {error}", "see the data's documentation"))
            else:
                found[name] = encoded.unsqueeze(0).repeat(count, *[1] * encoded.dim())
    if problems:
        raise RecipeError(problems, recipe="the command line")
    return found


def encode(space: Space, text: str) -> Any:
    """Encode one condition's value, which a command line can only give as text.

    Text comes first, because a class may be called "3"; where the space refuses it, a number is tried, and then a list
    of numbers between commas.
    """
    try:
        return space.encode(text)
    except (SparringError, ValueError, TypeError, KeyError) as error:
        try:
            numbers = [float(part) for part in text.split(",")]
        except ValueError:
            raise error from None
        whole = len(numbers) == 1 and numbers[0].is_integer()
        for value in (int(numbers[0]) if whole else numbers[0], numbers)[len(numbers) > 1 :]:
            try:
                return space.encode(value)
            except (SparringError, ValueError, TypeError, KeyError):
                continue
        raise error from None
