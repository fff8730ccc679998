"""The table of the core's components."""

from __future__ import annotations

import importlib.util
import inspect
import subprocess
import sys

import pytest

from sparring.builtin import plugin
from sparring.plugins.component import KINDS, Component
from sparring.plugins.options import handed, options_model, parameters_of

COMPONENTS = list(plugin.sparring_components())
assert COMPONENTS


def test_names_are_bare_unique_and_summed_up() -> None:
    assert len({(part.kind, part.name) for part in COMPONENTS}) == len(COMPONENTS)
    for part in COMPONENTS:
        assert part.kind in KINDS
        assert "/" not in part.name
        assert part.summary
        assert not part.summary.endswith(".")


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda part: f"{part.kind}-{part.name}")
def test_constructors_are_schemas(component: Component) -> None:
    target = component.load()
    assert inspect.getdoc(target)
    given = {parameter.name for parameter in parameters_of(target)} - set(handed(component.kind))
    model = options_model(target, component.kind)
    assert given <= set(model.model_fields)
    model.model_json_schema()


def test_listing_imports_no_torch() -> None:
    check = "import sys, sparring.builtin; sys.exit('torch' in sys.modules)"
    assert importlib.util.find_spec("torch")
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
