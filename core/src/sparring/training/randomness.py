"""All randomness is a pure function of where a run is, so that no random state has to be saved."""

from __future__ import annotations

import hashlib

import torch


def mix(*keys: int | str) -> int:
    """Return a 63-bit seed for a place such as ``(seed, stage, step, update, repeat)``."""
    digest = hashlib.blake2b(repr(keys).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def generator_at(device: torch.device | str, *keys: int | str) -> torch.Generator:
    """Return a random generator on a device, seeded for a place."""
    return torch.Generator(device).manual_seed(mix(*keys))


def seed_layers(device: torch.device, *keys: int | str) -> None:
    """Seed what stochastic layers such as dropout draw from.

    ``torch.manual_seed`` visits every kind of device and costs over 100 microseconds; an update pays a few here.
    """
    seed = mix(*keys)
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)
