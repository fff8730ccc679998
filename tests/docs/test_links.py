"""Links lead somewhere, and every page is in the table of contents."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.pages import PAGES, ROOT, anchors, blocks, inline, name_of

LINKS = sorted(
    {(page, str(token.attrs["href"])) for page in PAGES for token in inline(page, "link_open")},
    key=lambda link: (name_of(link[0]), link[1]),
)
ELSEWHERE = ("https://semver.org/",)


def test_there_are_links() -> None:
    assert len(LINKS) > 50


@pytest.mark.parametrize(("page", "link"), LINKS, ids=lambda value: value if isinstance(value, str) else name_of(value))
def test_links_resolve(page: Path, link: str) -> None:
    if "://" in link:
        assert link in ELSEWHERE, "tests use no network: look whether it is right, and add it here"
        return
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    assert target.exists(), f"{name_of(page)} links to {path}, which is not there"
    assert target.is_relative_to(ROOT)
    if anchor:
        assert anchor in anchors(target), f"{name_of(target)} has: {', '.join(sorted(anchors(target)))}"


def test_pages_of_docs_link_within_docs() -> None:
    """The built documentation has nothing else."""
    for page, link in LINKS:
        if page.is_relative_to(ROOT / "docs") and "://" not in link:
            target = (page.parent / link.partition("#")[0]).resolve()
            assert target.is_relative_to(ROOT / "docs"), f"{name_of(page)}: {link}"


def test_every_page_is_in_the_contents() -> None:
    """Each page but the first is an entry of one table of contents, which may be another page's."""
    entries = [
        (page.parent / f"{line}.md").resolve()
        for page in PAGES
        for block in blocks(page)
        if block.language == "{toctree}"
        for line in block.text.splitlines()
        if line and not line.startswith(":")
    ]
    pages = {page.resolve() for page in PAGES if page.is_relative_to(ROOT / "docs")}
    assert set(entries) == pages - {(ROOT / "docs" / "index.md").resolve()}
    assert len(set(entries)) == len(entries)
