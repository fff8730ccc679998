"""HiFi-GAN's networks under the names of the published weights: written anew, plainly, to compare with."""

from __future__ import annotations

import warnings
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

warnings.filterwarnings("ignore", message=".*weight_norm.*", category=FutureWarning)


def normed(layer: nn.Module) -> nn.Module:
    """torch's first weight norm, whose tensors are called weight_g and weight_v."""
    return nn.utils.weight_norm(layer)  # type: ignore[no-untyped-call, no-any-return]


class ResBlock(nn.Module):
    def __init__(self, channels: int, kernel: int, dilations: tuple[int, ...], paired: bool) -> None:
        super().__init__()

        def layer(dilation: int) -> nn.Module:
            same = (kernel * dilation - dilation) // 2
            return normed(nn.Conv1d(channels, channels, kernel, 1, dilation=dilation, padding=same))

        if paired:
            self.convs1 = nn.ModuleList([layer(dilation) for dilation in dilations])
            self.convs2 = nn.ModuleList([layer(1) for _ in dilations])
        else:
            self.convs = nn.ModuleList([layer(dilation) for dilation in dilations])
        self.paired = paired

    def forward(self, x: Tensor) -> Tensor:
        if not self.paired:
            for conv in self.convs:
                x = conv(F.leaky_relu(x, 0.1)) + x
            return x
        for first, second in zip(self.convs1, self.convs2, strict=True):
            x = second(F.leaky_relu(first(F.leaky_relu(x, 0.1)), 0.1)) + x
        return x


class PlainHiFiGAN(nn.Module):
    """The generator; ``paired`` is what the published configuration calls resblock 1."""

    def __init__(
        self,
        mels: int,
        width: int,
        rates: tuple[int, ...],
        kernels: tuple[int, ...],
        dilations: tuple[tuple[int, ...], ...],
        paired: bool,
    ) -> None:
        super().__init__()
        self.count = len(kernels)
        self.conv_pre = normed(nn.Conv1d(mels, width, 7, 1, padding=3))
        self.ups, self.resblocks = nn.ModuleList(), nn.ModuleList()
        for i, rate in enumerate(rates):
            channels = width // 2 ** (i + 1)
            self.ups.append(normed(nn.ConvTranspose1d(2 * channels, channels, 2 * rate, rate, padding=rate // 2)))
            for kernel, dilation in zip(kernels, dilations, strict=True):
                self.resblocks.append(ResBlock(channels, kernel, dilation, paired))
        self.conv_post = normed(nn.Conv1d(channels, 1, 7, 1, padding=3))

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv_pre(x)
        for i, up in enumerate(self.ups):
            x = up(F.leaky_relu(x, 0.1))
            x = sum(block(x) for block in self.resblocks[i * self.count : (i + 1) * self.count]) / self.count
        return torch.tanh(self.conv_post(F.leaky_relu(x)))


class PeriodDiscriminator(nn.Module):
    def __init__(self, period: int) -> None:
        super().__init__()
        self.period = period
        sizes = [1, 32, 128, 512, 1024]
        layers = [normed(nn.Conv2d(a, b, (5, 1), (3, 1), padding=(2, 0))) for a, b in pairwise(sizes)]
        self.convs = nn.ModuleList([*layers, normed(nn.Conv2d(1024, 1024, (5, 1), 1, padding=(2, 0)))])
        self.conv_post = normed(nn.Conv2d(1024, 1, (3, 1), 1, padding=(1, 0)))

    def forward(self, x: Tensor) -> list[Tensor]:
        batch, channels, length = x.shape
        if length % self.period:
            x = F.pad(x, (0, self.period - length % self.period), "reflect")
        x = x.view(batch, channels, -1, self.period)
        maps = []
        for conv in self.convs:
            x = F.leaky_relu(conv(x), 0.1)
            maps.append(x)
        return [*maps, torch.flatten(self.conv_post(x), 1, -1)]


class ScaleDiscriminator(nn.Module):
    def __init__(self, spectral: bool) -> None:
        super().__init__()
        norm = nn.utils.spectral_norm if spectral else normed
        self.convs = nn.ModuleList(
            [
                norm(nn.Conv1d(1, 128, 15, 1, padding=7)),
                norm(nn.Conv1d(128, 128, 41, 2, groups=4, padding=20)),
                norm(nn.Conv1d(128, 256, 41, 2, groups=16, padding=20)),
                norm(nn.Conv1d(256, 512, 41, 4, groups=16, padding=20)),
                norm(nn.Conv1d(512, 1024, 41, 4, groups=16, padding=20)),
                norm(nn.Conv1d(1024, 1024, 41, 1, groups=16, padding=20)),
                norm(nn.Conv1d(1024, 1024, 5, 1, padding=2)),
            ]
        )
        self.conv_post = norm(nn.Conv1d(1024, 1, 3, 1, padding=1))

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = []
        for conv in self.convs:
            x = F.leaky_relu(conv(x), 0.1)
            maps.append(x)
        return [*maps, torch.flatten(self.conv_post(x), 1, -1)]


class PlainPeriods(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.discriminators = nn.ModuleList([PeriodDiscriminator(period) for period in (2, 3, 5, 7, 11)])

    def forward(self, x: Tensor) -> list[list[Tensor]]:
        return [one(x) for one in self.discriminators]


class PlainScales(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.discriminators = nn.ModuleList([ScaleDiscriminator(index == 0) for index in range(3)])

    def forward(self, x: Tensor) -> list[list[Tensor]]:
        found = []
        for index, one in enumerate(self.discriminators):
            x = F.avg_pool1d(x, 4, 2, padding=2) if index else x
            found.append(one(x))
        return found
