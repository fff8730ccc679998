"""Listings answer at once and import no torch."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sparring import __version__
from sparring.cli import main
from sparring.cli.schema import recipe_schema
from sparring.data import fetch
from sparring.errors import DataError
from sparring.interfaces.data import Source
from sparring.plugins.registry import Registry
from sparring.recipes import source
from sparring.recipes.check import resolve
from tests.core.fake_distributions import SPIRAL, Site, installed
from tests.core.test_recipe_check import GOOD

PROCESSOR_SECONDS = 0.5
PROBE = """
import os, sys
from sparring.cli import main
code = main({words!r})
used = os.times()
heavy = sorted({{"torch", "numpy", "sparring.plugins.options", "sparring.recipes.schema"}} & set(sys.modules))
print(code, used.user + used.system, *heavy, file=sys.stderr)
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    for found in installed(tmp_path, monkeypatch):
        found.add_recipe("toys", f"summary: Toys [not markup]\n{source.dump(GOOD)}")
        yield found


@pytest.mark.parametrize(
    "words", [["recipes"], ["recipes", "--json"], ["plugins"], ["plugins", "--json"], ["--version"], ["--help"]]
)
def test_listing_needs_little_time_and_no_torch(site: Site, words: list[str]):
    site.add_plugin("heavy", "import torch")
    done = subprocess.run([sys.executable, "-c", PROBE.format(words=words)], capture_output=True, text=True, check=True)
    code, used, *heavy = done.stderr.split()
    assert code == "0"
    assert not heavy
    assert float(used) < PROCESSOR_SECONDS
    assert done.stdout


def test_module_is_the_program():
    done = subprocess.run([sys.executable, "-m", "sparring", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"sparring {__version__}\n"


def output_of(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    capsys.readouterr()
    assert main(words) == code
    return capsys.readouterr().out


def test_recipes(site: Site, capsys: pytest.CaptureFixture[str]):
    assert "toys" in output_of(capsys, "recipes")
    assert "Toys [not markup]" in output_of(capsys, "recipes")
    (row,) = [row for row in json.loads(output_of(capsys, "recipes", "--json")) if row["name"] == "toys"]
    assert row["summary"] == "Toys [not markup]"


def test_show_resolves_and_is_a_recipe_again(site: Site, capsys: pytest.CaptureFixture[str], tmp_path: Path):
    shown = output_of(capsys, "show", "toys", "stages.0.steps=77")
    (tmp_path / "shown.yaml").write_text(shown)
    values = source.read(tmp_path / "shown.yaml")
    assert values["stages"][0]["steps"] == 77
    assert values["seed"] == 0
    assert json.loads(output_of(capsys, "show", "toys", "stages.0.steps=77", "--json")) == values


def test_copy_refuses_to_overwrite(site: Site, capsys: pytest.CaptureFixture[str], tmp_path: Path):
    file = tmp_path / "new" / "mine.yaml"
    output_of(capsys, "copy", "toys", str(file))
    assert file.read_text() == source.find("toys").read_text()
    file.write_text("mine")
    output_of(capsys, "copy", "toys", str(file), code=1)
    assert file.read_text() == "mine"
    assert main(["copy", "toys", str(tmp_path / "mine.txt")]) == 1
    assert "mine.yaml" in capsys.readouterr().err


def test_plugins(site: Site, capsys: pytest.CaptureFixture[str]):
    site.add_plugin("spiral")
    assert "sparring-spiral 1.0" in output_of(capsys, "plugins")
    rows = {row["name"]: row for row in json.loads(output_of(capsys, "plugins", "--json"))}
    assert rows["spiral"]["status"] == "found"
    assert "spiral/mlp" in output_of(capsys, "plugins", "--components")
    parts = json.loads(output_of(capsys, "plugins", "--components", "--json"))
    assert {"core", "spiral"} <= {part["name"].split("/")[0] if "/" in part["name"] else "core" for part in parts}


def test_check_finds_broken_plugins_and_broken_lazy_components(site: Site, capsys: pytest.CaptureFixture[str]):
    site.add_plugin("whole")
    site.add_plugin("broken", "import no_such_library")
    site.add_plugin(
        "lazy", "from sparring import Plugin\nplugin = Plugin('lazy')\nplugin.add('loss', 'x', 'nowhere:X')\n"
    )
    rows = {row["name"]: row for row in json.loads(output_of(capsys, "plugins", "--check", "--json", code=1))}
    assert rows["whole"]["status"] == "loaded"
    assert "no_such_library" in rows["broken"]["cause"]
    assert (rows["lazy"]["status"], "nowhere" in rows["lazy"]["cause"]) == ("broken", True)


def test_single_file_plugin_is_listed(site: Site, capsys: pytest.CaptureFixture[str], tmp_path: Path):
    file = tmp_path / "mine.py"
    file.write_text(SPIRAL.replace("{name}", "mine"))
    assert "mine/mlp" in output_of(capsys, "plugins", "--components", "--plugin", str(file))


DATA = """
from sparring import Plugin, Source
plugin = Plugin("{name}")

@plugin.data("far")
class Far:
    "Data from elsewhere."
    source = Source(client="url", locator="https://example.org/a.zip", licence="CC0", size=5, sha256="0")
"""


ENCODER = """
from sparring import Plugin, Source
plugin = Plugin("{name}")

@plugin.encoder("learnt")
class Learnt:
    "An encoder with weights from elsewhere."
    source = Source(client="url", locator="https://example.org/weights", licence="MIT", size=5, sha256="0")

@plugin.encoder("random")
class Random:
    "An encoder without."
"""


def test_pretrained_weights_are_listed_and_fetched_like_data(
    site: Site, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("SPARRING_DATA", str(tmp_path))
    site.add_plugin("eyes", ENCODER)
    rows = {row["name"]: row for row in json.loads(output_of(capsys, "data", "--json"))}
    assert rows["eyes/learnt"] | {"kind": "encoder", "state": "to fetch", "licence": "MIT"} == rows["eyes/learnt"]
    assert rows["points"]["kind"] == "data"
    assert "eyes/random" not in rows

    def refuse(asked: Source, *_: object) -> None:
        raise DataError(f"{asked.locator} was asked for")

    monkeypatch.setitem(fetch._DOWNLOADERS, "url", refuse)
    for name, said in (
        ("eyes/learnt", "https://example.org/weights was asked for"),
        ("eyes/random", "'eyes/random' is an encoder"),
    ):
        assert main(("data", "fetch", name)) == 1
        assert said in capsys.readouterr().err


def test_data_are_listed_with_source_and_licence(
    site: Site, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("SPARRING_DATA", str(tmp_path))
    site.add_plugin("afar", DATA)
    rows = {row["name"]: row for row in json.loads(output_of(capsys, "data", "--json"))}
    assert rows["points"]["state"] == "ready"
    assert rows["afar/far"] | {"state": "to fetch", "licence": "CC0"} == rows["afar/far"]
    text = output_of(capsys, "data")
    assert "https://example.org/a.zip" in text
    assert "CC0" in text
    output_of(capsys, "data", "fetch", "points")


def test_schema_knows_names_and_options(site: Site, capsys: pytest.CaptureFixture[str], tmp_path: Path):
    site.add_plugin("spiral")
    written = tmp_path / "schema.json"
    output_of(capsys, "schema", "--out", str(written))
    schema = json.loads(written.read_text())
    network = schema["$defs"]["NetworkSpec"]
    assert {"mlp", "spiral/mlp"} <= set(network["properties"]["use"]["enum"])
    (then,) = [one["then"] for one in network["allOf"] if one["if"]["properties"]["use"]["const"] == "spiral/mlp"]
    assert then["properties"]["width"] == {"default": 64, "title": "Width", "type": "integer"}
    assert {"init", "kind", "use"} <= set(then["properties"])
    assert schema["properties"]["data"]["$ref"] == "#/$defs/component.data"
    assert "hinge" in schema["$defs"]["component.loss.name"]["enum"]


def references(schema: object) -> set[str]:
    if isinstance(schema, dict):
        own = {schema["$ref"]} if isinstance(schema.get("$ref"), str) else set()
        return own.union(*(references(part) for part in schema.values()))
    return set().union(*(references(part) for part in schema)) if isinstance(schema, list) else set()


def test_schema_has_no_dangling_references(site: Site):
    registry = Registry()
    registry.load_all()
    schema = recipe_schema(registry)
    found = references(schema)
    assert found
    assert {reference.removeprefix("#/$defs/") for reference in found} <= set(schema["$defs"])


def test_good_recipe_fits_the_schema(site: Site):
    jsonschema = pytest.importorskip("jsonschema")
    registry = Registry()
    registry.load_all()
    validator = jsonschema.Draft7Validator(recipe_schema(registry))
    assert not list(validator.iter_errors(GOOD))
    assert not list(validator.iter_errors(resolve(GOOD, registry).dump()))
    for override in ("data.modse=1", "stages.0.objective.loss=hing", "stages.0.terms.0.use=r9", "networks.g={use: x}"):
        assert list(validator.iter_errors(source.override(GOOD, [override]))), override
