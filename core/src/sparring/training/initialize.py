"""Initialisers: they set the weights of every linear, convolutional and embedding layer of a network.

Biases become 0. Normalisation layers keep their scale of 1 and shift of 0, but for ``normal``, which follows DCGAN.
Frozen weights came from elsewhere and stay as they are, as do recurrent and attention weights.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_LAYERS = (nn.Linear, nn.Bilinear, nn.Embedding, *_CONVOLUTIONS, *_TRANSPOSED)
_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


class Initializer(ABC):
    """Set a network's weights.

    Attributes:
        scale_std: The standard deviation of batch norm's scales around 1; None leaves batch norm alone.
    """

    scale_std: float | None = None

    def __call__(self, module: nn.Module, rng: torch.Generator | None = None) -> None:
        """Initialise a module and all modules within it, in place.

        Args:
            module: The network.
            rng: Where the numbers come from, on the weights' device; by default torch's global generator.
        """
        with torch.no_grad():
            for layer in module.modules():
                if isinstance(layer, _LAYERS):
                    self._layer(layer, rng)
                elif isinstance(layer, _BATCH_NORMS) and self.scale_std is not None:
                    _fill_batch_norm(layer, self.scale_std, rng)

    @abstractmethod
    def weight(self, weight: Tensor, rng: torch.Generator | None) -> None:
        """Fill a weight ``(out, in, …)`` or an embedding's ``(classes, features)``, in place."""

    def _layer(self, layer: nn.Module, rng: torch.Generator | None) -> None:
        if any(parameter.requires_grad for name, parameter in layer.named_parameters() if "bias" not in name):
            # A parametrised weight (spectral norm, weight norm) is computed: what is filled must be assigned back.
            weight = cast(Tensor, layer.weight)
            fresh = torch.empty_like(weight)
            # torch takes (in, out, …) of a transposed convolution for (out, in, …) and so its fan-out for its fan-in.
            self.weight(fresh.transpose(0, 1) if isinstance(layer, _TRANSPOSED) else fresh, rng)
            if isinstance(layer, nn.Embedding) and layer.padding_idx is not None:
                fresh[layer.padding_idx] = 0
            if parametrize.is_parametrized(layer, "weight"):
                layer.weight = fresh
            else:
                weight.copy_(fresh)
        _zero(getattr(layer, "bias", None))


class Normal(Initializer):
    """Draw weights from N(0, std²), and batch norm's scales from N(1, std²) (DCGAN: Radford et al., 2016).

    Args:
        std: The standard deviation.
    """

    def __init__(self, std: float = 0.02) -> None:
        self.std = self.scale_std = std

    def weight(self, weight: Tensor, rng: torch.Generator | None) -> None:
        nn.init.normal_(weight, 0.0, self.std, generator=rng)


class Xavier(Initializer):
    """Draw weights from N(0, gain² · 2 / (fan-in + fan-out)) (Glorot and Bengio, 2010).

    Args:
        gain: The factor for the activation that follows.
    """

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain

    def weight(self, weight: Tensor, rng: torch.Generator | None) -> None:
        nn.init.xavier_normal_(weight, self.gain, generator=rng)


class Kaiming(Initializer):
    """Draw weights from N(0, 2 / ((1 + slope²) · fan-in)), which suits leaky ReLUs (He et al., 2015).

    Args:
        negative_slope: The activation's slope below 0; 0 for a plain ReLU.
    """

    def __init__(self, negative_slope: float = 0.2) -> None:
        self.negative_slope = negative_slope

    def weight(self, weight: Tensor, rng: torch.Generator | None) -> None:
        nn.init.kaiming_normal_(weight, self.negative_slope, generator=rng)


class Orthogonal(Initializer):
    """Draw weights that are orthogonal matrices, times a gain (Saxe et al., 2014; BigGAN: Brock et al., 2019).

    Args:
        gain: The factor.
    """

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain

    def weight(self, weight: Tensor, rng: torch.Generator | None) -> None:
        # orthogonal_ flattens its argument, which a transposed view does not allow.
        weight.copy_(nn.init.orthogonal_(weight.contiguous(), self.gain, generator=rng))


def _fill_batch_norm(layer: nn.Module, std: float, rng: torch.Generator | None) -> None:
    scale = getattr(layer, "weight", None)  # None where the layer has no scale and shift
    if isinstance(scale, nn.Parameter) and scale.requires_grad:
        nn.init.normal_(scale, 1.0, std, generator=rng)
    _zero(getattr(layer, "bias", None))


def _zero(bias: object) -> None:
    if isinstance(bias, nn.Parameter) and bias.requires_grad:
        bias.zero_()
