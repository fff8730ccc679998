"""The reference pages say what the code says."""

from __future__ import annotations

import importlib
import inspect
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from sparring.plugins.component import Component
from sparring.plugins.options import handed, parameters_of
from sparring.plugins.registry import Registry
from tests.docs.pages import ROOT

DOCS = ROOT / "docs"


# Scripts that lie in no package, and find one another as they do when one of them is run.
sys.path.append(str(DOCS))
docstrings = importlib.import_module("docstrings")
make_reference = importlib.import_module("make_reference")
COMPONENTS: list[Component] = importlib.import_module("pages_of_recipes").components(Registry())


def test_generated_pages_are_up_to_date() -> None:
    stale = make_reference.out_of_date()
    assert not stale, f"run `.venv/bin/python docs/make_reference.py`, and commit: {', '.join(stale)}"


def test_there_are_components() -> None:
    owners = {component.name.partition("/")[0] for component in COMPONENTS if "/" in component.name}
    assert "image" in owners
    assert len(COMPONENTS) > 30


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda one: f"{one.kind} {one.name}")
def test_components_are_described(component: Component) -> None:
    assert component.summary
    target = component.load()
    prose, sections = docstrings.parts_of(target)
    assert prose, "its docstring says nothing"
    described = dict(sections.get("Args", []))
    options = [one.name for one in parameters_of(target) if one.name not in handed(component.kind)]
    assert not [name for name in options if not described.get(name)], "each option has a line under `Args:`"
    known = [one.name for one in parameters_of(target)]
    assert not [name for name in described if name not in known], "`Args:` names an option that is not there"


def test_run_folder_page_names_every_file_and_event(digits: Path) -> None:
    page = (DOCS / "reference" / "run-folder.md").read_text(encoding="utf-8")
    for path in digits.rglob("*"):
        if path.is_file():
            name = path.name.replace("generator", "ROLE").replace("discriminator", "ROLE")
            assert name in page, f"{path.relative_to(digits)} is not described"
    events = [json.loads(line) for line in (digits / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    assert events
    for event in events:
        assert f"| `{event['event']}` |" in page
        assert not [key for key in event if f"`{key}`" not in page], event


def test_docstrings_are_taken_apart() -> None:
    def example(first: int, second: str = "a") -> None:
        """Do it with ``care``.

        Args:
            first: How often,
                and when.
            second: With whom.

        Further prose::

            x = 1

        Raises:
            ValueError: It is late.
        """

    prose, sections = docstrings.parts_of(example)
    assert prose.split("\n")[0] == "Do it with ``care``."
    assert sections["Args"] == [("first", "How often, and when."), ("second", "With whom.")]
    assert sections["Raises"] == [("ValueError", "It is late.")]
    assert docstrings.markdown(prose).endswith("Further prose:\n\n```python\nx = 1\n```")
    assert docstrings.signature("example", example) == "example(first: int, second: str = 'a') -> None"


@pytest.mark.parametrize(
    ("annotation", "said"),
    [(int | None, "int or null"), (list[str], "list of text"), (tuple[float, float], "list of 2 × float")],
)
def test_types_are_written_for_people(annotation: Any, said: str) -> None:
    assert docstrings.type_name(annotation) == said
    assert inspect.isfunction(docstrings.type_name)
