"""Parameters of one network that are treated differently: learning rates by group, and layers thawed on a schedule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import nn
from torch.optim import Optimizer

from sparring.errors import Problem, SparringError
from sparring.recipes.schema import Group, StageSpec
from sparring.transfer.adapt import kept_out
from sparring.transfer.patterns import parameters_named

SCALE = "lr_scale"  # what an optimiser's group keeps its share of the learning rate under


def divide(optimizer: Optimizer, network: nn.Module, groups: Sequence[Group], role: str, *, where: str) -> None:
    """Divide an optimiser's parameters into groups of their own learning rates; the first that names one has it.

    Discriminative fine-tuning: layers near the input, which know what is common to source and target, learn more slowly
    (ULMFiT: Howard and Ruder, 2018).

    Args:
        optimizer: The optimiser, before its first step, with a single group.
        network: The network that it trains.
        groups: Patterns, and the share of the learning rate.
        role: The network's role, for messages.
        where: The optimiser's recipe path.

    Raises:
        SparringError: A pattern names no parameter, or none that learns and no earlier group has.
    """
    rest = optimizer.param_groups[0]
    settings = {name: value for name, value in rest.items() if name != "params"}
    for number, group in enumerate(groups):
        place = f"{where}.groups.{number}"
        named = [
            id(parameter)
            for pattern in group.match
            for parameter in parameters_named(network, pattern, role, where=place, error=SparringError).values()
        ]
        chosen = [parameter for parameter in rest["params"] if id(parameter) in named]
        if not chosen:
            raise SparringError(
                f"all that it names of '{role}' is frozen, or in an earlier group",
                where=place,
                remedy="remove the group, or let it name parameters that learn",
            )
        rest["params"] = [parameter for parameter in rest["params"] if id(parameter) not in named]
        optimizer.add_param_group(
            {**settings, "params": chosen, "lr": settings["lr"] * group.scale, SCALE: group.scale}
        )


@dataclass
class Thawing:
    """Frozen parameters that learn from a step of a stage on."""

    role: str
    at: int
    parameters: list[nn.Parameter]

    def thaw(self) -> None:
        """Let them learn."""
        for parameter in self.parameters:
            parameter.requires_grad_(True)


def thawings(networks: Mapping[str, nn.Module], spec: StageSpec, *, where: str) -> list[Thawing]:
    """Return what a stage thaws.

    Raises:
        SparringError: A pattern names no parameter, or one that adapters stand beside.
    """
    found = []
    for role, entries in spec.thaw.items():
        for number, entry in enumerate(entries):
            place = f"{where}.thaw.{role}.{number}"
            chosen: dict[str, nn.Parameter] = {}
            for pattern in entry.match:
                chosen |= parameters_named(networks[role], pattern, role, where=place, error=SparringError)
            if left_out := sorted(kept_out(networks[role]) & chosen.keys()):
                raise SparringError(
                    f"'{left_out[0]}' is not written into checkpoints, because adapters stand beside it",
                    where=place,
                    remedy=f"let it learn from the beginning, by networks.{role}.adapt.train; or do without `adapt`",
                )
            found.append(Thawing(role, entry.at, list(chosen.values())))
    return found


def check_thaw(networks: Mapping[str, nn.Module], spec: StageSpec, *, where: str) -> list[Problem]:
    """Return the mistakes in what a stage thaws, before anything has been thawed."""
    problems = []
    for thawing in thawings(networks, spec, where=where):
        place = f"{where}.thaw.{thawing.role}"
        if thawing.at >= spec.steps:
            remedy = "thaw earlier, or lengthen the stage"
            problems.append(Problem(place, f"step {thawing.at} is none of the stage's {spec.steps}", remedy))
        if all(parameter.requires_grad for parameter in thawing.parameters):
            remedy = f"freeze it first: networks.{thawing.role}.init.freeze"
            problems.append(Problem(place, "nothing that it names is frozen", remedy))
    return problems


def learning(networks: Mapping[str, nn.Module], stages: Sequence[StageSpec]) -> set[int]:
    """Return the ids of the parameters that learn in the last of some stages, those that it thaws included."""
    found = {id(part) for network in networks.values() for part in network.parameters() if part.requires_grad}
    for index, spec in enumerate(stages):
        for thawing in thawings(networks, spec, where=f"stages.{index}"):
            found |= {id(parameter) for parameter in thawing.parameters}
    return found
