"""Write the reference pages that are made from the code.

    python docs/make_reference.py           writes them
    python docs/make_reference.py --check   says which are out of date, and fails if any is

A test runs the check, so a change of an option, a hook or a command comes with its page.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from pages_of_code import command_line_page, hooks_page, python_page
from pages_of_recipes import components_page, recipe_page

FOLDER = Path(__file__).parent / "reference"

PAGES: dict[str, Callable[[], str]] = {
    "recipe.md": recipe_page,
    "components.md": components_page,
    "hooks.md": hooks_page,
    "command-line.md": command_line_page,
    "python.md": python_page,
}


def out_of_date() -> list[str]:
    """List the pages that differ from what the code says now."""
    return [
        name for name, make in PAGES.items() if not (FOLDER / name).is_file() or (FOLDER / name).read_text() != make()
    ]


def main() -> int:
    """Write the pages, or check them."""
    if sys.argv[1:] == ["--check"]:
        stale = out_of_date()
        print("\n".join(f"docs/reference/{name} is out of date: run docs/make_reference.py" for name in stale))
        return 1 if stale else 0
    for name, make in PAGES.items():
        (FOLDER / name).write_text(make(), encoding="utf-8")
        print(f"wrote docs/reference/{name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
