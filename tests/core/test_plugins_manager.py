"""The loader: each plugin apart, nothing imported before it is needed."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sparring.errors import PluginError
from sparring.plugins import manager
from sparring.plugins.manager import PluginRecord
from sparring.plugins.options import parameters_of
from sparring.plugins.registry import Registry
from tests.core.fake_distributions import SPIRAL, Site, installed

BY_HAND = """
from sparring import Component, hookimpl

class Plugin:
    @hookimpl
    def sparring_components(self):
        return {components}

plugin = Plugin()
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    yield from installed(tmp_path, monkeypatch)


def record_of(name: str, files: list[Path] | None = None) -> PluginRecord:
    (found,) = [record for record in manager.discover(files or []) if record.name == name]
    return found


def test_discovery_reads_metadata_and_imports_nothing(site: Site):
    site.add_plugin("spiral", "raise AssertionError('imported')")
    record = record_of("spiral")
    assert (record.status, record.distribution, record.version) == ("found", "sparring-spiral", "1.0")
    assert "fake_spiral" not in sys.modules


def test_core_comes_first(site: Site):
    site.add_plugin("aaa")
    assert manager.discover()[0].name == "core"


def test_load_returns_components(site: Site):
    site.add_plugin("spiral")
    record = record_of("spiral")
    (component,) = manager.load(record)
    assert (component.kind, component.name) == ("generator", "spiral/mlp")
    assert component.summary == "Map a latent vector to a point in the plane."
    assert record.status == "loaded"


@pytest.mark.parametrize(
    ("source", "cause"),
    [
        ("import no_such_library", "No module named 'no_such_library'"),
        ("def broken(:", "SyntaxError"),
        ("raise SystemExit(3)", "SystemExit"),
        ("", "has no attribute 'plugin'"),
        (SPIRAL.replace("latent_dim: int = 16, width: int = 64", "*sizes: int"), "*sizes"),
        (SPIRAL.replace("latent_dim: int = 16, width: int = 64", "**sizes: int"), "*sizes"),
        (SPIRAL.replace("latent_dim: int = 16", "latent_dim=16"), "'latent_dim'"),
        (SPIRAL.replace("latent_dim: int = 16", "latent_dim: 'Nowhere' = 16"), "Nowhere"),
        (SPIRAL.replace('Plugin("{name}")', 'Plugin("other")'), "does not start with 'broken/'"),
        (BY_HAND.format(components="[Component('losss', 'broken/x', 'a:b')]"), "unknown kind 'losss'"),
        (BY_HAND.format(components="[Component('loss', 'broken/', 'a:b')]"), "does not start with"),
        (BY_HAND.format(components="[Component('loss', 'hinge', 'a:b')]"), "does not start with"),
        (BY_HAND.format(components="2 * [Component('loss', 'broken/x', 'a:b')]"), "registered twice"),
        (BY_HAND.format(components="['hinge']"), "'str' object"),
        (
            BY_HAND.replace("def sparring_components", "def sparring_componets").format(components="[]"),
            "sparring_componets",
        ),
        (BY_HAND.replace("(self)", "(self, wrong)").format(components="[]"), "wrong"),
    ],
)
def test_broken_plugin_is_named_with_its_cause_and_leaves_others_alone(site: Site, source: str, cause: str):
    site.add_plugin("broken", source)
    site.add_plugin("whole")
    registry = Registry()
    registry.load_all()
    status = {record.name: record for record in registry.records}
    assert status["broken"].status == "broken"
    assert cause in status["broken"].cause
    assert status["whole"].status == "loaded"
    names = [component.name for component in registry.components()]
    assert "whole/mlp" in names
    assert not [name for name in names if name.startswith("broken/")]


def test_broken_plugin_is_raised_where_it_is_needed(site: Site):
    site.add_plugin("broken", "import no_such_library")
    with pytest.raises(PluginError) as raised:
        Registry().find("generator", "broken/mlp", where="networks.generator.use")
    assert "plugin 'broken' is broken" in str(raised.value)
    assert "no_such_library" in str(raised.value)
    assert "sparring plugins --check" in str(raised.value)
    assert isinstance(raised.value.__cause__, ModuleNotFoundError)


def test_failing_plugin_is_rolled_back_as_a_whole(site: Site):
    site.add_plugin(
        "half", SPIRAL + "\n@plugin.loss('bad')\nclass Bad:\n    def __init__(self, *all: int) -> None: ...\n"
    )
    registry = Registry()
    registry.load_all()
    assert not [component for component in registry.components() if component.name.startswith("half/")]


def test_two_plugins_of_one_name_clash_and_both_distributions_are_named(site: Site):
    site.add_plugin("spiral", distribution="one", module="fake_one")
    site.add_plugin("spiral", distribution="two", module="fake_two")
    registry = Registry()
    registry.load_all()
    with pytest.raises(PluginError) as raised:
        registry.find("generator", "spiral/mlp")
    assert "one (fake_one:plugin) and two (fake_two:plugin)" in str(raised.value)
    assert not {"fake_one", "fake_two"} & set(sys.modules)


def test_one_distribution_found_twice_is_no_clash(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    site.add_plugin("spiral")
    again = Site(tmp_path / "again")
    again.add_plugin("spiral")
    monkeypatch.syspath_prepend(str(again.folder))
    assert record_of("spiral").status == "found"


@pytest.mark.parametrize("named", ["spiral", "sparring-spiral", " spiral , other "])
def test_deny_list_takes_plugin_and_distribution_names(site: Site, monkeypatch: pytest.MonkeyPatch, named: str):
    site.add_plugin("spiral")
    monkeypatch.setenv("SPARRING_DISABLE_PLUGINS", named)
    record = record_of("spiral")
    assert record.status == "disabled"
    assert manager.load(record) == []
    assert "SPARRING_DISABLE_PLUGINS" in str(manager.explain(record))


def test_allow_list_disables_all_others_but_core(site: Site, monkeypatch: pytest.MonkeyPatch):
    site.add_plugin("spiral")
    site.add_plugin("other")
    monkeypatch.setenv("SPARRING_PLUGINS", "spiral")
    status = {record.name: record.status for record in manager.discover()}
    assert (status["core"], status["spiral"], status["other"]) == ("found", "found", "disabled")
    monkeypatch.setenv("SPARRING_PLUGINS", "")
    assert {record.status for record in manager.discover()[1:]} == {"disabled"}


def test_disabling_one_of_two_ends_their_conflict(site: Site, monkeypatch: pytest.MonkeyPatch):
    site.add_plugin("spiral", distribution="one", module="fake_one")
    site.add_plugin("spiral", distribution="two", module="fake_two")
    monkeypatch.setenv("SPARRING_DISABLE_PLUGINS", "two")
    registry = Registry()
    assert registry.find("generator", "spiral/mlp").load().__module__ == "fake_one"


def test_lazy_target_is_imported_when_it_is_built(site: Site):
    source = (
        "from sparring import Plugin\nplugin = Plugin('lazy')\nplugin.add('generator', 'mlp', 'fake_lazy_parts:MLP')\n"
    )
    site.add_plugin("lazy", source)
    (site.folder / "fake_lazy_parts.py").write_text(SPIRAL.replace("{name}", "unused"))
    registry = Registry()
    component = registry.find("generator", "lazy/mlp")
    assert "fake_lazy_parts" not in sys.modules
    assert component.load().__name__ == "MLP"


@pytest.mark.parametrize("target", ["no_such_module:Thing", "json:no_such_name"])
def test_lazy_target_that_is_missing_is_an_error_with_a_place(site: Site, target: str):
    site.add_plugin(
        "lazy", f"from sparring import Plugin\nplugin = Plugin('lazy')\nplugin.add('loss', 'x', '{target}')\n"
    )
    with pytest.raises(PluginError) as raised:
        Registry().find("loss", "lazy/x").load()
    assert raised.value.where == target
    assert "loss 'lazy/x' cannot be imported" in raised.value.what


def test_plugin_that_is_not_named_is_never_imported(site: Site):
    site.add_plugin("bystander", "raise AssertionError('imported')")
    site.add_plugin("spiral")
    registry = Registry()
    registry.find("generator", "spiral/mlp")
    registry.find("loss", "hinge")
    with pytest.raises(PluginError):
        registry.find("loss", "spiral/none")
    assert "fake_bystander" not in sys.modules


def test_single_file_plugin(site: Site, tmp_path: Path):
    file = tmp_path / "my_file.py"
    file.write_text(SPIRAL.replace("{name}", "mine"))
    record = record_of("mine", [file])
    assert (record.distribution, record.status) == (str(file), "found")
    assert Registry([file]).build("generator", "mine/mlp", "networks.generator").latent_shape == (16,)


@pytest.mark.parametrize("text", ["import no_such_library", "x = 1", "plugin = "])
def test_single_file_plugin_that_is_broken(site: Site, tmp_path: Path, text: str):
    file = tmp_path / "my_file.py"
    file.write_text(text)
    record = record_of("my_file", [file])
    assert record.status == "broken"
    assert record.cause
    assert not [name for name in sys.modules if name.startswith("sparring_file_my_file")]


def test_single_file_plugin_that_is_missing_or_no_python(site: Site, tmp_path: Path):
    with pytest.raises(PluginError, match="no plugin file"):
        manager.discover([tmp_path / "none.py"])
    (tmp_path / "notes.txt").write_text("plugin = 1")
    with pytest.raises(PluginError, match="not a Python file"):
        manager.discover([tmp_path / "notes.txt"])


def test_single_files_of_one_name_from_two_folders_do_not_mix(site: Site, tmp_path: Path):
    files = [tmp_path / name / "plugin.py" for name in ("first", "second")]
    for file in files:
        file.parent.mkdir()
        # The annotation is resolved in the module that the class names.
        source = "from __future__ import annotations\nWidth = {width}\n" + SPIRAL.replace("width: int", "width: Width")
        width = {"first": "int", "second": "str"}[file.parent.name]
        file.write_text(source.replace("{name}", file.parent.name).replace("{width}", width))
    registry = Registry(files)
    found = [registry.find("generator", f"{name}/mlp").load() for name in ("first", "second")]
    assert [parameters_of(target)[1].annotation for target in found] == [int, str]


def test_single_file_plugin_clashes_with_an_installed_one(site: Site, tmp_path: Path):
    site.add_plugin("spiral")
    file = tmp_path / "spiral.py"
    file.write_text(SPIRAL.replace("{name}", "spiral"))
    with pytest.raises(PluginError) as raised:
        Registry([file]).find("generator", "spiral/mlp")
    assert "sparring-spiral" in str(raised.value)
    assert str(file) in str(raised.value)


def test_missing_plugin_says_what_comes_near_and_what_to_install(site: Site):
    site.add_plugin("spiral")
    with pytest.raises(PluginError) as raised:
        Registry().find("generator", "spirla/mlp", where="networks.generator.use")
    assert "did you mean 'spiral'?" in str(raised.value)
    assert "pip install" in raised.value.remedy
    assert raised.value.where == "networks.generator.use"


def test_environment_is_read_each_time(site: Site):
    site.add_plugin("spiral")
    assert "SPARRING_PLUGINS" not in os.environ
    assert record_of("spiral").status == "found"
