"""Put pictures, texts and sounds into the page itself, so that it needs no other file."""

from __future__ import annotations

import base64
import io
import re
from html import escape
from pathlib import Path

from PIL import Image

from sparring.report.record import AUDIO, Drawing

LARGEST_FRAME = 512
"""Pixels of the longer side of a picture among many; the last one keeps its size."""

SMALL = 200
"""Pictures narrower than this are enlarged with hard edges: each pixel is data."""

LONGEST_TEXT = 6000
"""Characters of a text preview."""

MOST_SOUND = 8_000_000
"""Bytes of audio in one group of players."""


def picture(path: Path, alternative: str, *, frame: bool = False) -> str:
    """Return a picture as an ``img`` element, or a sentence where the file is no picture.

    Args:
        path: The file.
        alternative: What it shows, for those who do not see it.
        frame: Whether it is one of many, and made smaller.
    """
    try:
        with Image.open(path) as opened:
            opened.load()
            width, height = opened.size
            if frame and max(opened.size) > LARGEST_FRAME:
                scale = LARGEST_FRAME / max(opened.size)
                width, height = max(1, round(width * scale)), max(1, round(height * scale))
                buffer = io.BytesIO()
                opened.convert("RGB").resize((width, height), Image.Resampling.LANCZOS).save(
                    buffer, "PNG", optimize=True
                )
                content = buffer.getvalue()
            else:
                content = path.read_bytes()
    except (OSError, ValueError, SyntaxError) as cause:  # what Pillow raises for broken files
        return f'<p class="missing">This picture cannot be read ({escape(type(cause).__name__)}).</p>'
    crisp = ' class="crisp"' if width < SMALL else ""
    source = f"data:image/png;base64,{base64.b64encode(content).decode()}"
    return f'<img{crisp} src="{source}" width="{width}" height="{height}" alt="{escape(alternative)}">'


def text(path: Path) -> str:
    """Return a text preview as a block."""
    try:
        content = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return '<p class="missing">This text cannot be read.</p>'
    shown = content[:LONGEST_TEXT] + ("\n…" if len(content) > LONGEST_TEXT else "")
    return f'<pre class="sample" tabindex="0">{escape(shown.rstrip())}</pre>'


def preview(drawing: Drawing, alternative: str, *, frame: bool = False) -> str:
    """Return a drawing's picture or text."""
    if drawing.picture is not None:
        return picture(drawing.picture, alternative, frame=frame)
    if drawing.text is not None:
        return text(drawing.text)
    return ""


def sounds(drawing: Drawing) -> str:
    """Return audio players, as many as fit."""
    players, size = [], 0
    for path in drawing.sounds:
        try:
            content = path.read_bytes()
        except OSError:
            continue
        size += len(content)
        if size > MOST_SOUND:
            break
        source = f"data:{AUDIO[path.suffix.lower()]};base64,{base64.b64encode(content).decode()}"
        players.append(
            f'<figure><audio controls preload="metadata" src="{source}" aria-label="{escape(path.stem)}"></audio>'
            f"<figcaption>{_caption(path)}</figcaption></figure>"
        )
    return "".join(players)


def label_of(path: Path) -> str:
    """Return the class in the name of a sample's file, ``seven`` of ``00000-seven.wav``, or an empty string."""
    found = re.fullmatch(r"\d+-(.+)", path.stem)
    return found[1] if found else ""


def _caption(path: Path) -> str:
    label = label_of(path)
    return f"<b>{escape(label)}</b> <small>{escape(path.name)}</small>" if label else escape(path.name)
