"""The registry finds components by name, checks their options, and builds them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from sparring.errors import PluginError, Problem, RecipeError, SparringError
from sparring.plugins import manager
from sparring.plugins.component import Component
from sparring.plugins.manager import ALWAYS, PluginRecord
from sparring.plugins.options import ComponentSpec, component_kind, handed, options_model, parameters_of
from sparring.plugins.problems import near, problems_of

Reference = Callable[[str], Any]


class Registry:
    """Components by kind and name. A plugin is imported when the first of its names is asked for.

    Args:
        files: Single-file plugins to add to the installed ones.
    """

    def __init__(self, files: Sequence[Path] = ()) -> None:
        self.records: list[PluginRecord] = manager.discover(files)
        self._components: dict[str, dict[tuple[str, str], Component]] = {}
        self._names: dict[type, tuple[str, str]] = {}

    # ---- plugins ----

    def plugin(self, name: str, *, where: str = "needs") -> PluginRecord:
        """Load a plugin.

        Raises:
            PluginError: It is missing, broken, disabled, or in conflict with another.
        """
        found = [record for record in self.records if record.name == name]
        if found:
            # Where a plugin was disabled in favour of another of its name, the other is meant.
            record = next((record for record in found if record.status != "disabled"), found[0])
            if name not in self._components:
                self._components[name] = {(part.kind, part.name): part for part in manager.load(record)}
            if record.status != "loaded":
                raise manager.explain(record)
            return record
        names = [record.name for record in self.records]
        raise PluginError(
            f"no plugin '{name}' is installed{near(name, names)}",
            where=where,
            remedy=f"install the distribution that brings it, such as `pip install sparring-{name}`",
        )

    def add(self, plugin: Any) -> None:
        """Add a plugin object that is not installed, such as one of a notebook or a test."""
        record = PluginRecord(plugin.name, "this process", "", plugin.name, plugin=plugin)
        if any(other.name == record.name for other in self.records):
            raise PluginError(
                f"a plugin named '{record.name}' is there already", remedy="give the new one another name"
            )
        self.records.append(record)

    def load_all(self) -> None:
        """Load every plugin that can be loaded; each record says how it went."""
        for record in self.records:
            try:
                self.plugin(record.name)
            except PluginError:
                continue

    # ---- components ----

    def components(self, kind: str | None = None) -> list[Component]:
        """List the components of every loaded plugin."""
        found = [part for plugin in self._components.values() for part in plugin.values()]
        return sorted((part for part in found if kind in (None, part.kind)), key=lambda part: (part.kind, part.name))

    def find(self, kind: str, name: str, *, where: str = "") -> Component:
        """Return the component of a kind and name.

        Raises:
            PluginError: There is none; the message says what comes near.
        """
        owner = name.partition("/")[0] if "/" in name else ALWAYS
        self.plugin(owner, where=where)
        try:
            return self._components[owner][kind, name]
        except KeyError:
            pass
        names = [part.name for part in self.components(kind)]
        others = sorted({part.kind for part in self.components() if part.name == name})
        hint = f"; '{name}' is {_article(others[0])}" if others else near(name, names)
        raise PluginError(
            f"there is no {kind} '{name}'{hint}", where=where, remedy=f"use one of: {', '.join(names) or 'none known'}"
        )

    def name_of(self, instance: object, kind: str) -> str:
        """Return the name under which an instance's class is registered.

        What was handed over from Python may be of a plugin that the recipe does not name: it is loaded here.
        """
        self.plugin(ALWAYS)
        home = type(instance).__module__.partition(".")[0]
        for record in self.records:
            if record.target.partition(":")[0].partition(".")[0] == home:
                self.plugin(record.name)
        for component in self.components(kind):
            if component.load() is type(instance):
                return component.name
        raise PluginError(
            f"{type(instance).__name__} is not registered as a {kind}",
            remedy=f"decorate the class with `@plugin.{kind}(…)`",
        )

    # ---- checking and building ----

    def check(self, kind: str, spec: str | ComponentSpec, where: str) -> list[Problem]:
        """Return every mistake in a component's name and options, nested components included."""
        spec = as_spec(spec)
        try:
            target = self.find(kind, spec.use, where=f"{where}.use").load()
            options = self._validate(target, kind, spec.options, where)
        except RecipeError as error:
            return list(error.problems)
        except SparringError as error:
            return [Problem(f"{where}.use", error.what, error.remedy)]
        problems: list[Problem] = []
        for parameter in parameters_of(target):
            if (inner := component_kind(parameter.annotation)) and parameter.name not in handed(kind):
                for place, nested in _nested(options.get(parameter.name), f"{where}.{parameter.name}"):
                    problems += self.check(inner, nested, place)
        return problems

    def build(self, kind: str, spec: str | ComponentSpec, where: str, **available: Any) -> Any:
        """Build a component, and the components within its options.

        Args:
            kind: The kind.
            spec: Its name and options.
            where: The recipe path, for messages.
            available: What the run hands over: ``space``, ``conditions``, ``data``, ``parameters``; and
                ``reference``, which resolves a path such as ``conditions.image`` to a space.

        Raises:
            RecipeError: The options are wrong.
            PluginError: The component is unknown or its plugin cannot be loaded.
        """
        spec = as_spec(spec)
        component = self.find(kind, spec.use, where=f"{where}.use")
        target = component.load()
        options = self._validate(target, kind, spec.options, where)
        reference: Reference | None = available.get("reference")
        arguments: dict[str, Any] = {}
        for parameter in parameters_of(target):
            name, place = parameter.name, f"{where}.{parameter.name}"
            if name in handed(kind):
                chosen = options.get(name)
                if chosen is not None and reference is not None:
                    arguments[name] = reference(chosen)
                elif name in available:
                    arguments[name] = available[name]
                elif parameter.required:
                    raise PluginError(f"{kind} '{spec.use}' needs '{name}', which this run does not have", where=place)
                continue
            inner = component_kind(parameter.annotation)
            value = options[name]
            arguments[name] = value if inner is None else self._build_nested(inner, value, place, available)
        try:
            return target(**arguments)
        except SparringError as error:
            error.where = error.where or where
            raise
        except (ValueError, TypeError) as error:
            raise RecipeError([Problem(where, f"{kind} '{spec.use}' refuses its options: {error}")]) from error

    def _build_nested(self, kind: str, value: Any, where: str, available: Mapping[str, Any]) -> Any:
        if isinstance(value, (str, ComponentSpec)):
            return self.build(kind, value, where, **available)
        if isinstance(value, (list, tuple)):
            return [self._build_nested(kind, part, f"{where}.{index}", available) for index, part in enumerate(value)]
        if isinstance(value, dict):
            return {key: self._build_nested(kind, part, f"{where}.{key}", available) for key, part in value.items()}
        return value

    def _validate(
        self, target: Callable[..., Any], kind: str, options: Mapping[str, Any], where: str
    ) -> dict[str, Any]:
        model = options_model(target, kind)
        try:
            valid = model(**options)
        except ValidationError as error:
            raise RecipeError(problems_of(error, model, options, where)) from None
        return {name: getattr(valid, name) for name in model.model_fields}


def as_spec(spec: str | ComponentSpec) -> ComponentSpec:
    """Return a component's specification where only its name was given."""
    return ComponentSpec(use=spec) if isinstance(spec, str) else spec


def _nested(value: Any, where: str) -> list[tuple[str, str | ComponentSpec]]:
    if isinstance(value, (str, ComponentSpec)):
        return [(where, value)]
    if isinstance(value, (list, tuple)):
        return [found for index, part in enumerate(value) for found in _nested(part, f"{where}.{index}")]
    if isinstance(value, dict):
        return [found for key, part in value.items() for found in _nested(part, f"{where}.{key}")]
    return []


def _article(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"
