"""The wheels hold what they should, and work where nothing of this checkout is installed."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from configparser import ConfigParser
from email import message_from_string
from email.message import Message
from pathlib import Path

import pytest

from tests.packaging.distributions import FOLDERS, ROOT

ENTRY_POINTS = {
    "sparring": {
        "console_scripts": {"sparring": "sparring.cli:main"},
        "sparring": {"core": "sparring.builtin:plugin"},
    },
    "sparring-audio": {"sparring": {"audio": "sparring_audio:plugin"}},
    "sparring-image": {"sparring": {"image": "sparring_image:plugin"}},
    "sparring-recipes": {"sparring.recipes": {"sparring": "sparring_recipes"}},
    "sparring-text": {"sparring": {"text": "sparring_text:plugin"}},
}
LEFT_BY_TOOLS = shutil.ignore_patterns("build", "dist", "*.egg-info", "__pycache__", ".*")


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command and return what it printed; where it fails, show all that it said."""
    # PYTHONPATH would let the checkout in; what pip is set to on this machine should not decide what is built.
    unwanted = {"PYTHONPATH", "PIP_CONSTRAINT", "PIP_REQUIRE_VIRTUALENV", "PIP_TARGET", "PIP_USER"}
    environment = {name: value for name, value in os.environ.items() if name not in unwanted}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the distributions, so that building leaves nothing in the checkout, nor finds what was left there."""
    copy = tmp_path_factory.mktemp("sources")
    for folder in FOLDERS.values():
        shutil.copytree(ROOT / folder, copy / folder, ignore=LEFT_BY_TOOLS)
    # hatchling leaves out what git ignores: a pattern that hides a module must fail here.
    shutil.copy(ROOT / ".gitignore", copy)
    return copy


@pytest.fixture(scope="module")
def wheels(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The wheel of each distribution, built without the network."""
    folder = tmp_path_factory.mktemp("wheels")
    offline = ("--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check")
    targets = [f"./{distribution}" for distribution in FOLDERS.values()]
    run(sys.executable, "-m", "pip", "wheel", *offline, "--wheel-dir", folder, *targets, cwd=sources)
    built = {metadata(wheel)["Name"]: wheel for wheel in folder.glob("*.whl")}
    assert built.keys() == FOLDERS.keys()
    return built


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def text(wheel: Path, ending: str) -> str:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(ending)]
        return archive.read(name).decode()


def metadata(wheel: Path) -> Message:
    return message_from_string(text(wheel, ".dist-info/METADATA"))


@pytest.mark.parametrize("name", FOLDERS)
def test_wheel_names_itself(wheels: dict[str, Path], name: str):
    project = tomllib.loads((ROOT / FOLDERS[name] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    about = metadata(wheels[name])
    assert about["Version"] == project["version"]
    assert about["Requires-Python"] == project["requires-python"]
    assert about["License-Expression"] == "Apache-2.0"
    assert wheels[name].name.endswith("-py3-none-any.whl")


@pytest.mark.parametrize("name", FOLDERS)
def test_wheel_carries_licence(wheels: dict[str, Path], name: str):
    assert text(wheels[name], ".dist-info/licenses/LICENSE") == (ROOT / "LICENSE").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", FOLDERS)
def test_wheel_declares_entry_points(wheels: dict[str, Path], name: str):
    parser = ConfigParser(delimiters=("=",))
    parser.read_string(text(wheels[name], ".dist-info/entry_points.txt"))
    assert {section: dict(parser[section]) for section in parser.sections()} == ENTRY_POINTS[name]


@pytest.mark.parametrize("name", [name for name in FOLDERS if name != "sparring-recipes"])
def test_wheel_of_code_holds_its_package_and_nothing_else(wheels: dict[str, Path], name: str):
    package = name.replace("-", "_")
    source = ROOT / FOLDERS[name] / "src"
    modules = {path.relative_to(source).as_posix() for path in source.rglob("*.py")}
    held = names(wheels[name])
    assert modules <= held
    assert f"{package}/py.typed" in held
    assert {path.split("/")[0].split("-")[0] for path in held} == {package}


def test_wheel_of_recipes_holds_every_recipe_and_no_code(wheels: dict[str, Path], sources: Path):
    folder = sources / "recipes"
    recipes = {f"sparring_recipes/{path.relative_to(folder).as_posix()}" for path in folder.rglob("*.yaml")}
    assert recipes
    held = {name for name in names(wheels["sparring-recipes"]) if ".dist-info/" not in name}
    assert held == recipes | {"sparring_recipes/__init__.py"}


@pytest.fixture(scope="module")
def third_party(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All that is installed beside these tests, except Sparring: links, so that nothing is copied or downloaded."""
    folder = tmp_path_factory.mktemp("third-party")
    for scheme in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        for installed in Path(scheme).iterdir():
            # Path files are what makes an editable install; its metadata would list a plugin that is not there.
            ours = installed.name.startswith(("sparring", "__editable__", "__pycache__")) or installed.suffix == ".pth"
            if not ours:
                (folder / installed.name).symlink_to(installed)
    return folder


@pytest.mark.parametrize(
    "installed",
    [
        ("sparring", "sparring-recipes"),
        ("sparring", "sparring-recipes", "sparring-image"),
        tuple(FOLDERS),
    ],
    ids=["core", "image", "all"],
)
def test_wheels_work_in_clean_environment(
    wheels: dict[str, Path], third_party: Path, tmp_path: Path, installed: tuple[str, ...]
):
    environment = tmp_path / "environment"
    venv.create(environment, with_pip=False, symlinks=True)
    python = environment / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check")
    run(*pip, "install", "--no-index", "--no-deps", *(wheels[name] for name in installed), cwd=tmp_path)
    places = run(python, "-I", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=tmp_path)
    (Path(places.strip()) / "third_party.pth").write_text(f"{third_party}\n", encoding="utf-8")

    packages = [name.replace("-", "_") for name in installed]
    program = f"import {', '.join(packages)}\nfor package in ({', '.join(packages)},): print(package.__file__)"
    imported = run(python, "-I", "-c", program, cwd=tmp_path).splitlines()
    assert len(imported) == len(installed)
    assert all(Path(place).is_relative_to(environment) for place in imported), imported

    plugins = json.loads(run(python, "-I", "-m", "sparring", "plugins", "--json", cwd=tmp_path))
    assert all({"name", "distribution", "version", "status"} <= plugin.keys() for plugin in plugins)
    assert {plugin["distribution"] for plugin in plugins} == set(installed) - {"sparring-recipes"}
    for plugin in plugins:
        assert plugin["version"] == metadata(wheels[plugin["distribution"]])["Version"]

    # The script is another way in than the module; the recipes come from a distribution of their own.
    script = environment / "bin" / "sparring"
    assert json.loads(run(script, "recipes", "--json", cwd=tmp_path))
