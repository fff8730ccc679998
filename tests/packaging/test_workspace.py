"""The five distributions agree with one another and with the workspace that installs them."""

import ast
import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.packaging.distributions import FOLDERS, ROOT


def manifest(folder: str) -> dict:
    return tomllib.loads((ROOT / folder / "pyproject.toml").read_text(encoding="utf-8"))


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = (line.split("==") for line in lines if line and not line.startswith("#"))
    return {canonicalize_name(name): version for name, version in pairs}


def direct_requirements() -> list[Requirement]:
    """What the five distributions, their extras and the development groups name, less one another."""
    texts: list[str] = []
    for folder in FOLDERS.values():
        project = manifest(folder)["project"]
        texts += project["dependencies"]
        texts += (text for extra in project.get("optional-dependencies", {}).values() for text in extra)
    for group in manifest(".")["dependency-groups"].values():
        texts += (entry for entry in group if isinstance(entry, str))
    return [requirement for requirement in map(Requirement, texts) if requirement.name not in FOLDERS]


def test_workspace_installs_every_distribution():
    manifests = ROOT.glob("plugins/*/pyproject.toml")
    assert {path.parent.relative_to(ROOT).as_posix() for path in manifests} < set(FOLDERS.values())
    wanted = {f"{name} @ {{root:uri}}/{folder}" for name, folder in FOLDERS.items()}
    assert set(manifest(".")["project"]["dependencies"]) == wanted


@pytest.mark.parametrize("folder", FOLDERS.values())
def test_distribution_agrees_with_workspace(folder: str):
    workspace, distribution = manifest(".")["project"], manifest(folder)["project"]
    assert FOLDERS[distribution["name"]] == folder
    for key in ("version", "requires-python", "license"):
        assert distribution[key] == workspace[key]
    assert (ROOT / folder / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_core_knows_its_version():
    module = ast.parse((ROOT / "core/src/sparring/__init__.py").read_text(encoding="utf-8"))
    assigned = {
        target.id: ast.literal_eval(statement.value)
        for statement in module.body
        if isinstance(statement, ast.Assign)
        for target in statement.targets
        if isinstance(target, ast.Name) and target.id == "__version__"
    }
    assert assigned == {"__version__": manifest("core")["project"]["version"]}


def test_constraints_pin_what_is_required():
    versions = pins()
    requirements = direct_requirements()
    assert requirements
    for requirement in requirements:
        version = versions.get(canonicalize_name(requirement.name))
        assert version, f"constraints.txt does not pin {requirement.name}"
        assert requirement.specifier.contains(version), f"constraints.txt pins {requirement.name} {version}"


def test_constraints_suit_every_machine():
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    assert "://" not in text
    assert all(re.fullmatch(r"[\w.]+", version) for version in pins().values()), "a pin carries a local version"
    # Releases for CUDA machines bring these in by themselves; torchvision does not load beside a CPU-only torch.
    assert not {name for name in pins() if name.startswith(("nvidia", "torchvision", "triton"))}


def test_recipes_hold_no_code():
    module = ast.parse((ROOT / "recipes/__init__.py").read_text(encoding="utf-8"))
    assert ast.get_docstring(module)
    assert len(module.body) == 1
    assert {path.name for path in (ROOT / "recipes").rglob("*.py")} == {"__init__.py", "setup.py"}
