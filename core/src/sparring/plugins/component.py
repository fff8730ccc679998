"""Components: what a recipe names with ``use:``, and ``Plugin``, which collects them."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from sparring.errors import PluginError
from sparring.plugins.hookspecs import hookimpl

Target = TypeVar("Target", bound=Callable[..., Any])

KINDS = (
    "augmentation",
    "callback",
    "constraint",
    "data",
    "discriminator",
    "encoder",
    "generator",
    "initializer",
    "loss",
    "metric",
    "network",
    "objective",
    "optimizer",
    "reward",
    "schedule",
    "space",
    "term",
    "trainer",
)
"""Every kind of component, in the order of the reference pages."""


@dataclass(frozen=True)
class Component:
    """One thing that a recipe may name.

    Attributes:
        kind: One of ``KINDS``.
        name: Bare in core (``hinge``), ``plugin/name`` elsewhere (``image/dcgan``).
        target: A class or function, or ``"module:attribute"``, imported when it is first used.
        summary: One line for listings; by default the first line of the target's docstring.
    """

    kind: str
    name: str
    target: Any
    summary: str = ""

    def load(self) -> Callable[..., Any]:
        """Return the class or function, importing it where it is lazy."""
        if not isinstance(self.target, str):
            return self.target  # type: ignore[no-any-return]
        module, _, attribute = self.target.partition(":")
        try:
            return getattr(importlib.import_module(module), attribute)  # type: ignore[no-any-return]
        except Exception as cause:
            raise PluginError(
                f"{self.kind} '{self.name}' cannot be imported: {cause}",
                where=self.target,
                remedy="reinstall the plugin that brings it, with what it requires",
            ) from cause


class Plugin:
    """A plugin in one file: decorate classes, name this object in an entry point.

    Args:
        name: The plugin's name, the same as its entry point's. Components are called ``name/…``.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._components: list[Component] = []

    def add(self, kind: str, name: str, target: Any, summary: str = "") -> None:
        """Register a component; ``target`` may be the string ``"module:attribute"``, imported on first use."""
        full = name if self.name == "core" else f"{self.name}/{name}"
        if not summary and not isinstance(target, str):
            summary = (inspect.getdoc(target) or "").split("\n")[0]
        self._components.append(Component(kind, full, target, summary))

    def register(self, kind: str, name: str) -> Callable[[Target], Target]:
        """Return a decorator that registers a class or function as a component."""

        def decorate(target: Target) -> Target:
            self.add(kind, name, target)
            return target

        return decorate

    @hookimpl
    def sparring_components(self) -> Iterable[Component]:
        """Give the components to the registry."""
        return list(self._components)

    def augmentation(self, name: str) -> Callable[[Target], Target]:
        """Register an ``Augmentation``."""
        return self.register("augmentation", name)

    def callback(self, name: str) -> Callable[[Target], Target]:
        """Register a callback: a class with event hooks."""
        return self.register("callback", name)

    def constraint(self, name: str) -> Callable[[Target], Target]:
        """Register a ``Constraint``."""
        return self.register("constraint", name)

    def data(self, name: str) -> Callable[[Target], Target]:
        """Register ``Data`` or ``StreamingData``."""
        return self.register("data", name)

    def discriminator(self, name: str) -> Callable[[Target], Target]:
        """Register a ``Discriminator``."""
        return self.register("discriminator", name)

    def encoder(self, name: str) -> Callable[[Target], Target]:
        """Register an ``Encoder``."""
        return self.register("encoder", name)

    def generator(self, name: str) -> Callable[[Target], Target]:
        """Register a ``Generator``."""
        return self.register("generator", name)

    def initializer(self, name: str) -> Callable[[Target], Target]:
        """Register an initialiser: a class whose instances take a module and set its weights."""
        return self.register("initializer", name)

    def loss(self, name: str) -> Callable[[Target], Target]:
        """Register a ``Loss``."""
        return self.register("loss", name)

    def metric(self, name: str) -> Callable[[Target], Target]:
        """Register a ``Metric``."""
        return self.register("metric", name)

    def network(self, name: str) -> Callable[[Target], Target]:
        """Register a network that is neither generator nor discriminator."""
        return self.register("network", name)

    def objective(self, name: str) -> Callable[[Target], Target]:
        """Register an ``Objective``."""
        return self.register("objective", name)

    def optimizer(self, name: str) -> Callable[[Target], Target]:
        """Register an optimiser: a function of ``parameters`` and options."""
        return self.register("optimizer", name)

    def reward(self, name: str) -> Callable[[Target], Target]:
        """Register a ``Reward``."""
        return self.register("reward", name)

    def schedule(self, name: str) -> Callable[[Target], Target]:
        """Register a ``Schedule``."""
        return self.register("schedule", name)

    def space(self, name: str) -> Callable[[Target], Target]:
        """Register a ``Space``."""
        return self.register("space", name)

    def term(self, name: str) -> Callable[[Target], Target]:
        """Register a ``Term``."""
        return self.register("term", name)

    def trainer(self, name: str) -> Callable[[Target], Target]:
        """Register a ``Trainer``."""
        return self.register("trainer", name)
