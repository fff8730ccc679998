"""The page of hooks is held to the specifications, and the plugins in their docstrings work."""

from __future__ import annotations

import inspect
import itertools
import re
import textwrap
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pluggy
import pytest
import typer
from typer.main import get_command

from sparring import Plugin
from sparring.plugins.hookspecs import EventSpecs, RegistrationSpecs
from sparring.plugins.manager import PluginRecord, load
from sparring.plugins.options import parameters_of
from tests.docs.pages import PAGES, ROOT, name_of, tokens

PAGE = ROOT / "docs" / "reference" / "hooks.md"
HOOKS = [
    (specs, name) for specs in (RegistrationSpecs, EventSpecs) for name in vars(specs) if name.startswith("sparring_")
]
OUR_PACKAGES = {"sparring_audio", "sparring_image", "sparring_recipes", "sparring_text"}
VALUES = {str: "frechet", float: 1.0, Path: Path("elsewhere")}
"""What a callback's options are given in a trial."""


def test_there_are_hooks() -> None:
    assert len(HOOKS) >= 11


def headings() -> list[str]:
    return [
        following.content
        for token, following in itertools.pairwise(tokens(PAGE))
        if token.type == "heading_open" and token.tag == "h3"
    ]


def test_page_names_every_hook_with_its_exact_arguments() -> None:
    expected = []
    for specs, name in HOOKS:
        arguments = [argument for argument in inspect.signature(getattr(specs, name)).parameters if argument != "self"]
        expected.append(f"`{name}({', '.join(arguments)})`")
    assert headings() == expected


@pytest.mark.parametrize(("specs", "name"), HOOKS, ids=str)
def test_docstring_says_when_it_fires(specs: type, name: str) -> None:
    assert "Fires" in (inspect.getdoc(getattr(specs, name)) or "")


@pytest.mark.parametrize(("specs", "name"), HOOKS, ids=str)
def test_docstring_holds_a_plugin_that_registers(specs: type, name: str) -> None:
    names = run_example(specs, name)
    plugin: Any = names.get("plugin") or SimpleNamespace(**{name: names[name]})
    own = getattr(plugin, "name", "margin")
    record = PluginRecord(own, "this test", "", own, plugin=plugin)
    components = load(record)
    assert record.status == "loaded", record.cause
    if specs is RegistrationSpecs:
        check_registration(plugin, name, components)
        return
    (component,) = components
    options = {one.name: VALUES[one.annotation] for one in parameters_of(component.target) if one.required}
    manager = pluggy.PluginManager("sparring")
    manager.add_hookspecs(EventSpecs)
    manager.register(component.target(**options))
    manager.check_pending()
    assert getattr(manager.hook, name).get_hookimpls()


def run_example(specs: type, name: str) -> dict[str, Any]:
    """Execute the plugin in a hook's docstring, and return what it defines."""
    doc = inspect.getdoc(getattr(specs, name)) or ""
    found = re.search(r"::\n\n((?:    .*\n|\s*\n)+?)(?=\S|\Z)", doc + "\n")
    assert found, f"{name} shows no plugin"
    names: dict[str, Any] = {"__name__": "example"}
    exec(compile(textwrap.dedent(found[1]), name, "exec"), names)
    return names


def check_registration(plugin: Any, name: str, components: list[Any]) -> None:
    if name == "sparring_components":
        assert components
        return
    app = typer.Typer()
    app.callback()(lambda: None)
    plugin.sparring_commands(app)
    assert list(get_command(app).commands) == ["hello"]


def test_plugin_gives_its_components_by_the_hook() -> None:
    assert inspect.ismethod(Plugin("any").sparring_components)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_pages_name_only_hooks_that_exist(page: Path) -> None:
    known = {name for _, name in HOOKS} | OUR_PACKAGES
    assert set(re.findall(r"\bsparring_[a-z_]+", page.read_text(encoding="utf-8"))) <= known
