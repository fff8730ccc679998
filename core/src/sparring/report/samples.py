"""What a run's samples look and sound like, real ones beside generated ones."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from sparring.report import media
from sparring.report.record import Drawing, RunRecord

MOST_FRAMES = 24
"""Drawings over time that a page holds, evenly chosen; the first and the last are among them."""


def section(run: RunRecord) -> str:
    """Return real samples beside generated ones, their sounds, and how samples changed over time."""
    parts = []
    drawn = run.shown
    step = f", step {drawn.step:,}" if drawn else ""
    shown = [
        f'<figure class="card">{content}<figcaption>{escape(label)}</figcaption></figure>'
        for drawing, label in ((run.real, f"Real {run.samples}"), (drawn, f"Generated {run.samples}{step}"))
        if drawing and (content := media.preview(drawing, label))
    ]
    if shown:
        heading = "Real beside generated" if len(shown) == 2 else "Samples"
        parts.append(f'<section><h2>{heading}</h2><div class="beside">{"".join(shown)}</div></section>')
    parts += [
        f'<section><h2>{title}</h2><figure class="card">{media.picture(path, title)}</figure></section>'
        for path in (drawn.further if drawn else ())
        for title in [escape(f"{path.stem.replace('-', ' ').capitalize()}{step}")]
    ]
    heard = [
        f'<h3>{label}</h3><div class="sounds">{content}</div>'
        for drawing, label in ((run.real, "Real sounds"), (drawn, f"Generated sounds{step}"))
        if drawing and (content := media.sounds(drawing))
    ]
    if heard:
        asked = drawn is not None and any(media.label_of(path) for path in drawn.sounds)
        note = '<p class="note">Below each generated sound stands the class that was asked for.</p>' if asked else ""
        parts.append(f"<section><h2>To listen to</h2>{note}{''.join(heard)}</section>")
    frames = _chosen(run.drawings)
    if len(frames) > 1:
        parts.append(f"<section><h2>Samples over time</h2>{_slider(frames)}{_film(frames)}</section>")
    return "\n".join(parts)


def _film(frames: Sequence[Drawing]) -> str:
    texts = any(frame.picture is None for frame in frames)
    figures = "".join(
        f"<figure>{media.preview(frame, f'Samples at step {frame.step:,}', frame=True)}"
        f"<figcaption>Step {frame.step:,}</figcaption></figure>"
        for frame in frames
    )
    style = "film texts" if texts else "film"
    return f'<div class="{style}" tabindex="0" role="group" aria-label="Samples over time">{figures}</div>'


def _slider(frames: Sequence[Drawing]) -> str:
    if any(frame.picture is None for frame in frames):
        return ""
    return (
        '<div class="slider"><div class="card"><img alt=""></div><div><output></output>'
        '<input type="range" min="0" value="0" step="1" aria-label="Step"></div></div>'
    )


def _chosen(drawings: Sequence[Drawing]) -> list[Drawing]:
    seen = [drawing for drawing in drawings if drawing.picture or drawing.text]
    if len(seen) <= MOST_FRAMES:
        return seen
    return [seen[round(index * (len(seen) - 1) / (MOST_FRAMES - 1))] for index in range(MOST_FRAMES)]
