"""Write samples to files: a run's previews, and files whose names say what was asked for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from PIL.Image import Image
from torch import Tensor

from sparring.interfaces.data import Batch
from sparring.interfaces.space import Space
from sparring.spaces.label import LabelSpace
from sparring.training.generate import first_rows

if TYPE_CHECKING:
    from sparring.training.run import Run

HEARD = 10
"""How many sounds are kept beside a preview: as many as there are digits, so that each can be heard once."""

LONGEST = 60
"""Characters of a class's name that a file's name takes over: at most 240 of the 255 bytes that it may have."""


def write_preview(run: Run, samples: Batch, target: Path) -> None:
    """Write a preview as ``target.png`` or ``target.txt``, and a few sounds where samples are sounds."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shown = (None if target.name == "real" else _comparison(run, samples)) or run.space.preview(samples.sample)
    if isinstance(shown, str):
        target.with_suffix(".txt").write_text(shown, encoding="utf-8")
    else:
        shown.save(target.with_suffix(".png"))
    if run.space.audible:
        heard = target.with_suffix("") if target.name == "real" else target.parent
        heard.mkdir(exist_ok=True)
        save_samples(samples.rows(_in_turn(samples, run.conditions)[:HEARD]), run.space, run.conditions, heard)


def _comparison(run: Run, samples: Batch) -> Image | None:
    """Show generated samples between what they were made from and what they should be, where a person can see both."""
    data = run.examples()
    # Only held-out rows are sure to belong together: training may draw images of two domains apart.
    if data is None or run.recipe.evaluate is None:
        return None
    given = {
        name: samples.condition[name]
        for name, space in run.conditions.items()
        # Where a mask says that pixels are missing, the image beside it shows the hole.
        if type(space) is type(run.space) and name != "mask"
    }
    if not given:
        return None
    true = first_rows(data, len(samples), seed=run.recipe.seed).sample
    return run.space.compare({**given, "generated": samples.sample, "true": true})


def real_preview(run: Run) -> None:
    """Write a preview of real samples, to be seen beside generated ones."""
    if not run.parallel.main or run.recipe.samples is None:
        return
    real = run.real_samples(run.recipe.samples.count)
    if len(real):
        write_preview(run, real, run.folder / "samples" / "real")


def save_samples(samples: Batch, space: Space, conditions: Mapping[str, Space], folder: Path) -> list[Path]:
    """Write samples into a folder, with the classes that they were asked for, and return the paths.

    Where the space writes a file a sample, the class becomes a part of its name: ``00000-seven.wav``. Where it writes
    one file for all, the classes lie beside it in ``labels.txt``, one a line.

    Args:
        samples: With their conditions.
        space: The samples' space.
        conditions: The conditions' spaces; those that are no class labels leave no trace.
        folder: Where they are written.
    """
    paths = space.save(samples.sample, folder)
    labels = labels_of(samples, conditions)
    if not labels:
        return paths
    if len(paths) == len(labels):
        return [_named(path, label) for path, label in zip(paths, labels, strict=True)]
    beside = folder / "labels.txt"
    beside.write_text("".join(f"{label}\n" for label in labels), encoding="utf-8")
    return [*paths, beside]


def labels_of(samples: Batch, conditions: Mapping[str, Space]) -> list[str]:
    """Return each sample's class, or classes joined by a dash; nothing where no condition is a class label."""
    spaces = _label_spaces(samples, conditions)
    columns = [[space.decode(value) for value in samples.condition[name]] for name, space in spaces.items()]
    return ["-".join(row) for row in zip(*columns, strict=True)]


def _in_turn(samples: Batch, conditions: Mapping[str, Space]) -> Tensor:
    """Return the rows' numbers so ordered that each class comes once before any comes twice, in the classes' order."""
    values = [samples.condition[name] for name in _label_spaces(samples, conditions)]
    classes = torch.stack(values, dim=1).tolist() if values else []
    seen: Counter[tuple[int, ...]] = Counter()
    order = []
    for number, row in enumerate(map(tuple, classes)):
        order.append((seen[row], row, number))
        seen[row] += 1
    return torch.tensor([number for _, _, number in sorted(order)]) if order else torch.arange(len(samples))


def _label_spaces(samples: Batch, conditions: Mapping[str, Space]) -> dict[str, LabelSpace]:
    return {
        name: space for name, space in conditions.items() if isinstance(space, LabelSpace) and name in samples.condition
    }


def _named(path: Path, label: str) -> Path:
    """Rename a file so that its name ends in a label; what a file's name cannot hold becomes an underscore."""
    safe = re.sub(r"[^\w .+-]", "_", label)[:LONGEST].strip()
    return path.replace(path.with_name(f"{path.stem}-{safe}{path.suffix}")) if safe else path
