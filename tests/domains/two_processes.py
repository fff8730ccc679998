"""What ``torchrun`` starts for ``test_parallel``: recipes in turn, and the weights that each process ends with."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import torch
from torch import nn

from sparring.api import train
from sparring.training import loop
from sparring.training.parallel import Parallel


def digest(network: nn.Module) -> str:
    """Return a fingerprint of a network's parameters; what batch normalisation has seen is no parameter."""
    values = b"".join(parameter.detach().numpy().tobytes() for parameter in network.parameters())
    return hashlib.sha256(values).hexdigest()


def outcome(recipe: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Train, and say how it went and which weights this process has at the end."""
    runs: list[Any] = []
    original = loop.StagedTrainer.fit

    def fit(self: Any, run: Any) -> Any:
        runs.append(run)
        return original(self, run)

    loop.StagedTrainer.fit = fit  # type: ignore[method-assign]
    try:
        result = train(recipe, out=folder)
    finally:
        loop.StagedTrainer.fit = original  # type: ignore[method-assign]
    (run,) = runs
    averages = {f"average of {role}": digest(one.network) for role, one in run.averages.items()}
    weights = {role: digest(network) for role, network in run.networks.items()}
    return {"status": result.status, "step": result.step, "weights": weights | averages}


def main(folder: Path) -> None:
    """Train the recipes of ``recipes.json``."""
    torch.set_num_threads(1)
    parallel = Parallel.start("cpu")
    found = {}
    for name, recipe in json.loads((folder / "recipes.json").read_text(encoding="utf-8")).items():
        found[name] = outcome(recipe, folder / name)
        parallel.wait()
    (folder / f"outcome-{os.environ['RANK']}.json").write_text(json.dumps(found), encoding="utf-8")
    parallel.wait()
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
