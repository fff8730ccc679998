"""A stage as it is trained: an objective, its optimisers, averages, constraints and schedules."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import nn
from torch.optim import Optimizer

from sparring.errors import Problem, RecipeError
from sparring.interfaces.augmentation import Constraint
from sparring.interfaces.objective import Objective, Update
from sparring.training.feed import Feed, Place
from sparring.training.schedules import Schedule
from sparring.transfer.groups import SCALE, Thawing


@dataclass
class Stage:
    """One stage of a run, ready to be trained.

    Attributes:
        index: Its number in the recipe, from 0.
        start: The run's step at which it begins.
        updates: What each step does, in order.
        trained: For each update, the parameters that it trains.
        idle: For each update, those that take no gradient during it.
        thawings: What is still to be thawed; until then it is among ``trained`` and ``idle``, without a gradient.
    """

    index: int
    name: str
    start: int
    steps: int
    batch: int
    accumulate: int
    objective: Objective
    updates: tuple[Update, ...]
    feed: Feed = field(init=False, repr=False)
    optimizers: dict[str, Optimizer] = field(default_factory=dict)
    clips: dict[str, float] = field(default_factory=dict)
    constraints: dict[str, list[Constraint]] = field(default_factory=dict)
    schedules: list[BoundSchedule] = field(default_factory=list)
    trained: dict[str, list[nn.Parameter]] = field(default_factory=dict)
    idle: dict[str, list[nn.Parameter]] = field(default_factory=dict)
    thawings: list[Thawing] = field(default_factory=list)

    def thaw(self, step: int) -> list[Thawing]:
        """Let parameters learn whose step has come, after a resume or now; return what was thawed."""
        due = [thawing for thawing in self.thawings if thawing.at <= step]
        self.thawings = [thawing for thawing in self.thawings if thawing.at > step]
        for thawing in due:
            thawing.thaw()
        return due

    def idle_in(self, update: str) -> list[nn.Parameter]:
        """List the parameters that take no gradient during an update; what is still frozen is not among them."""
        return [parameter for parameter in self.idle[update] if parameter.requires_grad]

    def due(self, step: int) -> Iterator[Place]:
        """List the updates of a step, repetitions apart."""
        for update in self.updates:
            if step % update.every == 0:
                for repeat in range(update.repeat):
                    yield Place(step, update.name, repeat)


def places_from(updates: tuple[Update, ...], steps: int) -> Callable[[Place], Iterator[Place]]:
    """Return a function that lists the places from a given one on which draw a batch."""

    def following(first: Place) -> Iterator[Place]:
        started = False
        for step in range(first.step, steps):
            for update in updates:
                if step % update.every or update.continues:
                    continue
                for repeat in range(update.repeat):
                    place = Place(step, update.name, repeat)
                    started = started or place == first
                    if started:
                        yield place

    return following


def check_continued(updates: tuple[Update, ...], where: str) -> None:
    """Refuse an update that continues one that is not always taken before it.

    Raises:
        RecipeError: There is one.
    """
    for before, update in zip((None, *updates), updates, strict=False):
        if update.continues and (before is None or update.every % before.every):
            problem = Problem(
                where,
                f"the update '{update.name}' continues one that is not taken in each of its steps",
                "have the objective put it after an update that is taken at least as often",
            )
            raise RecipeError([problem])


def idle_parameters(
    networks: Mapping[str, nn.Module], update: Update, learn: set[int] | None = None
) -> list[nn.Parameter]:
    """Return the parameters that an update leaves alone: those of other networks, unless its own share them.

    Args:
        networks: All networks.
        update: The update.
        learn: The ids of the parameters that learn in this stage; by default those that take a gradient now.
    """
    trained = {id(parameter) for role in update.trains for parameter in networks[role].parameters()}
    others = [network for role, network in networks.items() if role not in update.trains]
    found = [parameter for network in others for parameter in network.parameters()]
    learning = [part for part in found if (part.requires_grad if learn is None else id(part) in learn)]
    return [parameter for parameter in learning if id(parameter) not in trained]


@dataclass
class BoundSchedule:
    """A schedule, and the value that it sets."""

    path: str
    schedule: Schedule
    assign: Callable[[float], None]


def bind(
    path: str,
    schedule: Schedule,
    objective: Objective,
    optimizers: Mapping[str, Optimizer],
    corrections: Mapping[str, float],
    where: str,
) -> BoundSchedule:
    """Find what a schedule's path names.

    Raises:
        RecipeError: The path names nothing, or something that is not a number.
    """
    head, *rest = path.split(".")
    if head == "optimizers" and len(rest) == 2 and rest[0] in optimizers:
        optimizer = optimizers[rest[0]]
        first = optimizer.param_groups[0]
        known = [name for name, value in first.items() if _is_number(value)]
        if rest[1] in known:
            correction = corrections.get(rest[0], 1.0) if rest[1] == "lr" else 1.0

            def assign_group(value: float) -> None:
                # Asked anew each time: loading an optimiser's state replaces its groups.
                for group in optimizer.param_groups:
                    group[rest[1]] = value * correction * (group.get(SCALE, 1.0) if rest[1] == "lr" else 1.0)

            return BoundSchedule(path, schedule, assign_group)
        raise RecipeError(
            [Problem(where, f"an optimiser has no number '{rest[1]}'", f"use one of: {', '.join(known)}")]
        )
    holder: Any = None
    if head == "terms" and len(rest) == 2:
        entries = {entry.name: entry for entry in objective.weighted}
        entry = entries.get(rest[0])
        holder = entry if rest[1] == "weight" else entry.term if entry else None
    elif head == "objective" and rest:
        holder = objective
        for name in rest[:-1]:
            holder = getattr(holder, name, None)
    if holder is None or not _is_number(getattr(holder, rest[-1], None)):
        names = ", ".join(
            [*(f"optimizers.{role}.lr" for role in optimizers), *(f"terms.{e.name}.weight" for e in objective.weighted)]
        )
        raise RecipeError([Problem(where, f"the path '{path}' names no number", f"use a path such as {names}")])
    return BoundSchedule(path, schedule, lambda value: setattr(holder, rest[-1], value))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
