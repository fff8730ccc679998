"""Some classes of labelled data, or a few samples of each: what few-shot learning starts from."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from sparring.data.memory import hold_out
from sparring.errors import DataError
from sparring.interfaces.data import Batch, Data
from sparring.spaces.label import LabelSpace

ROWS = 1024  # that are read at a time, to see their labels


class Subset(Data):
    """The samples of some classes of any labelled data, or a few of each.

    Every split holds the chosen classes alone; ``per_class`` limits the training split, not what is held out.

    Args:
        of: The data, with a condition ``label``.
        classes: The names of the classes that are kept, in the order of their new numbers; all by default.
        per_class: How many samples of each class there are to train on; all by default.
        labels: Whether the class stays a condition.
        seed: Which samples are kept.
    """

    def __init__(
        self,
        of: Data,
        classes: Sequence[str] | None = None,
        per_class: int | None = None,
        labels: bool = True,
        seed: int = 0,
    ) -> None:
        label = of.conditions.get("label")
        if not isinstance(label, LabelSpace):
            raise DataError("a subset is chosen by class, and these data have no labels", remedy="use labelled data")
        chosen = list(label.classes) if classes is None else [str(name) for name in classes]
        if unknown := sorted(set(chosen) - set(label.classes)):
            raise DataError(f"there is no class '{unknown[0]}'", remedy=f"use some of: {', '.join(label.classes)}")
        self._of, self._classes, self._labels, self._seed = of, LabelSpace(chosen), labels, seed
        self._numbers = torch.full((len(label.classes),), -1)
        self._numbers[[label.classes.index(name) for name in chosen]] = torch.arange(len(chosen))
        self.space, self.notes = of.space, of.notes
        self.conditions = {name: space for name, space in of.conditions.items() if name != "label"}
        if labels:
            self.conditions["label"] = self._classes
        self._rows = self._choose(per_class)

    def __len__(self) -> int:
        return len(self._rows)

    def gather(self, indices: Tensor, *, rng: torch.Generator) -> Batch:
        batch = self._of.gather(self._rows[indices.cpu()], rng=rng)
        condition = {name: value for name, value in batch.condition.items() if name != "label"}
        if self._labels:
            label = batch.condition["label"]
            condition["label"] = self._numbers.to(label.device)[label]
        return Batch(batch.sample, condition, batch.lengths)

    def split(self, name: str) -> Subset:
        """Return the chosen classes of a part of the data; but for ``train``, all samples of them."""
        if name == "train":
            return self
        return Subset(self._of.split(name), self._classes.classes, None, self._labels, self._seed)

    def place(self, device: torch.device) -> bool:
        return self._of.place(device)

    def _choose(self, per_class: int | None) -> Tensor:
        rng = torch.Generator().manual_seed(self._seed)
        every = torch.arange(len(self._of))
        labels = [self._of.gather(rows, rng=rng).condition["label"].cpu() for rows in torch.split(every, ROWS)]
        number = self._numbers[torch.cat(labels)]
        chosen = []
        for index, name in enumerate(self._classes.classes):
            rows = (number == index).nonzero().flatten()
            if len(rows) < (per_class or 1):
                raise DataError(
                    f"of the class '{name}' there are {len(rows)} samples, and {per_class or 1} are asked for",
                    remedy="lower `per_class`, or leave the class out",
                )
            if per_class is not None and per_class < len(rows):
                rows = rows[hold_out(len(rows), per_class / len(rows), self._seed)]
            chosen.append(rows)
        return torch.cat(chosen).sort().values
