"""The documentation as the tests see it: pages, their blocks of code, headings and links."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted(ROOT.glob("docs/**/*.md")),
]
NAMED = re.compile(r"`([\w./-]+\.(?:py|yaml|toml))`:$")


@dataclass(frozen=True)
class Block:
    """A fenced block of code.

    Attributes:
        page: The page that it is on.
        line: Where it begins, from 1.
        language: What stands behind the opening fence.
        text: What is in it.
        file: The name that the paragraph above gives it ("Write `spiral.py`:"), or an empty string.
    """

    page: Path
    line: int
    language: str
    text: str
    file: str

    @property
    def place(self) -> str:
        """Where it is, for messages and test ids."""
        return f"{name_of(self.page)}:{self.line}"


def name_of(page: Path) -> str:
    """Return a page's path within the repository."""
    return page.relative_to(ROOT).as_posix()


@cache
def tokens(page: Path) -> tuple[Token, ...]:
    """Parse a page, tables included."""
    return tuple(MarkdownIt("commonmark").enable("table").parse(page.read_text(encoding="utf-8")))


@cache
def blocks(page: Path) -> tuple[Block, ...]:
    """List a page's blocks of code, in order."""
    found, above = [], ""
    for token in tokens(page):
        if token.type == "inline":  # a comment such as `fmt: off` may stand between
            above = token.content
        elif token.type == "fence":
            named = NAMED.search(above)
            line = token.map[0] + 1 if token.map else 0
            found.append(Block(page, line, token.info.strip(), token.content, named[1] if named else ""))
            above = ""
    return tuple(found)


def all_blocks(language: str) -> list[Block]:
    """List the blocks of one language on every page."""
    return [block for page in PAGES for block in blocks(page) if block.language == language]


def inline(page: Path, kind: str) -> Iterator[Token]:
    """Give a page's inline tokens of a type: ``code_inline``, ``link_open``."""
    for token in tokens(page):
        yield from (child for child in token.children or () if child.type == kind)


@cache
def anchors(page: Path) -> frozenset[str]:
    """Return the anchors of a page's headings, as code hosts and MyST make them."""
    found: Counter[str] = Counter()
    names = []
    for token, following in itertools.pairwise(tokens(page)):
        if token.type == "heading_open":
            text = "".join(child.content for child in following.children or ())
            slug = re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", "-")
            names.append(f"{slug}-{found[slug]}" if found[slug] else slug)
            found[slug] += 1
    return frozenset(names)
