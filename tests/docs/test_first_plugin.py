"""The tutorial's plugin installs, is listed, trains and passes its contract, as its page says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, blocks

PAGE = ROOT / "docs" / "tutorial" / "first-plugin.md"
OTHER_PAGES = [ROOT / "docs" / "how-to" / name for name in ("write-a-term-or-loss.md", "write-a-callback.md")]
SHORT = ["stages.0.steps=4", "evaluate.count=64", "samples.count=16"]


def run(*command: str | Path, cwd: Path, site: Path | None = None) -> str:
    """Run a command, with a folder of installed packages before the others, and return what it printed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTEST_"))}
    environment |= {"OMP_NUM_THREADS": "1"} | ({"PYTHONPATH": str(site)} if site else {})
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def write_files(page: Path, folder: Path) -> list[Path]:
    """Write a page's files into a folder."""
    written = [folder / block.file for block in blocks(page) if block.file]
    for block in blocks(page):
        if block.file:
            (folder / block.file).write_text(block.text, encoding="utf-8")
    return written


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tutorial's folder."""
    folder = tmp_path_factory.mktemp("sparring-spiral")
    names = {path.name for path in write_files(PAGE, folder)}
    assert names == {"spiral.py", "recipe.yaml", "pyproject.toml", "test_spiral.py"}
    return folder


@pytest.fixture(scope="module")
def site(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the plugin is installed into, without the network."""
    folder = tmp_path_factory.mktemp("site")
    offline = ("--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check", "--quiet")
    run(sys.executable, "-m", "pip", "install", *offline, "--target", folder, ".", cwd=project)
    assert (folder / "spiral.py").is_file()
    return folder


def test_plugin_is_listed(site: Path, tmp_path: Path) -> None:
    plugins = json.loads(run(sys.executable, "-m", "sparring", "plugins", "--json", cwd=tmp_path, site=site))
    (found,) = [plugin for plugin in plugins if plugin["name"] == "spiral"]
    assert (found["distribution"], found["version"], found["status"]) == ("sparring-spiral", "0.1.0", "found")


def test_recipe_trains_the_installed_plugin(project: Path, site: Path, tmp_path: Path) -> None:
    recipe = project / "recipe.yaml"
    said = run(
        *(sys.executable, "-m", "sparring", "run", recipe, *SHORT, "--out", "run", "--json"), cwd=tmp_path, site=site
    )
    result = json.loads(said)
    assert (result["status"], result["step"]) == ("finished", 4)
    assert set(result["metrics"]) == {"modes", "high_quality", "reverse_kl"}
    assert (tmp_path / "run" / "report.html").is_file()


def test_contracts_of_the_pages_pass(project: Path, site: Path, tmp_path: Path) -> None:
    """The tutorial's, and those of the guides, in one process: starting one takes longest."""
    for page in (PAGE, *OTHER_PAGES):
        write_files(page, tmp_path)
    tests = sorted(path.name for path in tmp_path.glob("test_*.py"))
    assert tests == ["test_margin.py", "test_spiral.py", "test_watch.py"]
    said = run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests, cwd=tmp_path, site=site)
    assert " passed" in said
    assert "failed" not in said


def test_plugin_is_as_short_as_the_pages_say() -> None:
    texts = {block.file: block.text for block in blocks(PAGE)}
    assert len(texts["spiral.py"].splitlines()) == 16
    assert len([line for line in texts["test_spiral.py"].splitlines() if line]) == 4
    readme = [block.text for block in blocks(ROOT / "README.md") if "Plugin(" in block.text]
    assert readme == [texts["spiral.py"]]
