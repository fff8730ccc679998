"""Data held in memory as compact tensors."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import ClassVar, Self

import torch
from torch import Tensor

from sparring.errors import DataError
from sparring.interfaces.data import Batch, Data
from sparring.interfaces.space import Space


class MemoryData(Data):
    """Samples, conditions and lengths as one tensor each; images may stay bytes until a batch is made of them.

    A subclass overrides ``decompress`` to turn bytes into numbers, and ``gather`` to flip or crop at random.

    Attributes:
        place_limit: The most bytes that ``place`` moves to an accelerator.

    Args:
        space: The space of the samples.
        sample: ``(N, *space.shape)``, of any type that ``decompress`` understands.
        conditions: By name, the condition's space and its ``(N, *shape)``.
        lengths: ``(N,)`` integers, for sequences.
        held_out: By name of the split, the indices of its rows; they are taken out of ``train``.
    """

    place_limit: ClassVar[int] = 2 * 2**30

    def __init__(
        self,
        space: Space,
        sample: Tensor,
        conditions: Mapping[str, tuple[Space, Tensor]] | None = None,
        lengths: Tensor | None = None,
        held_out: Mapping[str, Tensor] | None = None,
    ) -> None:
        conditions, held_out = conditions or {}, held_out or {}
        self.space = space
        self.conditions = {name: entry[0] for name, entry in conditions.items()}
        rows = Batch(sample, {name: entry[1] for name, entry in conditions.items()}, lengths)
        _check_rows(rows, space, self.conditions)
        self._held_out = {name: rows.rows(chosen) for name, chosen in held_out.items()}
        if held_out:
            training = torch.ones(len(rows), dtype=torch.bool)
            training[torch.cat(list(held_out.values()))] = False
            rows = rows.rows(training)
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def gather(self, indices: Tensor, *, rng: torch.Generator) -> Batch:
        rows, chosen = self._rows, indices.to(self._rows.sample.device)
        return Batch(
            self.decompress(rows.sample.index_select(0, chosen)),
            {name: value.index_select(0, chosen) for name, value in rows.condition.items()},
            None if rows.lengths is None else rows.lengths.index_select(0, chosen),
        )

    def decompress(self, raw: Tensor) -> Tensor:
        """Turn stored rows ``(B, *shape)`` into samples of the space, on the device where they are."""
        return raw

    def split(self, name: str) -> Self:
        if name == "train":
            return self
        if name not in self._held_out:
            known = ", ".join(["train", *self._held_out])
            raise DataError(
                f"{type(self).__name__} has no split '{name}'", where="evaluate.split", remedy=f"use one of: {known}"
            )
        part = copy.copy(self)
        part._rows, part._held_out = self._held_out[name], {}
        return part

    def place(self, device: torch.device) -> bool:
        tensors = [self._rows.sample, *self._rows.condition.values()]
        size = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
        if device.type != "cpu" and size > self.place_limit:
            return False
        self._rows = self._rows.to(device)
        return True


def hold_out(count: int, fraction: float, seed: int = 0) -> Tensor:
    """Choose rows at random for a held-out split: the same for the same arguments.

    Args:
        count: How many rows there are.
        fraction: The share to choose, between 0 and 1; at least one row is chosen, and one left.
        seed: Which choice.

    Returns:
        Sorted indices.
    """
    if count < 2 or not 0 < fraction < 1:
        raise DataError(
            f"{fraction} of {count} samples cannot be held out", remedy="hold out a share between 0 and 1 of at least 2"
        )
    chosen = min(max(round(count * fraction), 1), count - 1)
    return torch.randperm(count, generator=torch.Generator().manual_seed(seed))[:chosen].sort().values


def _check_rows(rows: Batch, space: Space, conditions: Mapping[str, Space]) -> None:
    named = [("samples", rows.sample, space.shape)]
    named += [(f"condition '{name}'", value, conditions[name].shape) for name, value in rows.condition.items()]
    if rows.lengths is not None:
        named.append(("lengths", rows.lengths, ()))
    for name, value, shape in named:
        wanted = (len(rows.sample), *shape)
        if not len(value) or tuple(value.shape) != wanted:
            raise DataError(
                f"the {name} have the shape {tuple(value.shape)}",
                remedy=f"give a tensor of shape {wanted}: one row a sample, in the shape of its space"
                if len(rows.sample)
                else "give at least one sample",
            )
