"""Class labels."""

from __future__ import annotations

import operator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sparring.errors import DataError
from sparring.interfaces.space import Space


class LabelSpace(Space):
    """One of several classes, as an integer in ``[0, len(classes))``; its shape is ``()``.

    Args:
        classes: The classes' names, in the order of their indices.
    """

    def __init__(self, classes: list[str]) -> None:
        twice = sorted({name for name in classes if classes.count(name) > 1})
        if twice or not classes:
            raise DataError(
                f"two classes are named '{twice[0]}'" if twice else "a label needs at least one class",
                where="classes",
                remedy="give each class a name of its own",
            )
        self.classes = classes
        self.shape = ()

    def encode(self, raw: Any) -> Tensor:
        """Turn a class's name, or its index as a number or as digits, into an integer ``()``."""
        if raw in self.classes:
            return torch.tensor(self.classes.index(raw))
        try:
            index = int(raw) if isinstance(raw, str) else operator.index(raw)
        except (TypeError, ValueError):
            index = -1
        if isinstance(raw, bool) or not 0 <= index < len(self.classes):
            raise DataError(
                f"{raw!r} is no class",
                remedy=f"use one of: {', '.join(self.classes)}; or an index from 0 to {len(self.classes) - 1}",
            )
        return torch.tensor(index)

    def decode(self, sample: Tensor) -> str:
        return self.classes[int(sample)]

    def save(self, samples: Tensor, folder: Path) -> list[Path]:
        """Write ``labels.txt``, one name a line."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "labels.txt"
        path.write_text("".join(f"{self.decode(sample)}\n" for sample in samples), encoding="utf-8")
        return [path]

    def preview(self, samples: Tensor) -> str:
        return ", ".join(self.decode(sample) for sample in samples)
