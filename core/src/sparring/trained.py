"""The networks of a finished run, to generate with and to score."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sparring.errors import CheckpointError, SparringError
from sparring.interfaces.data import Batch
from sparring.interfaces.space import Space
from sparring.networks.folding import fold_weight_norm
from sparring.plain import as_network
from sparring.plugins.registry import Registry
from sparring.recipes import source
from sparring.recipes.check import resolve
from sparring.recipes.schema import GIVEN
from sparring.training import checkpoint, evaluation, record
from sparring.training.build import AnyData, Builder
from sparring.training.generate import conditions_for, generate, generator_role, only_labels
from sparring.training.parallel import Parallel
from sparring.training.previews import save_samples
from sparring.transfer.adapt import merge_adapters


def load(
    folder: Path | str, *, networks: Mapping[str, nn.Module] | None = None, plugins: Sequence[Path | str] = ()
) -> Trained:
    """Load the networks of a run, to generate with.

    Args:
        folder: The run's folder, which may have been moved. Its ``final`` weights are read, or else those of
            its last checkpoint.
        networks: Networks that the run was given as objects.
        plugins: Files that hold a plugin each.
    """
    return Trained(Path(folder), networks or {}, Registry([Path(file) for file in plugins]))


class Trained:
    """The networks of a run, in evaluation mode; weight norm, which is for training, is folded into their weights.

    Attributes:
        recipe: The run's recipe.
        space: The space of the samples.
        conditions: The spaces of the conditions.
        networks: The networks, by role; averaged weights where the run kept an average.
    """

    def __init__(self, folder: Path, networks: Mapping[str, nn.Module], registry: Registry) -> None:
        self.folder, self._registry = folder, registry
        environment = record.read_environment(folder)
        values = source.read(folder / record.RECIPE)
        self.recipe = resolve(values, registry, given=networks, given_data=True)
        spaces = environment["spaces"]
        self.space: Space = _space(registry, spaces["sample"])
        self.conditions = {name: _space(registry, one) for name, one in spaces["conditions"].items()}
        self._builder = Builder(self.recipe, registry, space=self.space, conditions=self.conditions)
        # A run that was trained on a GPU must load where there is none.
        here = "cpu" if self.recipe.device.startswith("cuda") and not torch.cuda.is_available() else self.recipe.device
        self.device = Parallel.start(here).device
        self.networks: dict[str, nn.Module] = {}
        for role, spec in self.recipe.networks.items():
            given = networks.get(role)
            taken = (
                None if given is None else as_network(copy.deepcopy(given), role)
            )  # the caller's own may be trained on
            file = _weights(folder, role)
            if file.parent.name == checkpoint.FINAL:  # there adapters are merged
                spec = spec.model_copy(update={"adapt": None})
            network = self._builder.network(role, spec, taken, weights=False)
            checkpoint.load_weights(network, file, role=role)
            merge_adapters(network)
            fold_weight_norm(network)
            self.networks[role] = network.eval().requires_grad_(False).to(self.device)

    def generate(
        self, count: int, *, condition: Mapping[str, Any] | None = None, seed: int = 0, network: str | None = None
    ) -> Batch:
        """Return ``count`` samples, on the CPU; the same arguments give the same samples.

        Args:
            count: How many.
            condition: For each named condition, or code of the generator, one value for all samples, as its space
                reads it (``{"label": 3}``), or a tensor of ``count`` rows. What is left out is varied.
            seed: Seeds the noise.
            network: The generator's role, where there are several.
        """
        role = network or generator_role(self.networks)
        spaces = self.choices(role)
        given = {name: _condition(name, value, count, spaces) for name, value in (condition or {}).items()}
        missing = {name: space for name, space in self.conditions.items() if name not in given}
        data = None if only_labels(missing) else self._data().split("train")
        asked = {**conditions_for(count, missing, data, seed=seed), **given}
        return generate(self.networks[role], count, asked, seed=seed, device=self.device)

    def choices(self, network: str | None = None) -> dict[str, Space]:
        """Return all that samples can be asked to be: the data's conditions, and the generator's codes."""
        codes = getattr(self.networks[network or generator_role(self.networks)], "codes", {})
        return {**self.conditions, **codes}

    def save(self, samples: Batch, folder: Path | str) -> list[Path]:
        """Write samples into a folder, and return the paths.

        The classes that they were asked for are in the files' names (``00000-seven.wav``), or in ``labels.txt`` where
        one file has all samples.
        """
        return save_samples(samples, self.space, self.conditions, Path(folder))

    def evaluate(self) -> dict[str, float]:
        """Return the values of the recipe's metrics, against the split that it names."""
        if self.recipe.evaluate is None:
            raise SparringError(
                "the recipe evaluates no metric", where="evaluate", remedy="add `evaluate` to the recipe"
            )
        data = self._data()
        builder = Builder(self.recipe, self._registry, space=data.space, conditions=data.conditions, data=data)
        network = self.networks[generator_role(self.networks)]
        held_out = data.split(self.recipe.evaluate.split)
        seed = self.recipe.seed
        return evaluation.evaluate(network, held_out, self.recipe.evaluate, builder.metrics(), seed, self.device).values

    def _data(self) -> AnyData:
        """Build the data that the recipe names."""
        if self.recipe.data.use == GIVEN:
            raise SparringError(
                "the run's data were handed over as an object, and are not at hand",
                where=str(self.folder),
                remedy="give every condition to generate; the run's own evaluations are in metrics.jsonl",
            )
        data: AnyData = self._registry.build("data", self.recipe.data, "data")
        return data


def _condition(name: str, value: Any, count: int, spaces: Mapping[str, Space]) -> Tensor:
    """Return ``count`` rows of a condition, of one value for all or of a row each."""
    if name not in spaces:
        known = ", ".join(spaces) or "none: the run is unconditional"
        raise SparringError(f"there is no condition '{name}'", where="condition", remedy=f"its conditions: {known}")
    if isinstance(value, Tensor) and value.dim() == len(spaces[name].shape) + 1:
        if len(value) != count:
            raise SparringError(
                f"the condition '{name}' has {len(value)} rows for {count} samples",
                where="condition",
                remedy="give one row a sample, or a single value for all",
            )
        return value
    one = spaces[name].encode(value)
    return one.expand(count, *one.shape)


def _space(registry: Registry, described: Mapping[str, Any]) -> Space:
    options = {name: value for name, value in described.items() if name != "use"}
    space = registry.find("space", described["use"]).load()(**options)
    assert isinstance(space, Space)
    return space


def _weights(folder: Path, role: str) -> Path:
    final = folder / checkpoint.FINAL / f"{role}.safetensors"
    if final.exists():
        return final
    saved = checkpoint.listed(folder)
    if not saved:
        raise CheckpointError("this run has saved no weights yet", where=str(folder), remedy="train it first")
    checkpoint.read_manifest(saved[-1])
    average = saved[-1] / f"{role}.average.safetensors"
    return average if average.exists() else saved[-1] / f"{role}.safetensors"
