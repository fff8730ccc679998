"""Build what a recipe names: data, networks, metrics, callbacks and stages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from sparring.errors import Problem, RecipeError, SparringError
from sparring.interfaces.data import Data, StreamingData
from sparring.interfaces.generator import SequenceGenerator
from sparring.interfaces.metric import Metric
from sparring.interfaces.objective import Objective, WeightedTerm
from sparring.interfaces.space import Space
from sparring.plugins.registry import Registry, as_spec
from sparring.recipes.check import network_kind
from sparring.recipes.schema import InitializeFrom, NetworkSpec, Recipe, StageSpec
from sparring.spaces.label import LabelSpace
from sparring.training.feed import Feed
from sparring.training.optim import correct_for_lazy_updates, lazy_correction
from sparring.training.parallel import Parallel
from sparring.training.randomness import mix
from sparring.training.stage import Stage, bind, check_continued, idle_parameters, places_from
from sparring.transfer.adapt import adapt
from sparring.transfer.groups import check_thaw, divide, learning, thawings
from sparring.transfer.weights import freeze_as, initialize_from

if TYPE_CHECKING:
    from sparring.training.run import Run

AnyData = Data | StreamingData


class Builder:
    """Builds the parts of one recipe.

    Args:
        recipe: A resolved recipe.
        registry: Where components are found.
        space: The space of the samples.
        conditions: The spaces of the conditions.
        data: The training data; absent where a saved network is rebuilt elsewhere.
    """

    def __init__(
        self,
        recipe: Recipe,
        registry: Registry,
        *,
        space: Space,
        conditions: Mapping[str, Space],
        data: AnyData | None = None,
    ) -> None:
        self.recipe, self.registry = recipe, registry
        self.space, self.conditions, self.data = space, conditions, data
        self.notes: list[str] = []

    @property
    def handed(self) -> dict[str, Any]:
        """What components are handed."""
        found: dict[str, Any] = {"space": self.space, "conditions": self.conditions, "reference": self.resolve}
        if self.data is not None:
            found["data"] = self.data
        return found

    def resolve(self, path: str) -> Space:
        """Return the space that a path such as ``conditions.image`` names."""
        head, _, name = path.partition(".")
        if path == "space":
            return self.space
        if head == "conditions" and name in self.conditions:
            return self.conditions[name]
        known = ["space", *(f"conditions.{name}" for name in self.conditions)]
        raise SparringError(f"'{path}' names no space", where="networks", remedy=f"use one of: {', '.join(known)}")

    def network(self, role: str, spec: NetworkSpec, given: nn.Module | None, *, weights: bool = True) -> nn.Module:
        """Build a network, or take the one that was given, and set its first weights.

        The weights depend on the recipe's seed and the role alone. Without ``weights`` those that a checkpoint will
        bring are spared; what is to be frozen is frozen all the same. Of an adapted network a checkpoint brings the
        matrices alone, so that the weights beside which they stand are set anew.
        """
        where = f"networks.{role}"
        weights = weights or spec.adapt is not None
        with self._seeded("network", role):
            network = given
            if network is None:
                network = self.registry.build(network_kind(self.registry, role, spec), spec, where, **self.handed)
            if weights and spec.init is not None and not isinstance(spec.init, InitializeFrom):
                self.registry.build("initializer", spec.init, f"{where}.init")(network)
        assert isinstance(network, nn.Module)
        if isinstance(spec.init, InitializeFrom):
            place = f"{where}.init"
            if weights:
                self.notes += initialize_from(network, spec.init, role, where=place, classes=self._classes())
            else:
                self.notes += freeze_as(network, spec.init, role, where=place)
        if spec.adapt is not None:
            with self._seeded("adapt", role):
                self.notes += adapt(network, spec.adapt, role, where=f"{where}.adapt")
        return network

    def _classes(self) -> list[str] | None:
        label = self.conditions.get("label")
        return label.classes if isinstance(label, LabelSpace) else None

    def metrics(self) -> list[Metric]:
        """Build the metrics of the evaluation."""
        specs = self.recipe.evaluate.metrics if self.recipe.evaluate else []
        with self._seeded("metrics"):
            return [
                self.registry.build("metric", spec, f"evaluate.metrics.{index}", **self.handed)
                for index, spec in enumerate(specs)
            ]

    def callbacks(self) -> list[tuple[str, object]]:
        """Build the callbacks that are switched on, each with a name for its state."""
        built = []
        for index, spec in enumerate(self.recipe.callbacks):
            if spec.enabled:
                callback = self.registry.build("callback", spec, f"callbacks.{index}", **self.handed)
                built.append((f"{index}:{spec.use}", callback))
        return built

    def check_stages(self, networks: Mapping[str, nn.Module], parallel: Parallel) -> None:
        """Build every stage but for its data once, so that a mistake in the last shows before the first is trained.

        Raises:
            RecipeError: With the mistakes of all stages.
        """
        problems: list[Problem] = []
        if isinstance(self.data, Data) and len(self.data) == 0:
            problems.append(Problem("data", "the data are empty", "give at least one sample"))
        for index, spec in enumerate(self.recipe.stages):
            try:
                parallel.parts(spec.batch, spec.accumulate, where=f"stages.{index}.batch")
                problems += check_thaw(networks, spec, where=f"stages.{index}")
                self._stage(networks, index)
            except RecipeError as error:
                problems += error.problems
            except SparringError as error:
                problems.append(Problem(error.where or f"stages.{index}", error.what, error.remedy))
        if problems:
            raise RecipeError(problems, recipe=self.recipe.name)

    def stage(self, run: Run, index: int) -> Stage:
        """Build a stage: its objective and terms, its optimisers, its feed."""
        spec, where = self.recipe.stages[index], f"stages.{index}"
        for earlier in range(index):
            for thawing in thawings(run.networks, self.recipe.stages[earlier], where=f"stages.{earlier}"):
                thawing.thaw()
        stage = self._stage(run.networks, index)
        data = self.data
        if spec.data is not None:
            data = self.registry.build("data", spec.data, f"{where}.data")
        assert data is not None
        parts = run.parallel.parts(spec.batch, spec.accumulate, where=f"{where}.batch")
        stage.feed = Feed(
            data,
            seed=self.recipe.seed,
            stage=index,
            batch=spec.batch,
            parts=parts,
            device=run.device,
            following=places_from(stage.updates, spec.steps),
            memory_format=MEMORY_FORMATS[self.recipe.memory_format],
            world=run.parallel.world,
            rank=run.parallel.rank,
        )
        return stage

    def _stage(self, networks: Mapping[str, nn.Module], index: int) -> Stage:
        spec, where = self.recipe.stages[index], f"stages.{index}"
        with self._seeded("objective", index):
            objective = self._objective(spec, where)
        updates = objective.updates
        self._check_roles(spec, objective, networks, where)
        check_continued(updates, f"{where}.objective")
        start = sum(before.steps for before in self.recipe.stages[:index])
        stage = Stage(index, spec.name, start, spec.steps, spec.batch, spec.accumulate, objective, updates)
        stage.thawings = thawings(networks, spec, where=where)
        learn = learning(networks, self.recipe.stages[: index + 1])
        self._optimizers(stage, spec, networks, learn, where)
        for update in updates:
            roles = [parameter for role in update.trains for parameter in networks[role].parameters()]
            stage.trained[update.name] = [parameter for parameter in roles if id(parameter) in learn]
            stage.idle[update.name] = idle_parameters(networks, update, learn)
        return stage

    @contextmanager
    def _seeded(self, *keys: int | str) -> Iterator[None]:
        """Have what a component draws while it is built depend on the recipe alone: a resumed run draws it too."""
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(mix(self.recipe.seed, *keys))
            yield

    def _objective(self, spec: StageSpec, where: str) -> Objective:
        objective = self.registry.build("objective", spec.objective, f"{where}.objective", **self.handed)
        assert isinstance(objective, Objective)
        entries: list[WeightedTerm] = []
        for number, term in enumerate(spec.terms):
            built = self.registry.build("term", term, f"{where}.terms.{number}", **self.handed)
            name = term.name or term.use.split("/")[-1]
            if any(entry.name == name for entry in entries):
                problem = Problem(f"{where}.terms.{number}", f"two terms are called '{name}'", "give one a `name`")
                raise RecipeError([problem], recipe=self.recipe.name)
            entries.append(WeightedTerm(name, built, term.weight, term.every))
        objective.attach(entries)
        return objective

    def _check_roles(
        self, spec: StageSpec, objective: Objective, networks: Mapping[str, nn.Module], where: str
    ) -> None:
        trained = trained_roles(objective)
        problems = [
            Problem(
                f"{where}.objective",
                f"'{spec.objective.use}' needs a generator of sequences, and '{role}' is a {type(network).__name__}",
                f"use a network with a likelihood as '{role}', or another objective",
            )
            for role in objective.sequence_roles
            if (network := networks.get(role)) is not None and not isinstance(network, SequenceGenerator)
        ]
        for role in trained:
            if role not in networks:
                known = ", ".join(networks)
                problems.append(Problem(where, f"it trains '{role}', which is no network", f"use one of: {known}"))
            elif role not in spec.optimizers:
                problems.append(
                    Problem(
                        f"{where}.optimizers", f"'{role}' is trained but has no optimiser", f"add {role}: {{use: adam}}"
                    )
                )
        problems += [
            Problem(f"{where}.optimizers.{role}", "no update of this stage trains it", "remove the optimiser")
            for role in spec.optimizers
            if role not in trained
        ]
        if problems:
            raise RecipeError(problems, recipe=self.recipe.name)

    def _optimizers(
        self, stage: Stage, spec: StageSpec, networks: Mapping[str, nn.Module], learn: set[int], where: str
    ) -> None:
        corrections = {}
        for role, chosen in spec.optimizers.items():
            parameters = [parameter for parameter in networks[role].parameters() if id(parameter) in learn]
            place = f"{where}.optimizers.{role}"
            if not parameters:
                raise RecipeError([Problem(place, f"every parameter of '{role}' is frozen", "remove the optimiser")])
            optimizer = self.registry.build("optimizer", chosen, place, parameters=parameters)
            everies = [update.every for update in stage.updates if role in update.trains]
            divide(optimizer, networks[role], chosen.groups, role, where=place)
            correct_for_lazy_updates(optimizer, everies)
            corrections[role] = lazy_correction(everies) if "betas" in optimizer.param_groups[0] else 1.0
            stage.optimizers[role] = optimizer
            if chosen.clip is not None:
                stage.clips[role] = chosen.clip
        for role, constraints in spec.constraints.items():
            stage.constraints[role] = [
                self.registry.build("constraint", constraint, f"{where}.constraints.{role}.{number}")
                for number, constraint in enumerate(constraints)
            ]
        for path, schedule in spec.schedules.items():
            place = f"{where}.schedules.{path}"
            built = self.registry.build("schedule", as_spec(schedule), place)
            stage.schedules.append(bind(path, built, stage.objective, stage.optimizers, corrections, place))


MEMORY_FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}


def trained_roles(objective: Objective) -> list[str]:
    """List the roles that an objective trains, each once."""
    return list(dict.fromkeys(role for update in objective.updates for role in update.trains))
