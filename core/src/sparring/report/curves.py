"""Draw curves as SVG that is part of the page: its colours are the page's, in light and in dark."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from statistics import median
from typing import Any

Series = Mapping[str, Sequence[tuple[int, float]]]

WIDTH, HEIGHT = 4.3, 2.4
"""Inches. Small, so that letters stay readable where the page scales a chart down to a phone's width."""

MOST_POINTS = 300
"""Points of a curve; longer ones are cut into as many parts, and each part's mean is drawn."""

UNLIKE = 30.0
"""Where the largest and smallest curve of a chart differ more than so many times, the scale is logarithmic."""

LONGEST_NAME, LETTER = 14, 0.025
"""Letters of a stage's name above a chart, and the share of its width that a letter takes."""

COLOURS = 6
"""Curves of a chart; the page's style sheet has as many colours."""

# Colours that stand for the page's own: matplotlib writes them, and they are replaced by variables.
INK, GRID = "#0a0b01", "#0a0b02"
LINES = [f"#0a0b1{index}" for index in range(COLOURS)]
VARIABLES = {INK: "var(--quiet)", GRID: "var(--line)"} | {
    colour: f"var(--curve-{index + 1})" for index, colour in enumerate(LINES)
}


@dataclass(frozen=True)
class Chart:
    """One chart: a title and a few curves over steps."""

    title: str
    series: Series
    note: str = ""


def charts_of(logs: Series, evaluations: Series) -> list[Chart]:
    """Arrange a run's values into charts: metrics, losses by update, logits by critic, learning rates."""
    charts = [Chart(name, {name: points}) for name, points in evaluations.items()]
    losses: dict[str, dict[str, Sequence[tuple[int, float]]]] = {}
    logits: dict[str, dict[str, Sequence[tuple[int, float]]]] = {}
    rates: dict[str, Sequence[tuple[int, float]]] = {}
    for name, points in logs.items():
        update, _, value = name.rpartition("/")
        if update == "learning_rate":
            rates[value] = points
        elif value in ("real_logit", "fake_logit"):
            label = "real samples" if value == "real_logit" else "generated samples"
            logits.setdefault(update, {})[label] = points
        elif update:
            losses.setdefault(update, {})[value] = points
    charts += [Chart(f"Losses of the {update} update", curves) for update, curves in losses.items()]
    charts += [
        Chart(f"Logits of {critic}", curves, "higher means more real; a gap that only grows means that the critic wins")
        for critic, curves in logits.items()
    ]
    return charts + ([Chart("Learning rates", rates)] if rates else [])


def draw(chart: Chart, stages: Sequence[tuple[str, int]], last_step: int, number: int) -> str:
    """Return a chart as a ``figure`` element.

    Args:
        chart: What to draw.
        stages: Each stage's name and steps; where one ends and another begins is marked.
        last_step: Where the run has come to.
        number: The chart's number on the page, which keeps identifiers apart.
    """
    parts = _split(chart.series)
    figures = "".join(
        _svg(chart, part, stages, last_step, f"chart{number}-{index}") for index, part in enumerate(parts)
    )
    note = f'<p class="note">{escape(chart.note)}</p>' if chart.note else ""
    return f'<figure class="chart"><figcaption>{escape(chart.title)}</figcaption>{figures}{note}</figure>'


def _split(series: Series) -> list[Series]:
    names = list(series)
    return [
        {name: _thinned(series[name]) for name in names[start : start + COLOURS]}
        for start in range(0, len(names), COLOURS)
    ]


def _svg(chart: Chart, series: Series, stages: Sequence[tuple[str, int]], last_step: int, prefix: str) -> str:
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    # Names come from recipes: `$` is no formula in them. The salt makes the same page from the same run.
    settings: Any = {"svg.fonttype": "none", "svg.hashsalt": "sparring", "text.parse_math": False, "font.size": 10.5}
    with mpl.rc_context(settings):
        figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        for colour, points in zip(LINES, series.values(), strict=False):
            few = len(points) < 2 * COLOURS
            steps, values = [step for step, _ in points], [value for _, value in points]
            axes.plot(steps, values, color=colour, linewidth=1.8, marker="o" if few else "", markersize=3.5)
        if _needs_logarithm(series):
            axes.set_yscale("log")
        _dress(axes)
        axes.set_xlim(-0.02 * last_step, 1.02 * last_step)  # the same for all charts, so that they can be compared
        _mark_stages(axes, stages)
        written = io.StringIO()
        figure.savefig(written, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    last = [f"{name} {points[-1][1]:.4g}" for name, points in series.items()]
    spoken = f"{chart.title} over steps; at the end: {', '.join(last)}"
    return _inline(written.getvalue(), prefix, spoken) + _legend(chart.title, series)


def _dress(axes: object) -> None:
    from matplotlib.axes import Axes
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    assert isinstance(axes, Axes)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(GRID)
    axes.tick_params(colors=INK, length=0, pad=4)
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda step, _: _short(step)))
    if axes.get_yscale() == "log":
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.minorticks_off()


def _mark_stages(axes: object, stages: Sequence[tuple[str, int]]) -> None:
    from matplotlib.axes import Axes

    assert isinstance(axes, Axes)
    if len(stages) < 2:
        return
    high = axes.get_xlim()[1]
    starts = [sum(steps for _, steps in stages[:index]) for index in range(len(stages))]
    free = high
    # From the right: where names would overlap, the later stage's is shown.
    for start, (name, _) in reversed(list(zip(starts, stages, strict=True))):
        if start >= high:
            continue
        if start:
            axes.axvline(start, color=INK, linewidth=0.9, linestyle=(0, (3, 3)))
        shown = name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"
        if start + len(shown) * LETTER * high <= free or free == high:
            place = axes.get_xaxis_transform()
            axes.text(start, 1.02, shown, color=INK, fontsize=9.5, transform=place, clip_on=False)
            free = start


def _legend(title: str, series: Series) -> str:
    names = list(series)
    if names == [title]:  # the title says it: its best and last values say more
        values = [value for _, value in series[title]]
        said = (("first", values[0]), ("lowest", min(values)), ("highest", max(values)), ("last", values[-1]))
        return f'<ul class="legend">{"".join(f"<li>{word} <b>{value:.4g}</b></li>" for word, value in said)}</ul>'
    entries = [
        f'<li><span class="key" style="background: var(--curve-{index + 1})"></span>{escape(name)} '
        f"<b>{points[-1][1]:.4g}</b></li>"
        for index, (name, points) in enumerate(series.items())
    ]
    return f'<ul class="legend">{"".join(entries)}</ul>'


def _inline(svg: str, prefix: str, spoken: str) -> str:
    """Cut an SVG file down to what HTML needs: no declarations, no metadata, no addresses, the page's colours."""
    box = re.search(r'viewBox="[^"]*"', svg)
    assert box is not None
    svg = svg[svg.index(">", svg.index("<svg")) + 1 :].replace("xlink:href", "href")
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"font: ([\d.]+px) [^;\"]*", r"font-size: \1", svg)
    svg = re.sub(r'id="([^"]+)"', rf'id="{prefix}-\1"', svg)
    svg = re.sub(r'(url\(|href=")#([^")]+)', rf"\1#{prefix}-\2", svg)
    for colour, variable in VARIABLES.items():
        svg = svg.replace(colour, variable)
    return f'<svg role="img" aria-label="{escape(spoken)}" {box[0]}>{svg}'


def _needs_logarithm(series: Series) -> bool:
    sizes = [median(abs(value) for _, value in points) for points in series.values()]
    positive = all(value > 0 for points in series.values() for _, value in points)
    return positive and max(sizes) > UNLIKE * min(sizes)


def _thinned(points: Sequence[tuple[int, float]]) -> Sequence[tuple[int, float]]:
    if len(points) <= MOST_POINTS:
        return points
    size = -(-len(points) // MOST_POINTS)
    parts = [points[start : start + size] for start in range(0, len(points), size)]
    return [(part[-1][0], sum(value for _, value in part) / len(part)) for part in parts]


def _short(step: float) -> str:
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if abs(step) >= size:
            return f"{step / size:g}{unit}"
    return f"{step:g}"
