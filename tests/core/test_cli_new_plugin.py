"""``sparring new plugin`` writes a package that installs, passes its own test and trains."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sparring.cli import main
from tests.core.fake_distributions import Site, installed


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.chdir(tmp_path)
    yield from installed(tmp_path, monkeypatch)


def run(*command: str, cwd: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def install(folder: Path, site: Site) -> None:
    offline = ("--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check", "--quiet")
    run(sys.executable, "-m", "pip", "install", *offline, "--target", str(site.folder), str(folder), cwd=folder)


@pytest.mark.parametrize("name", ["spiral", "my-first-2", "class"])
def test_files_are_python_and_short(site: Site, name: str):
    assert main(["new", "plugin", name, "--out", "new"]) == 0
    package = "sparring_" + name.replace("-", "_")
    for path in (f"new/src/{package}/__init__.py", f"new/tests/test_{name.replace('-', '_')}.py"):
        text = Path(path).read_text(encoding="utf-8")
        ast.parse(text)
        assert len(text.splitlines()) <= 20
    assert f'{name} = "{package}:plugin"' in Path("new/pyproject.toml").read_text(encoding="utf-8")
    assert f"use: {name}/mlp" in Path("new/README.md").read_text(encoding="utf-8")


def test_new_plugin_installs_lists_and_trains(site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["new", "plugin", "my-spiral"]) == 0
    install(tmp_path / "sparring-my-spiral", site)
    assert main(["plugins"]) == 0
    assert "sparring-my-spiral 0.1.0" in capsys.readouterr().out
    readme = (tmp_path / "sparring-my-spiral" / "README.md").read_text(encoding="utf-8")
    (recipe,) = re.findall(r"```yaml\n(.*?)```", readme, re.DOTALL)
    Path("recipe.yaml").write_text(recipe, encoding="utf-8")
    assert main(["run", "recipe.yaml", "stages.0.steps=2", "samples.every=1"]) == 0
    assert Path("runs/my-spiral-first/final/generator.safetensors").is_file()


def test_new_plugin_passes_its_own_test(site: Site, tmp_path: Path):
    assert main(["new", "plugin", "my-spiral"]) == 0
    install(tmp_path / "sparring-my-spiral", site)
    said = run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=tmp_path / "sparring-my-spiral")
    assert "passed" in said


@pytest.mark.parametrize("name", ["Spiral", "2d", "a_b", "a--b", "-a", "a/b", "../a", "", "é"])
def test_bad_names_are_refused(site: Site, name: str, capsys: pytest.CaptureFixture[str]):
    assert main(["new", "plugin", "--out", "new", "--", name]) == 1
    assert "cannot name a plugin" in capsys.readouterr().err
    assert not Path("new").exists()


def test_names_and_folders_that_are_taken_are_refused(site: Site, capsys: pytest.CaptureFixture[str]):
    site.add_plugin("spiral")
    assert main(["new", "plugin", "spiral"]) == 1
    assert "installed already" in capsys.readouterr().err
    Path("sparring-mine").mkdir()
    assert main(["new", "plugin", "mine"]) == 1
    assert "left as it is" in capsys.readouterr().err
    assert not list(Path("sparring-mine").iterdir())
