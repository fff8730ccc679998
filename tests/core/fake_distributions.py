"""Distributions that are found like installed ones: a folder on ``sys.path`` with modules and metadata."""

import importlib
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import entry_points
from pathlib import Path

import pytest

SPIRAL = """
from torch import Tensor, nn

from sparring import Condition, Generator, Plugin

plugin = Plugin("{name}")

@plugin.generator("mlp")
class MLP(Generator):
    "Map a latent vector to a point in the plane."

    def __init__(self, latent_dim: int = 16, width: int = 64) -> None:
        super().__init__()
        self.latent_shape = (latent_dim,)
        self.net = nn.Sequential(nn.Linear(latent_dim, width), nn.ReLU(), nn.Linear(width, 2))

    def forward(self, latent: Tensor, condition: Condition) -> Tensor:
        return self.net(latent)
"""


class Site:
    """A folder that stands for ``site-packages``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(
        self, name: str, points: Mapping[str, Mapping[str, str]], files: Mapping[str, str], version: str = "1.0"
    ) -> None:
        """Install a distribution: its entry points by group, its files by path."""
        information = self.folder / f"{name.replace('-', '_')}-{version}.dist-info"
        information.mkdir(parents=True)
        (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        lines = [line for group in points for line in (f"[{group}]", *(f"{k} = {v}" for k, v in points[group].items()))]
        (information / "entry_points.txt").write_text("\n".join(lines) + "\n")
        for path, text in files.items():
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / path).write_text(text, encoding="utf-8")
        importlib.invalidate_caches()

    def add_plugin(self, name: str, source: str = SPIRAL, *, distribution: str = "", module: str = "") -> None:
        """Install a plugin of one module; ``{name}`` in its source becomes the plugin's name."""
        distribution = distribution or f"sparring-{name}"
        module = module or f"fake_{name}"
        points = {"sparring": {name: f"{module}:plugin"}}
        self.add(distribution, points, {f"{module}.py": source.replace("{name}", name)})

    def add_recipe(self, name: str, text: str) -> None:
        """Install a recipe, in a package of its own."""
        package = "fake_recipes_" + name.replace("/", "_")
        files = {f"{package}/__init__.py": "", f"{package}/{name}.yaml": text}
        self.add(package.replace("_", "-"), {"sparring.recipes": {package: package}}, files)


def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """Give a site that is on ``sys.path`` until the test ends; the core's own plugin is always found."""
    site = Site(tmp_path / "site")
    site.folder.mkdir()
    monkeypatch.syspath_prepend(str(site.folder))
    monkeypatch.setenv("PYTHONPATH", str(site.folder), prepend=":")
    for variable in ("SPARRING_PLUGINS", "SPARRING_DISABLE_PLUGINS"):
        monkeypatch.delenv(variable, raising=False)
    if not any(point.name == "core" for point in entry_points(group="sparring")):
        site.add("sparring", {"sparring": {"core": "sparring.builtin:plugin"}}, {}, version="0.1.0")
    before = set(sys.modules)
    yield site
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]
