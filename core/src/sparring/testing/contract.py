"""What every contract shares: finding a component, building it, and saying in words what is wrong with it."""

from __future__ import annotations

import difflib
import inspect
import io
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, ClassVar, NoReturn

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from sparring.errors import RecipeError, SparringError
from sparring.interfaces.data import Data
from sparring.interfaces.space import Space
from sparring.plugins.component import Component
from sparring.plugins.manager import ALWAYS, PluginRecord
from sparring.plugins.options import ComponentSpec, Parameter, component_kind, handed, options_model, parameters_of
from sparring.plugins.registry import Registry
from sparring.testing.materials import Materials, materials

CHECK = "test_"


class ContractBroken(SparringError, AssertionError):
    """A component that does not do what its interface promises."""


class ComponentContract:
    """The checks that components of every kind pass. Subclass the contract of a kind, in a file that pytest collects.

    A component that needs samples is handed points of the plane; give ``space``, ``conditions`` or ``data`` where it
    needs others.

    Attributes:
        kind: The kind of component.
        interface: What its instances are instances of, where there is a class for that.
        plugin: The plugin that brings the component; None for one that is installed, or of the core.
        name: The component's name, such as ``spiral/mlp``.
        options: Its options, as a recipe gives them.
        space: The space that it is handed; by default that of ``data``.
        conditions: The conditions' spaces that it is handed; by default those of ``data``.
        data: The data that it is handed, from which real samples are drawn too.
        sequences: Whether the samples are sequences of tokens, where no ``data`` are given.
        expected_failures: By name of a check, why it is known to fail. Such a check is reported as an expected
            failure, and as a failure once it passes.
    """

    kind: ClassVar[str]
    interface: ClassVar[type | None] = None
    plugin: Any = None
    name: str
    options: Mapping[str, Any] = {}
    space: Space | None = None
    conditions: Mapping[str, Space] | None = None
    data: Data | None = None
    sequences: bool = False
    expected_failures: ClassVar[Mapping[str, str]] = {}

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        checks = [name for name in dir(cls) if name.startswith(CHECK)]
        for name in cls.expected_failures:
            if name not in checks:
                near = difflib.get_close_matches(name, checks, 1)
                hint = f"; did you mean '{near[0]}'?" if near else f"; its checks: {', '.join(checks)}"
                raise TypeError(f"{cls.__name__}.expected_failures names '{name}', which is no check{hint}")

    @pytest.fixture(autouse=True)
    def _expected_failure(self, request: pytest.FixtureRequest) -> None:
        reason = self.expected_failures.get(getattr(request.node, "originalname", request.node.name))
        if reason is not None:
            # Strict, so that a mended component is noticed and its entry removed.
            request.applymarker(pytest.mark.xfail(reason=reason, strict=True))

    # ---- the component ----

    @cached_property
    def registry(self) -> Registry:
        """A registry of its own, in which ``plugin`` takes the place of an installed one of its name."""
        registry = Registry()
        if self.plugin is not None:
            # A module with hook functions is a plugin too, and has no name of its own.
            owner = self.name.split("/")[0]
            named = owner if inspect.ismodule(self.plugin) else getattr(self.plugin, "name", owner)
            registry.records = [record for record in registry.records if record.name != named]
            registry.records.append(PluginRecord(named, "this process", "", named, plugin=self.plugin))
        # A run needs the core for its objective at the latest; its spaces are then known by name.
        registry.plugin(ALWAYS)
        return registry

    @cached_property
    def component(self) -> Component:
        """The component as it is registered."""
        return self.registry.find(self.kind, self.name, where=f"{type(self).__name__}.name")

    @cached_property
    def materials(self) -> Materials:
        """The samples, spaces and conditions that the checks work with."""
        return materials(self.space, self.conditions, self.data, sequences=self.sequences)

    def build(self, *, seed: int = 0, options: Mapping[str, Any] | None = None, **available: Any) -> Any:
        """Build the component as a run does.

        Args:
            seed: Seeds torch's global generator, from which first weights come.
            options: Options in the place of the class's.
            available: What is handed over in the place of the materials.
        """
        spec = ComponentSpec.model_validate({"use": self.name, **(self.options if options is None else options)})
        given = {**self.materials.handed(), **available}
        with global_seed(seed):
            return self.registry.build(self.kind, spec, f"{self.kind} '{self.name}'", **given)

    # ---- saying what is wrong ----

    def fail(self, what: str, remedy: str) -> NoReturn:
        """Fail the check."""
        __tracebackhide__ = True
        target = self.component.load()
        home = f"{target.__module__}.{getattr(target, '__qualname__', target)}"
        raise ContractBroken(what, where=f"{self.kind} '{self.name}' ({home})", remedy=remedy)

    def expect(self, holds: object, what: str, remedy: str) -> None:
        """Fail the check unless something holds."""
        __tracebackhide__ = True
        if not holds:
            self.fail(what, remedy)

    def attempt(self, action: Callable[[], Any], what: str, remedy: str) -> Any:
        """Return what an action returns; where it raises, fail the check and say why."""
        __tracebackhide__ = True
        try:
            return action()
        except Exception as cause:
            try:
                said = cause.what if isinstance(cause, SparringError) else f"{type(cause).__name__}: {cause}"
                self.fail(f"{what}: {said}", remedy)
            except ContractBroken as broken:
                raise broken from cause

    def expect_close(self, first: Tensor, second: Tensor, what: str, remedy: str, *, tolerance: float = 1e-4) -> None:
        """Fail the check unless two tensors agree to a tolerance, relative to their size."""
        __tracebackhide__ = True
        if first.shape != second.shape:
            self.fail(f"{what} (their shapes are {tuple(first.shape)} and {tuple(second.shape)})", remedy)
        apart = (first.detach().double() - second.detach().double()).abs()
        scale = 1.0 + second.detach().double().abs()
        if apart.numel() and not bool((apart <= tolerance * scale).all()):
            self.fail(f"{what} (they differ by up to {float(apart.max()):.3g})", remedy)

    # ---- checks ----

    def test_is_built_from_its_options(self) -> None:
        """A run can build it."""
        built = self.build()
        if self.interface is not None:
            self.expect(
                isinstance(built, self.interface),
                f"it is a {type(built).__name__}, which is no {self.interface.__name__}",
                f"implement sparring.{self.interface.__name__}, or register it as another kind",
            )

    def test_has_a_summary(self) -> None:
        """Listings say what it is."""
        self.expect(
            self.component.summary or inspect.getdoc(self.component.load()),
            "listings have nothing to say about it",
            "begin its docstring with one line that says what it is",
        )

    def test_options_are_typed(self) -> None:
        """The signature is the schema: each option has a type, and each default is of its type."""
        for parameter in self._parameters():
            self.expect(
                parameter.annotation is not Any and parameter.annotation is not object,
                f"the option '{parameter.name}' may be anything, so that no mistake in a recipe can be found",
                "annotate it with the type that it takes",
            )
        model = options_model(self.component.load(), self.kind)
        model.model_json_schema()
        for parameter in self._parameters():
            if parameter.required or component_kind(parameter.annotation):
                continue
            try:
                model.__pydantic_validator__.validate_assignment(
                    model.model_construct(), parameter.name, parameter.default
                )
            except ValidationError as error:
                found = error.errors()[0]["msg"]
                self.fail(
                    f"the default {parameter.default!r} of '{parameter.name}' is not of its type: {found}",
                    "widen the annotation, or change the default",
                )

    def test_unknown_options_are_refused(self) -> None:
        """A misspelt option is named, with the one that was meant."""
        known = [parameter.name for parameter in self._parameters()]
        misspelt = f"{known[0]}x" if known else "no_such_option"
        while misspelt in known:
            misspelt += "x"
        spec = ComponentSpec.model_validate({"use": self.name, **self.options, misspelt: 1})
        problems = self.registry.check(self.kind, spec, self.name)
        said = "\n".join(problem.what for problem in problems if misspelt in problem.what)
        self.expect(
            said and (not known or "did you mean" in said),
            f"the misspelt option '{misspelt}' was not refused with a suggestion; what was said: {problems}",
            "name every option in the constructor, without **kwargs",
        )

    def test_options_that_are_wrong_say_so(self) -> None:
        """The options that this contract gives have no mistakes, and nested components exist."""
        spec = ComponentSpec.model_validate({"use": self.name, **self.options})
        problems = self.registry.check(self.kind, spec, f"{self.kind} '{self.name}'")
        if problems:
            raise RecipeError(problems, recipe=f"{type(self).__name__}.options")

    def all_parameters(self) -> tuple[Parameter, ...]:
        """Return its constructor's parameters, handed ones included."""
        return parameters_of(self.component.load())

    def _parameters(self) -> list[Parameter]:
        return [parameter for parameter in self.all_parameters() if parameter.name not in handed(self.kind)]


class global_seed:
    """Seed torch's global generator, and put its state back afterwards."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def __enter__(self) -> None:
        self._before = torch.get_rng_state()
        torch.default_generator.manual_seed(self._seed)

    def __exit__(self, *_: object) -> None:
        torch.set_rng_state(self._before)


def rng_at(seed: int) -> torch.Generator:
    """Return a seeded generator on the CPU."""
    return torch.Generator().manual_seed(seed)


def through_a_file(state: Any) -> Any:
    """Return state as a checkpoint gives it back: tensors and plain values only.

    Raises:
        pickle.UnpicklingError: It holds something else.
    """
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def same(first: Any, second: Any) -> bool:
    """Whether two states of tensors and plain values are equal, to the last bit."""
    if isinstance(first, Tensor) and isinstance(second, Tensor):
        return first.dtype == second.dtype and torch.equal(first, second)
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        return first.keys() == second.keys() and all(same(first[key], second[key]) for key in first)
    if isinstance(first, (list, tuple)) and isinstance(second, (list, tuple)):
        return len(first) == len(second) and all(map(same, first, second))
    return bool(first == second) or (first != first and second != second)
