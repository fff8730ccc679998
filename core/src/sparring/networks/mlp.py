"""Multilayer perceptrons, for samples of any fixed shape."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn

from sparring.errors import SparringError
from sparring.interfaces.data import Condition
from sparring.interfaces.discriminator import Critique, Discriminator
from sparring.interfaces.generator import Generator
from sparring.interfaces.space import Space
from sparring.networks.packing import check_packing, pack
from sparring.spaces.label import LabelSpace

_SLOPE = 0.2  # of the leaky ReLUs, as in DCGAN


class MLPGenerator(Generator):
    """Map a latent vector, and a class label where the data have one, to a sample of any fixed shape.

    Args:
        space: The samples' space.
        conditions: The data's conditions; ``label`` is embedded and joined to the latent (Mirza and Osindero, 2014).
        latent_dim: The latent's size.
        width: The hidden layers' size.
        depth: How many hidden layers there are.
        signs: Of how many of the latent's values, its last ones, only the sign is used. A network is continuous in its
            latent, so that all of a normal latent cannot map into separate clusters: some of it maps onto bridges
            between them. Signs let it jump.
    """

    def __init__(
        self,
        space: Space,
        conditions: Mapping[str, Space],
        latent_dim: int = 64,
        width: int = 128,
        depth: int = 3,
        signs: int = 0,
    ) -> None:
        super().__init__()
        if not 0 <= signs <= latent_dim:
            raise ValueError(f"signs must be between 0 and latent_dim, {latent_dim}, not {signs}")
        self.latent_shape, self.signs = (latent_dim,), signs
        self.sample_shape = space.shape
        self.embedding = _embedding(conditions, width)
        inputs = latent_dim + (width if self.embedding else 0)
        self.hidden = _hidden(inputs, width, depth)
        self.last = nn.Linear(width, _size(space))

    def forward(self, latent: Tensor | None, condition: Condition) -> Tensor:
        """Map ``(B, latent_dim)`` to ``(B, *space.shape)``, of any range."""
        if latent is None:
            raise SparringError("the generator mlp needs a latent", remedy="draw one with generator.latent(n, rng=rng)")
        if self.signs:
            whole = latent.shape[1] - self.signs
            latent = torch.cat([latent[:, :whole], latent[:, whole:].sign()], dim=1)
        value = _join(latent, condition, self.embedding)
        for layer in self.hidden:
            value = layer(value)
        made: Tensor = self.last(value)
        return made.reshape(-1, *self.sample_shape)


class MLPDiscriminator(Discriminator):
    """Judge a sample of any fixed shape, and whether it fits its class label where the data have one.

    It returns its hidden layers as features.

    Args:
        space: The samples' space.
        conditions: The data's conditions.
        width: The hidden layers' size.
        depth: How many hidden layers there are.
        label: Where the data have class labels: ``concatenation`` embeds the label and joins it to the sample (Mirza
            and Osindero, 2014); ``none`` does not look at it, as within ``heads`` with ``label: true``.
        packing: How many samples are judged together (PacGAN: Lin et al., 2018); the batch must be a multiple of it.
        frequencies: How many octaves of waves in each of the sample's values are judged beside them, from a
            wavelength of 2 down (Fourier features: Tancik et al., 2020). A plain network learns fine detail late.
    """

    def __init__(
        self,
        space: Space,
        conditions: Mapping[str, Space],
        width: int = 128,
        depth: int = 3,
        label: Literal["concatenation", "none"] = "concatenation",
        packing: int = 1,
        frequencies: int = 0,
    ) -> None:
        super().__init__()
        if frequencies < 0:
            raise ValueError(f"frequencies must be at least 0, not {frequencies}")
        self.packing, self.frequencies = check_packing(packing), frequencies
        self.embedding = _embedding(conditions, width) if label == "concatenation" else None
        inputs = _size(space) * (1 + 2 * frequencies) + (width if self.embedding else 0)
        self.hidden = _hidden(packing * inputs, width, depth)
        self.last = nn.Linear(width, 1)

    def forward(self, sample: Tensor, condition: Condition, lengths: Tensor | None = None) -> Critique:
        """Judge ``(B, *space.shape)``: logits ``(B,)`` and one scale of features, ``depth`` times ``(B, width)``.

        With packing there are B / packing rows of each.
        """
        seen = _waves(sample.reshape(len(sample), -1), self.frequencies)
        value = pack(_join(seen, condition, self.embedding), self.packing)
        features = []
        for layer in self.hidden:
            value = layer(value)
            features.append(value)
        return Critique((self.last(value).squeeze(1),), (tuple(features),))


def _size(space: Space) -> int:
    size = math.prod(space.shape)
    if size < 1:
        raise SparringError(
            f"an mlp needs samples of a fixed shape, not {space.shape}",
            remedy="use networks of the plugin that brings the data",
        )
    return size


def _embedding(conditions: Mapping[str, Space], width: int) -> nn.Embedding | None:
    label = conditions.get("label")
    return nn.Embedding(len(label.classes), width) if isinstance(label, LabelSpace) else None


def _hidden(inputs: int, width: int, depth: int) -> nn.ModuleList:
    if depth < 1:
        raise ValueError(f"depth must be at least 1, not {depth}")
    sizes = [inputs] + [width] * depth
    return nn.ModuleList(nn.Sequential(nn.Linear(size, width), nn.LeakyReLU(_SLOPE)) for size in sizes[:-1])


def _waves(value: Tensor, frequencies: int) -> Tensor:
    """Join sin and cos of π·value, 2π·value, 4π·value … to it: ``(B, N)`` -> ``(B, N · (1 + 2·frequencies))``."""
    if not frequencies:
        return value
    phases = [math.pi * 2**octave * value for octave in range(frequencies)]
    return torch.cat([value, *(wave for phase in phases for wave in (phase.sin(), phase.cos()))], dim=1)


def _join(value: Tensor, condition: Condition, embedding: nn.Embedding | None) -> Tensor:
    return value if embedding is None else torch.cat([value, embedding(condition["label"])], dim=1)
