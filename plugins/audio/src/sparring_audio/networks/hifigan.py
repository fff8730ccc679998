"""HiFi-GAN's generator: transposed convolutions, each followed by blocks whose receptive fields differ.

Kong, Kim and Bae 2020, "HiFi-GAN: Generative Adversarial Networks for Efficient and High Fidelity Speech Synthesis",
arXiv:2010.05646.

Letters in names of tensors: B rows of the batch, M mel bands, T frames, C channels, L samples, at the rate of a layer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.functional import leaky_relu
from torch.nn.utils.parametrizations import weight_norm

from sparring.errors import DataError
from sparring.interfaces.data import Condition
from sparring.interfaces.generator import Generator
from sparring.interfaces.space import Space
from sparring.networks.folding import fold_weight_norm
from sparring_audio.networks.driven import drive_of, mel_of

NAME = "audio/hifigan"
SLOPE = 0.1  # of LeakyReLU below zero
LAST_SLOPE = 0.01  # before the last layer: torch's default, by an oversight in the paper's code that its weights know
KERNEL = 7  # of the first and the last layer
FASTEST = 10  # times that one layer should at most upsample: an own choice, for suggestions


class Version(NamedTuple):
    """One of the paper's three sizes (its appendix A.1).

    Attributes:
        width: Channels of the first layer; each upsampling halves them.
        rates: By how much each layer upsamples.
        kernels: Of the blocks behind each upsampling.
        dilations: Of the layers of each of these blocks.
        paired: Whether each dilated layer is followed by one without dilation.
    """

    width: int
    rates: tuple[int, ...]
    kernels: tuple[int, ...]
    dilations: tuple[tuple[int, ...], ...]
    paired: bool


VERSIONS: Mapping[str, Version] = {
    "v1": Version(512, (8, 8, 2, 2), (3, 7, 11), ((1, 3, 5),) * 3, paired=True),
    "v2": Version(128, (8, 8, 2, 2), (3, 7, 11), ((1, 3, 5),) * 3, paired=True),
    "v3": Version(256, (8, 8, 4), (3, 5, 7), ((1, 2), (2, 6), (3, 12)), paired=False),
}


class HiFiGANGenerator(Generator):
    """Turn mel spectrograms into waveforms, ``hop`` samples for each frame.

    Its first weights are torch's own. Weight norm belongs to training; ``remove_weight_norm`` folds it into the
    weights, which a finished run does by itself when it is loaded.

    Attributes:
        hop: Samples of a frame: the product of all rates.
        context: How many frames on either side a frame's sound depends on.

    Args:
        space: Of waveforms.
        conditions: ``mel``: the spectrograms' space.
        version: ``v1``, the best, of 13.9 million parameters; ``v2``, of the same depth and a quarter of the width, of
            0.9 million; ``v3``, flatter, of 1.5 million.
        width: Channels of the first layer; by default the version's: 512, 128 or 256.
        rates: By how much each layer upsamples; by default the version's: 8, 8, 2, 2, or 8, 8, 4 of ``v3``. Their
            product must be the spectrogram's hop.
    """

    latent_shape = None

    def __init__(
        self,
        space: Space,
        conditions: Mapping[str, Space],
        version: Literal["v1", "v2", "v3"] = "v2",
        width: int | None = None,
        rates: list[int] | None = None,
    ) -> None:
        super().__init__()
        self.mels, self.hop = drive_of(space, conditions, NAME)
        size = VERSIONS[version]
        width, rates = width or size.width, list(rates or size.rates)
        _check(width, rates, self.hop)
        self.first = weight_norm(nn.Conv1d(self.mels, width, KERNEL, padding=KERNEL // 2))
        self.upsamplings, self.blocks = nn.ModuleList(), nn.ModuleList()
        channels = width
        for rate in rates:
            kernel = upsampling_kernel(rate)
            upsampling = nn.ConvTranspose1d(channels, channels // 2, kernel, rate, padding=(kernel - rate) // 2)
            self.upsamplings.append(weight_norm(upsampling))
            channels //= 2
            shapes = zip(size.kernels, size.dilations, strict=True)
            self.blocks.append(nn.ModuleList(_Block(channels, *shape, paired=size.paired) for shape in shapes))
        self.last = weight_norm(nn.Conv1d(channels, 1, KERNEL, padding=KERNEL // 2))
        self.context = _context(rates, size)

    def forward(self, latent: Tensor | None, condition: Condition) -> Tensor:
        """Make ``(B, 1, T * hop)`` in [-1, 1] from ``mel`` ``(B, M, T)``; there is no latent."""
        mel_BMT = mel_of(condition, self.mels, NAME)
        hidden_BC1L = _convolve(self.first, _laid_out(mel_BMT))
        for upsampling, blocks in zip(self.upsamplings, self.blocks, strict=True):
            hidden_BC1L = _convolve(upsampling, leaky_relu(hidden_BC1L, SLOPE))
            assert isinstance(blocks, nn.ModuleList)
            hidden_BC1L = sum(block(hidden_BC1L) for block in blocks) / len(blocks)
        waveform_B11L = torch.tanh(_convolve(self.last, leaky_relu(hidden_BC1L, LAST_SLOPE)))
        return waveform_B11L.squeeze(2)

    def remove_weight_norm(self) -> None:
        """Fold weight norm into the weights: the same sounds in less time, and no more training as before."""
        fold_weight_norm(self)


class _Block(nn.Module):
    """Dilated convolutions, each added to what it was given."""

    def __init__(self, channels: int, kernel: int, dilations: tuple[int, ...], *, paired: bool) -> None:
        super().__init__()
        self.dilated = nn.ModuleList(_convolution(channels, kernel, dilation) for dilation in dilations)
        self.plain = nn.ModuleList(_convolution(channels, kernel, 1) for _ in dilations) if paired else None

    def forward(self, hidden_BC1L: Tensor) -> Tensor:
        for index, dilated in enumerate(self.dilated):
            changed_BC1L = _convolve(dilated, leaky_relu(hidden_BC1L, SLOPE))
            if self.plain is not None:
                changed_BC1L = _convolve(self.plain[index], leaky_relu(changed_BC1L, SLOPE))
            hidden_BC1L = hidden_BC1L + changed_BC1L
        return hidden_BC1L


def _laid_out(hidden_BCL: Tensor) -> Tensor:
    """Return ``(B, C, 1, L)``; on a processor with the channels side by side, where convolutions are faster for it.

    torch knows such a layout of images only, so that sequences become images of one row.
    """
    hidden_BC1L = hidden_BCL.unsqueeze(2)
    layout = torch.channels_last if hidden_BCL.device.type == "cpu" else torch.contiguous_format
    return hidden_BC1L.contiguous(memory_format=layout)


def _convolve(layer: nn.Module, hidden_BC1L: Tensor) -> Tensor:
    """Apply a layer of one dimension to images of one row."""
    assert isinstance(layer, (nn.Conv1d, nn.ConvTranspose1d))
    weight, padding = layer.weight.unsqueeze(2), (0, int(layer.padding[0]))
    if isinstance(layer, nn.ConvTranspose1d):
        return F.conv_transpose2d(hidden_BC1L, weight, layer.bias, (1, layer.stride[0]), padding)
    return F.conv2d(hidden_BC1L, weight, layer.bias, 1, padding, (1, layer.dilation[0]))


def upsampling_kernel(rate: int) -> int:
    """Return the kernel of a layer that upsamples by a rate: twice as long, as published, and of the same parity."""
    return 2 * rate + rate % 2


def _convolution(channels: int, kernel: int, dilation: int) -> nn.Module:
    padding = dilation * (kernel - 1) // 2
    layer: nn.Module = weight_norm(nn.Conv1d(channels, channels, kernel, dilation=dilation, padding=padding))
    return layer


def _context(rates: list[int], size: Version) -> int:
    """Return how many frames on either side a frame's sound depends on, by going through the layers backwards."""
    each = [
        sum((kernel - 1) // 2 * (dilation + (1 if size.paired else 0)) for dilation in dilations)
        for kernel, dilations in zip(size.kernels, size.dilations, strict=True)
    ]
    reach = KERNEL // 2  # samples on either side
    for rate in reversed(rates):
        reach += max(each)
        # A sample is made from the inputs whose kernels cover it.
        kernel = upsampling_kernel(rate)
        reach = math.ceil((reach + kernel - 1 - (kernel - rate) // 2) / rate)
    return reach + KERNEL // 2


def _check(width: int, rates: list[int], hop: int) -> None:
    if min(rates) < 1 or math.prod(rates) != hop:
        shown = " x ".join(map(str, rates))
        raise DataError(
            f"{NAME} upsamples by {shown} = {math.prod(rates)}, and a frame of the spectrogram has a hop of {hop} "
            "samples",
            remedy=f"set `rates` to numbers whose product is {hop}, such as {_rates_for(hop)}, or the spectrogram's "
            f"`hop` to {math.prod(rates)}",
        )
    if width % 2 ** len(rates):
        raise DataError(
            f"{NAME} halves its width {len(rates)} times, and {width} cannot be halved so often",
            remedy=f"set `width` to a multiple of {2 ** len(rates)}",
        )


def _rates_for(hop: int) -> list[int]:
    """Return rates whose product is a hop, the larger ones first; few, and none above ten where that is possible."""
    rates: list[int] = []
    while hop > 1:
        best = next((rate for rate in range(FASTEST, 1, -1) if hop % rate == 0), hop)
        rates.append(best)
        hop //= best
    return sorted(rates, reverse=True) or [1]
