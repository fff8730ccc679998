"""Write a recipe's page from a run that was trained whole: what it took, how it scored, and what it drew.

    python docs/make_recipe_page.py runs/image-fast-fashion [--processor-seconds 310]

The page is docs/recipes/NAME.md with a picture beside it. Figures stand between two marks and are replaced; what was
written outside of them by hand stays. `--processor-seconds` gives the time that a run had of its processor,
which says more than the clock where other work ran beside it.
"""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from PIL import Image

from sparring.report.record import RunRecord, read_run

FOLDER = Path(__file__).parent / "recipes"
BEGIN, END = "<!-- Measured by docs/make_recipe_page.py -->", "<!-- End of what was measured -->"
COLOURS = 64  # of the picture's palette: samples stay true enough to be judged, and the repository small
WIDEST = 900  # pixels


def measured(run: RunRecord, seconds: float | None) -> str:
    """Return the page's figures as Markdown."""
    lines = [f"{run.recipe.get('summary', '')}.", "", "```console", f"$ {command(run)}", "```", ""]
    lines += ["| | |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in facts(run, seconds)), ""]
    scores = scores_of(run)
    if scores:
        lines += ["| score of the final weights | value |", "| --- | --- |", *scores, ""]
    lines += [f"Samples of the last step, not chosen{shown_beside(run)}:", "", f"![samples]({picture_name(run)})"]
    for picture in run.drawings[-1].further:
        lines += ["", f"{picture.stem.capitalize()}:", "", f"![{picture.stem}]({picture_name(run, picture.stem)})"]
    return "\n".join(lines)


def command(run: RunRecord) -> str:
    """Return the command that trains this run anew, without the folders of the machine that it ran on."""
    given = list(run.environment.get("command") or [])
    overrides = [word for word in given if "=" in word and not word.startswith("-") and "path=" not in word]
    return shlex.join(["sparring", "run", run.name, *overrides])


def facts(run: RunRecord, seconds: float | None) -> list[tuple[str, str]]:
    """Return what a run was and what it took."""
    stages = run.recipe["stages"]
    seen = sum(stage["steps"] * stage["batch"] for stage in stages)
    steps = " + ".join(f"{stage['steps']:,}" for stage in stages)
    threads = run.environment.get("threads")
    took = seconds if seconds is not None else run.seconds
    processor = run.environment.get("processor") or "a processor"
    shared = ", of processor time" if seconds is not None else ", beside other work"
    return [
        ("data", f"`{run.recipe['data']['use']}`"),
        ("steps", f"{steps}; {seen:,} real samples seen" if seen else steps),
        ("seed", str(run.recipe["seed"])),
        ("time", f"{duration(took)} on {threads} thread{'s' if threads != 1 else ''} of {processor}{shared}"),
    ]


def duration(seconds: float) -> str:
    """Return a time as a person says it."""
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def scores_of(run: RunRecord) -> list[str]:
    """Return the last evaluation's values as rows."""
    evaluations = run.of_kind("evaluate")
    if not evaluations:
        return []
    last = evaluations[-1]
    encoders = last.get("encoders") or {}
    rows = []
    for name, value in last["values"].items():
        encoder = f" (through {encoders[name]})" if name in encoders else ""
        rows.append(f"| {name}{encoder} | {value:.4g} |")
    return rows


def shown_beside(run: RunRecord) -> str:
    """Say what the samples are drawn with."""
    averaged = any(stage.get("ema") for stage in run.recipe["stages"])
    return ", from the averaged weights" if averaged else ""


def picture_name(run: RunRecord, kind: str = "") -> str:
    """Return a picture's name beside the page."""
    return f"{run.name.rpartition('/')[2]}{'-' if kind else ''}{kind}.png"


def save_picture(source: Path, target: Path) -> None:
    """Write a small copy of a preview."""
    with Image.open(source) as opened:
        picture = opened.convert("L" if opened.mode in ("1", "L", "I", "I;16") else "RGB")
    if picture.width > WIDEST:
        picture = picture.resize((WIDEST, round(picture.height * WIDEST / picture.width)), Image.Resampling.LANCZOS)
    if picture.mode == "RGB":
        picture = picture.quantize(COLOURS)
    picture.save(target, optimize=True)


def write_page(folder: Path, seconds: float | None) -> Path:
    """Write a run's page and picture, and return the page."""
    run = read_run(folder)
    drawn = [drawing for drawing in run.drawings if drawing.picture]
    if not run.finished or not drawn:
        raise SystemExit(f"{folder} is no finished run with pictures: train the recipe whole first")
    page = FOLDER / f"{run.name}.md"
    page.parent.mkdir(parents=True, exist_ok=True)
    picture = drawn[-1].picture
    assert picture is not None
    save_picture(picture, page.with_name(picture_name(run)))
    for further in drawn[-1].further:
        save_picture(further, page.with_name(picture_name(run, further.stem)))
    block = f"{BEGIN}\n\n{measured(run, seconds)}\n\n{END}"
    if page.is_file():
        before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
        text = before + block + rest.partition(END)[2]
    else:
        text = f"# {run.name}\n\n{block}\n"
    page.write_text(text, encoding="utf-8")
    return page


def main() -> None:
    """Write the pages of the runs that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("runs", type=Path, nargs="+", help="folders of finished runs")
    parser.add_argument("--processor-seconds", type=float, help="the time that the run had of its processor")
    chosen = parser.parse_args()
    for folder in chosen.runs:
        print(f"wrote {write_page(folder, chosen.processor_seconds)}")


if __name__ == "__main__":
    main()
