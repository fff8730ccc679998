"""What contracts work with where a component needs samples: small data, and rows drawn from a space."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import torch
from torch import Tensor

from sparring.data.memory import MemoryData
from sparring.data.points import Points
from sparring.errors import SparringError
from sparring.interfaces.data import Batch, Condition, Data
from sparring.interfaces.space import Space
from sparring.spaces.label import LabelSpace
from sparring.testing.stand_ins import END, PADDING, StandInTokens

ROWS = 64
POINTS = 512


@dataclass(frozen=True)
class Materials:
    """Spaces, data, and batches of them.

    Attributes:
        space: The samples' space.
        conditions: Each condition's space.
        data: Data of them.
    """

    space: Space
    conditions: Mapping[str, Space]
    data: Data

    def handed(self) -> dict[str, Any]:
        """Return what a run hands over to components."""
        resolve: Callable[[str], Space] = self.resolve
        return {"space": self.space, "conditions": self.conditions, "data": self.data, "reference": resolve}

    def resolve(self, path: str) -> Space:
        """Return the space that ``space`` or ``conditions.NAME`` means."""
        named = {"space": self.space, **{f"conditions.{name}": space for name, space in self.conditions.items()}}
        if path not in named:
            raise SparringError(f"'{path}' names no space", remedy=f"use one of: {', '.join(named)}")
        return named[path]

    def batch(self, rows: int, *, seed: int = 0) -> Batch:
        """Return real rows, where the data are of these spaces, and drawn ones where not."""
        rng = torch.Generator().manual_seed(seed)
        found = self.data.gather(torch.randint(len(self.data), (rows,), generator=rng), rng=rng)
        real = self.space is self.data.space
        condition = {
            name: found.condition[name] if self.data.conditions.get(name) is space else rows_of(space, rows, rng)
            for name, space in self.conditions.items()
        }
        return Batch(
            found.sample if real else rows_of(self.space, rows, rng), condition, found.lengths if real else None
        )

    def every_class(self) -> Batch:
        """Return rows in which every class of every label occurs."""
        labels = {name: space for name, space in self.conditions.items() if isinstance(space, LabelSpace)}
        rows = max([len(space.classes) for space in labels.values()], default=1)
        batch = self.batch(max(rows, 2))
        asked = {name: torch.arange(len(batch)) % len(space.classes) for name, space in labels.items()}
        return Batch(batch.sample, {**batch.condition, **asked}, batch.lengths)

    def conditioned(self, conditions: Mapping[str, Space]) -> Materials:
        """Return the same samples with other conditions."""
        return replace(self, conditions=conditions)


def materials(
    space: Space | None, conditions: Mapping[str, Space] | None, data: Data | None, *, sequences: bool = False
) -> Materials:
    """Return materials of what a contract gives; what it leaves open is a small default."""
    if data is None and space is None and conditions is None:
        data = _sequences() if sequences else _points()
    elif data is None:
        space = space or (_sequences() if sequences else _points()).space
        data = _drawn(space, conditions or {})
    return Materials(space or data.space, data.conditions if conditions is None else conditions, data)


def rows_of(space: Space, rows: int, rng: torch.Generator) -> Tensor:
    """Draw ``(rows, *space.shape)``: classes of a label, tokens, and otherwise numbers in [-1, 1]."""
    if isinstance(space, LabelSpace):
        return torch.randint(len(space.classes), (rows,), generator=rng)
    if isinstance(space, StandInTokens):
        return _tokens(space, rows, rng)[0]
    return torch.rand(rows, *space.shape, generator=rng) * 2 - 1


def noise_like(sample: Tensor, *, seed: int = 0) -> Tensor:
    """Draw samples that have the range of real ones, and nothing else of them."""
    rng = torch.Generator().manual_seed(seed)
    low, high = sample.min(), sample.max()
    if sample.is_floating_point():
        return low + (high - low) * torch.rand(sample.shape, generator=rng, dtype=sample.dtype)
    return torch.randint(int(low), int(high) + 1, sample.shape, generator=rng, dtype=sample.dtype)


def other_condition(condition: Condition, name: str, space: Space) -> Condition:
    """Return a condition in which every row asks for something else by one name."""
    value = condition[name]
    changed = (value + 1) % len(space.classes) if isinstance(space, LabelSpace) else value.roll(1, dims=0)
    return {**condition, name: changed}


@cache
def _points() -> Data:
    return Points(count=POINTS)


@cache
def _sequences() -> Data:
    return _drawn(StandInTokens(), {})


def _drawn(space: Space, conditions: Mapping[str, Space]) -> Data:
    rng = torch.Generator().manual_seed(0)
    drawn = {name: (one, rows_of(one, ROWS, rng)) for name, one in conditions.items()}
    held_out = {"test": torch.arange(ROWS * 3 // 4, ROWS)}
    if isinstance(space, StandInTokens):
        tokens, lengths = _tokens(space, ROWS, rng)
        return MemoryData(space, tokens, drawn, lengths, held_out)
    return MemoryData(space, rows_of(space, ROWS, rng), drawn, held_out=held_out)


def _tokens(space: StandInTokens, rows: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw sequences that end, and their lengths with the end counted."""
    lengths = torch.randint(2, space.length + 1, (rows,), generator=rng)
    tokens = torch.randint(END + 1, space.vocabulary, (rows, space.length), generator=rng)
    place = torch.arange(space.length)
    tokens[place == lengths[:, None] - 1] = END
    tokens[place >= lengths[:, None]] = PADDING
    return tokens, lengths
