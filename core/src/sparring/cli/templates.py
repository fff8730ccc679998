"""The files of a new plugin."""

from __future__ import annotations

MODULE = '''from torch import Tensor, nn

from sparring import Condition, Generator, Plugin

plugin = Plugin("{name}")


@plugin.generator("mlp")
class {title}MLP(Generator):
    """Map a latent vector to a point in the plane."""

    def __init__(self, latent_dim: int = 16, width: int = 64) -> None:
        super().__init__()
        self.latent_shape = (latent_dim,)
        self.net = nn.Sequential(nn.Linear(latent_dim, width), nn.ReLU(), nn.Linear(width, 2))

    def forward(self, latent: Tensor, condition: Condition) -> Tensor:  # (B, latent_dim) -> (B, 2)
        return self.net(latent)
'''

TEST = """import {package}
from sparring.testing import GeneratorContract


class Test{title}MLP(GeneratorContract):
    plugin = {package}.plugin
    name = "{name}/mlp"
"""

PROJECT = """[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "sparring-{name}"
version = "0.1.0"
description = "A plugin for Sparring"
readme = "README.md"
requires-python = ">=3.11"
dependencies = ["sparring", "torch"]

[project.entry-points.sparring]
{name} = "{package}:plugin"

[tool.hatch.build.targets.wheel]
packages = ["src/{package}"]
"""

README = """# sparring-{name}

A plugin for Sparring with one generator, `{name}/mlp`.

```sh
pip install --editable .
sparring plugins --check
pytest
```

A recipe that trains it on points along a spiral; save it as `recipe.yaml`, then `sparring run recipe.yaml`:

```yaml
schema: 1
name: {name}/first
needs: [{name}]
data: {{use: points, arrangement: spiral}}
networks:
  generator: {{use: {name}/mlp}}
  discriminator: {{use: mlp}}
stages:
  - name: contend
    objective: {{use: adversarial, loss: non-saturating}}
    steps: 1000
    batch: 128
    optimizers:
      generator: {{use: adam, lr: 1.0e-3}}
      discriminator: {{use: adam, lr: 1.0e-3}}
checkpoint: {{every: 500}}
samples: {{every: 200}}
```
"""


def plugin_files(name: str) -> dict[str, str]:
    """Return the files of a plugin, by path.

    Args:
        name: Lower-case letters, digits and dashes.
    """
    package = "sparring_" + name.replace("-", "_")
    words = {"name": name, "package": package, "title": "".join(part.capitalize() for part in name.split("-"))}
    return {
        "pyproject.toml": PROJECT.format(**words),
        "README.md": README.format(**words),
        f"src/{package}/__init__.py": MODULE.format(**words),
        f"tests/test_{name.replace('-', '_')}.py": TEST.format(**words),
    }
