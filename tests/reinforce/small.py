"""The shipped recipes of reinforcement with little data, small networks and few steps."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import yaml

from tests.text.corpora import write

FOLDER = Path(__file__).parents[2] / "recipes" / "reinforce"
RECIPES = sorted(path.stem for path in FOLDER.glob("*.yaml"))


def values_of(name: str) -> dict[str, Any]:
    """Return a recipe as it ships."""
    found: dict[str, Any] = yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    return found


def chain(folder: Path, *, steps: int) -> dict[str, Any]:
    """Return the recipe of three stages on sentences of one length, the same optimisers' kinds, and small networks."""
    values = values_of("chain")
    # As many tokens in each: then a mean over tokens is the same in parts as of the whole batch.
    words = (("the", "a", "my"), ("cat", "dog", "king"), ("sees", "likes", "found"), ("me", "nobody", "apples"))
    lines = [" ".join(chosen) for chosen in product(*words)]
    values["data"] = {
        "use": "text/lines",
        "path": str(write(folder / "lines.txt", lines)),
        "length": 10,
        "minimum_count": 1,
    }
    values["networks"]["generator"] |= {"width": 12, "embedding_dim": 8}
    values["networks"]["discriminator"] |= {"embedding_dim": 8, "filters": 4, "widths": [2, 3]}
    for stage in values["stages"]:
        stage |= {"steps": steps, "batch": 8}
    reward = values["stages"][2]["objective"]
    reward["group"] = 2
    reward["reward"]["parts"]["brackets"] = {"use": "text/pattern", "pattern": "the"}
    values["evaluate"] = {"every": steps, "count": 20, "metrics": [{"use": "text/distinct"}]}
    values["samples"] = {"every": steps, "count": 4}
    values["checkpoint"] = {"every": 7, "keep": 3}
    values["log"] = {"every": 3}
    return values | {"device": "cpu"}
