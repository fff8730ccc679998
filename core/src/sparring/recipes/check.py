"""Check a recipe: every mistake at once, with its place, its cause and its remedy."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from sparring.errors import PluginError, Problem, RecipeError
from sparring.plugins.problems import problems_of
from sparring.plugins.registry import Registry
from sparring.recipes.salvage import salvage
from sparring.recipes.schema import GIVEN, Best, CallbackSpec, InitializeFrom, NetworkSpec, Recipe

DEFAULT_CALLBACKS = ("convergence", "collapse")
NETWORK_KINDS = ("generator", "discriminator", "network")


def resolve(
    values: Mapping[str, Any], registry: Registry, *, given: Collection[str] = (), given_data: bool = False
) -> Recipe:
    """Validate a recipe's plain values, check every component that it names, and write in what is on by default.

    Args:
        values: What the YAML said, overrides applied.
        registry: Where components are found.
        given: Roles whose networks are handed over as objects.
        given_data: Whether the data are handed over as an object.

    Raises:
        RecipeError: With every mistake.
    """
    name = str(values.get("name", "the recipe"))
    try:
        recipe = Recipe.model_validate(values)
    except ValidationError as error:
        problems = problems_of(error, Recipe, values)
        places = {problem.where for problem in problems}
        for problem in check_components(salvage(Recipe, values), registry, given=given, given_data=given_data):
            if problem.where not in places:
                problems.append(problem)
        raise RecipeError(problems, recipe=name) from None
    if recipe.evaluate is None or not recipe.evaluate.metrics:
        recipe.evaluate = None
    named = {callback.use for callback in recipe.callbacks}
    recipe.callbacks += [CallbackSpec(use=use) for use in DEFAULT_CALLBACKS if use not in named]
    problems = check_components(recipe, registry, given=given, given_data=given_data) + check_references(recipe)
    if problems:
        raise RecipeError(problems, recipe=name)
    return recipe


def check_components(
    recipe: Recipe, registry: Registry, *, given: Collection[str] = (), given_data: bool = False
) -> list[Problem]:
    """Return the mistakes in names and options of components."""
    problems: list[Problem] = []
    missing: set[str] = set()
    for index, need in _each(recipe.needs):
        if need is None:
            continue
        try:
            registry.plugin(need, where=f"needs.{index}")
        except PluginError as error:
            problems.append(Problem(f"needs.{index}", error.what, error.remedy))
            missing.add(need)

    for kind, spec, where in _components(recipe, given_data=given_data):
        use = spec if isinstance(spec, str) else getattr(spec, "use", None)
        if use == GIVEN and kind in ("network", "data"):
            role = where.removeprefix("networks.")
            if kind == "data" or role not in given:
                again = "data=…" if kind == "data" else f"networks={{'{role}': …}}"
                problems.append(Problem(where, "it was handed over as an object", f"pass it again: {again}"))
            continue
        if not isinstance(use, str) or use.split("/")[0] in missing:  # said once, under needs, or by the schema
            continue
        if kind != "network":
            problems += registry.check(kind, spec, where)
        elif where.removeprefix("networks.") not in given:
            try:
                problems += registry.check(network_kind(registry, where.removeprefix("networks."), spec), spec, where)
            except PluginError as error:
                problems.append(Problem(f"{where}.use", error.what, error.remedy))
    return problems


def _components(recipe: Recipe, *, given_data: bool) -> Iterator[tuple[str, Any, str]]:
    """Give the kind, specification and place of each component; what was not salvaged is None."""
    yield "trainer", recipe.trainer, "trainer"
    if not given_data:
        yield "data", recipe.data, "data"
    for role, network in _each(recipe.networks):
        yield "network", network, f"networks.{role}"
        if network is not None and not isinstance(network.init, InitializeFrom):
            yield "initializer", network.init, f"networks.{role}.init"
    for index, stage in _each(recipe.stages):
        where = f"stages.{index}"
        if stage is None:
            continue
        yield "objective", stage.objective, f"{where}.objective"
        yield "data", stage.data, f"{where}.data"
        for kind, key in (("term", "terms"), ("optimizer", "optimizers"), ("schedule", "schedules")):
            for step, spec in _each(getattr(stage, key)):
                yield kind, spec, f"{where}.{key}.{step}"
        for role, constraints in _each(stage.constraints):
            for number, constraint in _each(constraints):
                yield "constraint", constraint, f"{where}.constraints.{role}.{number}"
    for index, metric in _each(recipe.evaluate.metrics if recipe.evaluate else None):
        yield "metric", metric, f"evaluate.metrics.{index}"
    for index, callback in _each(recipe.callbacks):
        yield "callback", callback, f"callbacks.{index}"


def _each(values: Mapping[str, Any] | Sequence[Any] | None) -> Iterable[tuple[str | int, Any]]:
    return values.items() if isinstance(values, Mapping) else enumerate(values or ())


def check_references(recipe: Recipe) -> list[Problem]:
    """Return the mistakes in what one part of a recipe says of another: roles, and what is not there to be kept."""
    problems: list[Problem] = []
    roles = sorted(recipe.networks)
    for index, stage in enumerate(recipe.stages):
        by_role: dict[str, Mapping[str, Any]] = {
            "optimizers": stage.optimizers,
            "ema": stage.ema,
            "constraints": stage.constraints,
            "thaw": stage.thaw,
        }
        for key, mapping in by_role.items():
            problems += [
                Problem(
                    f"stages.{index}.{key}.{role}", f"there is no network '{role}'", f"use one of: {', '.join(roles)}"
                )
                for role in mapping
                if role not in recipe.networks
            ]
        for role, average in stage.ema.items():
            if isinstance(average, float) and not 0 < average < 1:
                problems.append(
                    Problem(f"stages.{index}.ema.{role}", f"{average} is not between 0 and 1", "use 0.999, say")
                )
        if stage.batch % stage.accumulate:
            problems.append(
                Problem(
                    f"stages.{index}.accumulate",
                    f"{stage.batch} rows cannot be cut into {stage.accumulate} parts",
                    "divide evenly",
                )
            )
        problems += [
            Problem(
                f"stages.{index}.schedules.{path}",
                "schedules reach optimizers, terms and objective only",
                "as in optimizers.generator.lr, terms.r1.weight, objective.temperature",
            )
            for path in stage.schedules
            if path.split(".")[0] not in ("optimizers", "terms", "objective")
        ]
    names = [stage.name for stage in recipe.stages]
    for index, stage_name in enumerate(names):
        if stage_name in names[:index]:
            problems.append(Problem(f"stages.{index}.name", f"two stages are called '{stage_name}'", "rename one"))
    if isinstance(recipe.checkpoint.keep, Best) and recipe.evaluate is None:
        problems.append(Problem("checkpoint.keep.best", "no metric is evaluated", "add `evaluate`, or keep a number"))
    return problems


def network_kind(registry: Registry, role: str, spec: NetworkSpec) -> str:
    """Return which kind of network a role's component is.

    A plugin may give one name to a generator and to its discriminator (``image/dcgan``); then the role's own name
    decides, or the key ``kind``.

    Raises:
        PluginError: There is no such network, or the role does not say which of them is meant.
    """
    if spec.kind is not None:
        return spec.kind
    found = []
    for kind in NETWORK_KINDS:
        try:
            registry.find(kind, spec.use)
            found.append(kind)
        except PluginError as error:
            failure = error
    if len(found) == 1:
        return found[0]
    named = _kind_in_name(role)
    if found:
        if named in found:
            return str(named)
        raise PluginError(
            f"'{spec.use}' is both a {' and a '.join(found)}",
            where=f"networks.{role}",
            remedy="add `kind: generator` or `kind: discriminator`",
        )
    if named is not None:
        registry.find(named, spec.use)  # raises, and suggests among the kind that was meant
    raise failure


def _kind_in_name(role: str) -> str | None:
    if "discriminator" in role or "critic" in role:
        return "discriminator"
    return "generator" if "generator" in role else None
