"""Write a run's report: one HTML page that needs no other file and no network."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from sparring import __version__
from sparring.report import curves, samples
from sparring.report.record import RunRecord, Verdict, number, read_run

NAME = "report.html"

MOST_ROWS = 24
"""Evaluations that are shown at once; more are folded away."""

LEVELS = {"good": "Good", "warning": "Warning", "bad": "Trouble"}


def write_report(folder: Path) -> Path:
    """Write ``report.html`` into a run's folder, from what is in it alone.

    Args:
        folder: The folder of a run: finished, stopped, killed, or going on.

    Returns:
        The page's path.
    """
    return write_joint_report([folder], folder)


def write_joint_report(runs: Sequence[Path], folder: Path) -> Path:
    """Write one page about several runs, each after the other, into a folder, and return its path."""
    target = folder / NAME
    # Written beside its name and renamed, so that a page that is open is never half a page.
    written = target.with_suffix(".html.partial")
    written.write_text(page([read_run(run) for run in runs]), encoding="utf-8")
    written.replace(target)
    return target


def page(runs: Sequence[RunRecord]) -> str:
    """Return the page of one run or several."""
    template = Template(files("sparring.report").joinpath("template.html").read_text(encoding="utf-8"))
    title = ", ".join(run.name for run in runs)
    return template.substitute(
        title=escape(f"{title} – training report"),
        runs="\n".join(_run(run, index) for index, run in enumerate(runs)),
        footer=escape(f"Written by Sparring {__version__}. This page holds everything it shows."),
    )


def _run(run: RunRecord, index: int) -> str:
    charts, evaluations = _charts(run, index), _evaluations(run)
    parts = (_head(run), _verdicts(run), samples.section(run), charts, evaluations, _more(run))
    return "\n".join(part for part in parts if part)


# ---- the head ----


def _head(run: RunRecord) -> str:
    summary = run.recipe.get("summary")
    said = f'<p class="summary">{escape(str(summary))}</p>' if summary else ""
    level, sentence = _status(run)
    status = f'<p class="status {level}"><span>{escape(sentence)}{escape(_kept(run))}</span></p>'
    tiles = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{value:.4g}{_change(points)}{_seen_by(run, name)}</dd></div>"
        for name, points in run.series("evaluate").items()
        for value in (dict(points).get(run.kept_step, points[-1][1]),)
    )
    metrics = f'<dl class="tiles" aria-label="Final metrics">{tiles}</dl>' if tiles else ""
    head = f'<p class="over">Training report</p><h1>{escape(run.name)}</h1>{said}{status}{metrics}'
    return f"<header>{head}</header>"


def _kept(run: RunRecord) -> str:
    """Say which step the final weights are of, where they need not be the last ones."""
    if not run.finished or not run.kept_by or "step" not in run.final:
        return ""
    value = dict(run.series("evaluate").get(run.kept_by, ())).get(run.kept_step)
    figure = f", {value:.4g}" if value is not None else ""
    which = f"those of step {run.kept_step:,}" if run.kept_step != run.step else "the last ones"
    return f" The weights in final/ are {which}, the best by {run.kept_by}{figure}; the figures here are theirs."


def _seen_by(run: RunRecord, name: str) -> str:
    """Name the network that a figure was seen through: without it the figure cannot be compared."""
    events = run.of_kind("evaluate")
    encoders = events[-1].get("encoders") if events else None
    seen = encoders.get(name) if isinstance(encoders, Mapping) else None
    return f"<small>seen by {escape(str(seen))}</small>" if seen else ""


def _change(points: Sequence[tuple[int, float]]) -> str:
    return f"<small>{points[0][1]:.4g} at step {points[0][0]:,}</small>" if len(points) > 1 else ""


def _status(run: RunRecord) -> tuple[str, str]:
    """Say in one sentence how far the run came."""
    step, total, took = run.step, run.total_steps, _duration(run.seconds)
    of_total = f"{step:,} of {total:,} steps" if total else f"{step:,} steps"
    kinds = ("start", "resume", "log", "end")
    last: Sequence[Mapping[str, Any]] = [event for event in run.events if event.get("event") in kinds][-1:]
    end = last[0] if last else {}
    reason = str(end.get("reason") or "").rstrip(".")
    if not run.events:
        return "quiet", "Nothing has been recorded yet."
    if total and step >= total and (run.finished or end.get("event") == "end"):
        return "good", f"Finished: {total:,} steps in {took}."
    if end.get("event") == "end":
        return "warning", f"Ended after {of_total} and {took}" + (f": {reason}." if reason else ".")
    if run.finished:
        return "good", f"Stopped by request after {of_total} and {took}."
    return "warning", f"Not finished: the last record is that of {of_total}, {took} into the run."


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.3g} s"
    minutes, hours = seconds / 60, seconds / 3600
    if minutes < 100:
        return f"{int(minutes)} min {int(seconds % 60)} s"
    return f"{int(hours)} h {int(minutes % 60)} min"


# ---- verdicts ----


def _verdicts(run: RunRecord) -> str:
    last = run.last_verdicts
    if not last:
        return ""
    cards = "".join(_card(verdict) for verdict in last)
    history = "".join(
        f"<li><b>Step {one.step:,}</b>, {escape(one.source)} ({escape(LEVELS.get(one.level, one.level).lower())}): "
        f"{_prose(one.finding)}</li>"
        for one in run.verdicts
    )
    if len(run.verdicts) > len(last):
        cards += (
            f"<details><summary>Everything that was noted ({len(run.verdicts)})</summary>"
            f'<ul class="history">{history}</ul></details>'
        )
    return f"<section><h2>Verdicts</h2>{cards}</section>"


def _card(verdict: Verdict) -> str:
    level = verdict.level if verdict.level in LEVELS else "warning"
    since = f", since step {verdict.since:,}" if verdict.since is not None and level != "good" else ""
    advice = "What to try: " if level != "good" else "Next: "
    remedy = f'<p class="remedy">{advice}{_prose(verdict.remedy)}</p>' if verdict.remedy else ""
    return (
        f'<div class="verdict {level}"><p class="kind">{LEVELS[level]} · {escape(verdict.source)}{since}</p>'
        f"<p>{_prose(verdict.finding)}</p>{remedy}</div>"
    )


def _prose(text: str) -> str:
    """End a finding like a sentence, and set what stands between backticks as code."""
    ended = text if text.endswith((".", "!", "?")) else f"{text}."
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(ended))


# ---- curves and figures ----


def _charts(run: RunRecord, index: int) -> str:
    charts = curves.charts_of(run.series("log"), run.series("evaluate"))
    drawn = [
        curves.draw(chart, run.stages, max(1, run.step), 1000 * index + place) for place, chart in enumerate(charts)
    ]
    return f'<section><h2>Curves</h2><div class="charts">{"".join(drawn)}</div></section>' if drawn else ""


def _evaluations(run: RunRecord) -> str:
    events = run.of_kind("evaluate")
    names = list(run.series("evaluate"))
    if not events or not names:
        return ""
    best = _best(run)
    rows = []
    for event in events:
        values = event.get("values")
        cells = [_cell(name, values.get(name) if isinstance(values, dict) else None, best) for name in names]
        stage = escape(str(event.get("stage", "")))
        step = int(number(event.get("step")) or 0)
        rows.append(f'<tr><td>{step:,}</td><td class="word">{stage}</td>{"".join(cells)}</tr>')
    heads = "".join(f'<th scope="col">{escape(name)}</th>' for name in names)
    table = (
        f'<table><thead><tr><th scope="col">Step</th><th scope="col" class="word">Stage</th>{heads}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
    )
    if len(rows) > MOST_ROWS:
        table = f"<details><summary>All {len(rows)} evaluations</summary>{table}</details>"
    return f'<section><h2>Evaluations</h2><div class="scroll">{table}</div></section>'


def _best(run: RunRecord) -> dict[str, float]:
    """Return the best value of each metric whose direction the journal tells."""
    told: dict[str, str] = {}
    for event in run.events:
        if isinstance(event.get("better"), dict):
            told |= event["better"]
    series = run.series("evaluate")
    return {
        name: (max if told[name] == "higher" else min)(value for _, value in points)
        for name, points in series.items()
        if told.get(name) in ("higher", "lower")
    }


def _cell(name: str, value: object, best: Mapping[str, float]) -> str:
    finite = number(value)
    if finite is None:
        return f"<td>{'' if value is None else escape(str(value))}</td>"
    marked = ' class="best"' if best.get(name) == finite else ""
    return f"<td{marked}>{finite:.4g}</td>"


# ---- what one may do next, and what it was made with ----


def _more(run: RunRecord) -> str:
    folder = shlex.quote(str(run.folder))
    commands = [f"sparring generate {folder} --count 64"]
    if not run.finished:
        commands.insert(0, f"sparring resume {folder}")
    elif run.stages:
        commands.append(
            f"sparring resume {folder} stages.{len(run.stages) - 1}.steps=+{max(1, run.stages[-1][1] // 2)}"
        )
    commands.append(f"sparring evaluate {folder}")
    shown = "".join(f"<pre>{escape(command)}</pre>" for command in commands)
    parts = [f'<section class="commands"><h2>Go on from here</h2>{shown}</section>']
    details = []
    if run.recipe_text:
        details.append(
            f"<details><summary>The resolved recipe</summary><pre>{escape(run.recipe_text.rstrip())}</pre></details>"
        )
    if run.environment:
        rows = "".join(
            f"<tr><td>{escape(str(name))}</td><td>{escape(_plain(name, value))}</td></tr>"
            for name, value in run.environment.items()
        )
        details.append(
            "<details><summary>Where it was made</summary>"
            f'<div class="scroll"><table class="facts"><tbody>{rows}</tbody></table></div></details>'
        )
    if details:
        parts.append(f"<section><h2>To make it again</h2>{''.join(details)}</section>")
    return "\n".join(parts)


def _plain(name: str, value: object) -> str:
    """Put a value of the environment into words."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_plain(str(key), part)}" for key, part in value.items())
    if isinstance(value, list):
        words = [_plain(name, part) for part in value]
        return shlex.join(["sparring", *words]) if name == "command" else "; ".join(words)
    return str(value)
