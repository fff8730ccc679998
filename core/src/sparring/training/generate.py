"""Draw samples from a generator, outside training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import nn

from sparring.errors import SparringError
from sparring.interfaces.data import Batch, Condition, Data
from sparring.interfaces.generator import Generator, SequenceGenerator, lift_generated
from sparring.interfaces.space import Space
from sparring.spaces.label import LabelSpace
from sparring.training.randomness import generator_at, seed_layers

CHUNK = 256


@torch.no_grad()
def generate(network: nn.Module, count: int, condition: Condition, *, seed: int, device: torch.device) -> Batch:
    """Return ``count`` samples, on the CPU; the same arguments give the same samples.

    What the generator says beside them, row by row, comes along as ``extras``.

    Args:
        network: A generator; it is asked in evaluation mode and left as it was.
        count: How many.
        condition: Conditions of ``count`` rows.
        seed: Seeds the latents, or the sampling of a sequence.
        device: Where the network lives.
    """
    made: list[Batch] = []
    with evaluating(network), torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        for start in range(0, count, CHUNK):
            n = min(CHUNK, count - start)
            rng = generator_at(device, seed, "generate", start)
            seed_layers(device, seed, "generate", start)
            part = {name: value[start : start + n].to(device) for name, value in condition.items()}
            if isinstance(network, SequenceGenerator):
                drawn = network.sample(n, part, rng=rng)
            else:
                assert isinstance(network, Generator)
                drawn = lift_generated(network(network.latent(n, rng=rng), part))
            extras = {name: value for name, value in drawn.extras.items() if value.dim() and len(value) == n}
            made.append(Batch(drawn.sample, part, drawn.lengths, extras).to(torch.device("cpu")))
    return Batch.concatenate(made)


def conditions_for(count: int, spaces: Mapping[str, Space], data: Data | None, *, seed: int = 0) -> Condition:
    """Return conditions to draw samples with: classes in turn, or else those of the data's first rows."""
    if only_labels(spaces):
        return {
            name: torch.arange(count) % len(space.classes)
            for name, space in spaces.items()
            if isinstance(space, LabelSpace)
        }
    assert data is not None, "conditions that are not labels come from data"
    found = first_rows(data, count, seed=seed).condition
    return {name: found[name] for name in spaces}


def only_labels(spaces: Mapping[str, Space]) -> bool:
    """Return whether every condition is a class label, and so needs no data to be varied."""
    return all(isinstance(space, LabelSpace) for space in spaces.values())


def generator_role(networks: Mapping[str, nn.Module]) -> str:
    """Return the network that samples are drawn from: the role ``generator``, or else the first generator.

    Raises:
        SparringError: There is none.
    """
    roles = [role for role, network in networks.items() if isinstance(network, Generator)]
    if not roles:
        raise SparringError("the recipe has no generator", where="networks", remedy="add a network that generates")
    return "generator" if "generator" in roles else roles[0]


def first_rows(data: Data, count: int, *, seed: int = 0) -> Batch:
    """Return a fixed choice of samples, on the CPU, spread over the data."""
    chosen = torch.randperm(len(data), generator=generator_at("cpu", seed, "rows"))[:count]
    if len(chosen) < count:
        chosen = chosen.repeat(-(-count // len(chosen)))[:count]
    return data.gather(chosen, rng=generator_at("cpu", seed, "gather")).to(torch.device("cpu"))


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Put a network into evaluation mode, and every module of it back into its own."""
    modes: dict[nn.Module, bool] = {module: module.training for module in network.modules()}
    network.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode
