"""What ``torchrun`` starts for ``test_parallel``: every case in turn, each with its outcome in a file a process.

One start serves all cases, because starting costs more than training does.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from sparring.api import resume, train
from sparring.errors import SparringError
from sparring.training import loop
from sparring.training.parallel import Parallel
from tests.core import translation
from tests.core.training.running import EVALUATE, PARTS, SAMPLES, Stop, tiny

SGD = {"use": "sgd", "lr": 0.05}
PLAIN = {"generator": SGD, "discriminator": SGD}
STEPS = 50
PENALTIES = [{"use": "r1", "gamma": 0.1}, {"use": "gradient-penalty", "every": 4}, {"use": "dragan", "every": 4}]

TRANSLATORS = {
    role: {"use": f"cycle/{kind}", **({"space": "conditions.image"} if role.startswith("backward") else {})}
    for kind, roles in (
        ("translator", ("generator", "backward_generator")),
        ("judge", ("discriminator", "backward_discriminator")),
    )
    for role in roles
}
CYCLE = {
    # A history that is full after the second step, so that most of what critics see is drawn from it.
    "objective": {"use": "cycle", "loss": "least-squares", "history": 20},
    "terms": [{"use": "cycle-consistency"}, {"use": "identity", "weight": 0.5}],
    "batch": 16,
    "accumulate": 2,
    "optimizers": {role: {"use": "sgd", "lr": 0.01} for role in TRANSLATORS},
}

CASES: dict[str, dict[str, Any]] = {
    "sgd": tiny({"steps": STEPS, "batch": 16, "optimizers": PLAIN, "terms": PENALTIES}),
    "accumulated": tiny({"batch": 16, "accumulate": 2, "optimizers": PLAIN, "ema": {"generator": 0.9}}),
    "translated": tiny(CYCLE, data={"use": "cycle/domains"}, networks=TRANSLATORS),
    "rows": tiny(data={"use": "parts/recording", "folder": "FOLDER"}),
    "lopsided": tiny(networks={**tiny()["networks"], "discriminator": {"use": "parts/lopsided"}}),
    # Nothing is due at once, so that a process which waits alone for another would be found out.
    "out of step": tiny(
        evaluate={**EVALUATE, "every": 2},
        samples={**SAMPLES, "every": 3},
        checkpoint={"every": 4, "keep": {"best": "modes"}},
        log={"every": 5},
    ),
    "spoiled on the second": tiny({"terms": [{"use": "parts/spoiled", "at": 4, "rank": 1}]}, log={"every": 2}),
    "asked to end": tiny(callbacks=[{"use": "parts/stop", "at": 6}]),
    "uneven batch": tiny({"batch": 9}),
}


class FirstGradients:
    """Keep what each network's first update gave its parameters, after the processes have averaged it."""

    def __init__(self) -> None:
        self.found: dict[str, Any] = {}

    def __call__(self, run: Any, update: Any) -> None:
        for role in update.trains:
            for name, parameter in run.networks[role].named_parameters():
                if run.step == 0 and parameter.grad is not None:
                    self.found.setdefault(f"{update.name}: {role}.{name}", parameter.grad.flatten().tolist())


def outcome(recipe: Mapping[str, Any], folder: Path, **options: Any) -> dict[str, Any]:
    """Train, and say how it went; the gradients are read in every process, where listeners are in the first alone."""
    gradients = FirstGradients()
    original = loop.StagedTrainer.update

    def update(self: Any, run: Any, stage: Any, update: Any, repeat: int, before: Any) -> Any:
        contexts = original(self, run, stage, update, repeat, before)
        gradients(run, update)
        return contexts

    loop.StagedTrainer.update = update  # type: ignore[method-assign]
    try:
        result = train(recipe, out=folder, plugins=[PARTS, Path(translation.__file__)], **options)
    except SparringError as error:
        return {"kind": type(error).__name__, "error": str(error)}
    finally:
        loop.StagedTrainer.update = original  # type: ignore[method-assign]
    return {"status": result.status, "reason": result.reason, "step": result.step, "gradients": gradients.found}


def main(folder: Path) -> None:
    """Run every case."""
    torch.set_num_threads(1)
    rank = os.environ.get("RANK", "0")
    parallel = Parallel.start("cpu")
    found: dict[str, Any] = {}
    for name, recipe in CASES.items():
        placed = json.loads(json.dumps(recipe).replace("FOLDER", str(folder)))
        found[name] = outcome(placed, folder / name)
        parallel.wait()
    # Ctrl-C reaches one process before the other; an extension is relative to what the folder says.
    found["stopped"] = outcome(CASES["accumulated"], folder / "stopped", listeners=[Stop(5)])
    parallel.wait()
    result = resume(folder / "stopped", overrides=["stages.0.steps=+3"])
    found["extended"] = {"status": result.status, "step": result.step}
    (folder / f"outcome-{rank}.json").write_text(json.dumps(found))
    parallel.wait()
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
