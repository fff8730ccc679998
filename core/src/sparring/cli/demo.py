"""The demo: a small GAN of each installed domain, from nothing to one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sparring.cli import output
from sparring.cli.run import conclude, listeners
from sparring.errors import SparringError

RECIPES = {
    "digits": "image/dcgan-digits",
    "numbers": "audio/conditional-numbers",
    "sentences": "text/gumbel-sentences",
}
"""What the demo trains, by the folder that each run gets."""

FOLDER = Path("runs/demo")


def demo(out: Annotated[Path, typer.Option(metavar="DIR", help="The folder of the demo's runs.")] = FOLDER) -> None:
    """Train small GANs on real digits, spoken numbers and sentences, from nothing to one report."""
    again = "sparring demo" if out == FOLDER else f"sparring demo --out {out}"
    chosen = {name: recipe for name, recipe in RECIPES.items() if recipe in _trainable()}
    if not chosen:
        raise SparringError("no plugin that the demo could train is installed", remedy="`pip install sparring-image`")
    output.tell(f"training {len(chosen)} recipes in {out}; Ctrl-C stops, and `{again}` goes on")
    for name, recipe in chosen.items():
        _train(recipe, out / name, again)
    from sparring.report.page import write_joint_report

    output.write(f"report: {write_joint_report([out / name for name in chosen], out)}")


def _train(recipe: str, folder: Path, again: str) -> None:
    """Train a recipe, go on with it where it was stopped, or leave it be where it is done."""
    if (folder / "final").is_dir():
        output.tell(f"{recipe} is trained already; to train it again, remove {folder}")
        return
    from sparring import api

    if (folder / "recipe.yaml").is_file():
        output.tell(f"{folder} holds a run that was stopped; going on with it")
        result = api.resume(folder, listeners=listeners())
    else:
        result = api.train(recipe, out=folder, listeners=listeners())
    conclude(result, as_json=False, resume=again)


def _trainable() -> set[str]:
    """Return the installed recipes whose plugins are installed too."""
    from sparring.plugins.manager import discover
    from sparring.recipes.source import installed

    plugins = {record.name for record in discover() if record.status == "found"}
    rows = [listed.as_row() for listed in installed()]
    return {row["name"] for row in rows if plugins.issuperset(row["needs"])}
