"""Objectives turn a batch into named loss terms, update by update."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, NamedTuple

from torch import Tensor

from sparring.interfaces.context import Context


class Update(NamedTuple):
    """One optimiser step inside a training step.

    Attributes:
        name: The update's name in logs and in the seed of its noise.
        trains: The roles that learn in it, together.
        every: Take it in every n-th step only; its loss is scaled by n, as lazy regularisation asks.
        repeat: Take it n times in a row, each with a fresh batch and fresh noise.
        full_precision: Compute it in float32 even where the run's precision is bf16.
        continues: Use the batch, noise and kept forward passes of the update before it.
    """

    name: str
    trains: tuple[str, ...]
    every: int = 1
    repeat: int = 1
    full_precision: bool = False
    continues: bool = False


class Term(ABC):
    """One addend of an update's loss.

    Attributes:
        trains: The roles that the term trains; terms that share ``(trains, every)`` form one update.
    """

    trains: tuple[str, ...]

    def prepare(self, context: Context) -> None:  # noqa: B027 - optional
        """Do what must precede every forward pass of the update, such as asking for a sample's gradient."""

    @abstractmethod
    def __call__(self, context: Context) -> Tensor:
        """Return the term's value, a scalar, before its weight."""

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run needs: tensors, numbers, strings, and lists and dicts of them."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:  # noqa: B027 - optional
        """Return to a saved state."""


@dataclass
class WeightedTerm:
    """A term as a stage uses it."""

    name: str
    term: Term
    weight: float = 1.0
    every: int = 1


class Objective(ABC):
    """Turn a batch into named loss terms; hold neither networks nor optimisers.

    Attributes:
        own_updates: The updates whose losses ``terms`` gives, in the order in which they are taken.
        sequence_roles: The roles whose networks must be ``SequenceGenerator``.
        updates: The same, and one more for each ``(trains, every)`` of the stage's terms that none of them covers.
    """

    own_updates: tuple[Update, ...]
    sequence_roles: tuple[str, ...] = ()
    weighted: tuple[WeightedTerm, ...] = ()
    _derived: tuple[Update, ...] = ()
    _homes: Mapping[str, tuple[str, ...]] = {}  # the updates of each term, by the term's name

    @property
    def updates(self) -> tuple[Update, ...]:
        """List the updates of one training step."""
        return (*self.own_updates, *self._derived)

    def attach(self, weighted: Sequence[WeightedTerm]) -> None:
        """Take over the stage's terms. Each joins the first update that trains the same roles equally often.

        Where updates continue that one and train the same roles, they are further passes over its samples, and the
        term joins them too.
        """
        self.weighted, self._derived = tuple(weighted), ()
        homes: dict[str, tuple[str, ...]] = {}
        for entry in self.weighted:
            home = next((update for update in self.updates if _covers(update, entry)), None)
            if home is None:
                home = Update(f"{'+'.join(entry.term.trains)}/{entry.name}", entry.term.trains, entry.every)
                self._derived = (*self._derived, home)
            following = self.updates[self.updates.index(home) + 1 :]
            further = takewhile(lambda update: update.continues and _covers(update, entry), following)  # noqa: B023
            homes[entry.name] = (home.name, *(update.name for update in further))
        self._homes = homes

    @abstractmethod
    def terms(self, update: Update, context: Context) -> Mapping[str, Tensor]:
        """Return the named loss terms, scalars, of one of ``own_updates``; none: there is nothing to learn yet."""

    def losses(self, update: Update, context: Context) -> dict[str, Tensor]:
        """Return all loss terms of an update: the objective's own and the stage's, each times its weight."""
        entries = [entry for entry in self.weighted if update.name in self._homes[entry.name]]
        for entry in entries:
            entry.term.prepare(context)
        values = dict(self.terms(update, context)) if update in self.own_updates else {}
        for entry in entries:
            values[entry.name] = entry.weight * entry.term(context)
        return values

    def after_update(self, update: Update, contexts: Sequence[Context]) -> None:  # noqa: B027 - optional
        """Act on what an update saw, after its optimiser step: adapt a strength, fill a buffer.

        Args:
            update: The update that was taken.
            contexts: Its contexts, one for each accumulated part of the batch.
        """

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run needs: tensors, numbers, strings, and lists and dicts of them."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:  # noqa: B027 - optional
        """Return to a saved state."""


def _covers(update: Update, entry: WeightedTerm) -> bool:
    return set(update.trains) == set(entry.term.trains) and update.every == entry.every
