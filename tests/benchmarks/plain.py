"""Hand-written image GANs to compare our step with; nothing to run by itself.

The networks and the loop are what a careful person writes for one run, from the papers: R3GAN's with a bias in each
activation and a resampling in each stage, DCGAN's as a list of layers; one loop for both, with R1, R2, averaged weights
and falling learning rates. ``copy_weights`` gives them the weights of ours, so that both compute the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.functional import softplus

SLOPE = 0.2


@dataclass(frozen=True)
class Settings:
    """What a recipe says."""

    latent: int
    gamma: float
    rate: float
    end_rate: float
    steps: int
    half_life: float
    ramp: float
    reuse_fake: bool
    batch: int = 64


class PlainLoop:
    """RpGAN with R1 and R2, by hand."""

    def __init__(self, generator: nn.Module, discriminator: nn.Module, pixels: Tensor, settings: Settings) -> None:
        self.generator, self.discriminator, self.pixels, self.settings = generator, discriminator, pixels, settings
        self.average = [parameter.detach().clone() for parameter in generator.parameters()]
        options = {"lr": settings.rate, "betas": (0.0, 0.99), "fused": True}
        self.generator_optimizer = torch.optim.Adam(generator.parameters(), **options)  # type: ignore[arg-type]
        self.discriminator_optimizer = torch.optim.Adam(discriminator.parameters(), **options)  # type: ignore[arg-type]
        self.done = 0
        self.losses: list[Tensor] = []

    def real(self) -> Tensor:
        """Return a batch of real images in [-1, 1]."""
        chosen = torch.randint(len(self.pixels), (self.settings.batch,), device=self.pixels.device)
        return self.pixels[chosen].float().div_(127.5).sub_(1.0)

    def latent(self) -> Tensor:
        return torch.randn(self.settings.batch, self.settings.latent, device=self.pixels.device)

    def step(self) -> None:
        """Train the discriminator, then the generator."""
        settings = self.settings
        share = 0.5 * (1 + math.cos(math.pi * min(self.done / settings.steps, 1)))
        for optimizer in (self.generator_optimizer, self.discriminator_optimizer):
            optimizer.param_groups[0]["lr"] = settings.end_rate + (settings.rate - settings.end_rate) * share

        real = self.real()
        with torch.set_grad_enabled(settings.reuse_fake):
            fake = self.generator(self.latent())
        loss = self.train_discriminator(real, fake.detach())
        if not settings.reuse_fake:
            real, fake = self.real(), self.generator(self.latent())
        self.losses = [loss, self.train_generator(real.detach(), fake)]

        seen = (self.done + 1) * settings.batch
        decay = 0.5 ** (settings.batch / min(settings.half_life, settings.ramp * seen))
        with torch.no_grad():
            torch._foreach_lerp_(self.average, [p.data for p in self.generator.parameters()], 1 - decay)
        self.done += 1

    def train_discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        real.requires_grad_(True)
        fake.requires_grad_(True)
        real_logit, fake_logit = self.discriminator(real), self.discriminator(fake)
        (real_slope,) = torch.autograd.grad(real_logit.sum(), real, create_graph=True)
        (fake_slope,) = torch.autograd.grad(fake_logit.sum(), fake, create_graph=True)
        penalty = real_slope.square().sum((1, 2, 3)).mean() + fake_slope.square().sum((1, 2, 3)).mean()
        loss = softplus(fake_logit - real_logit).mean() + self.settings.gamma / 2 * penalty
        self.discriminator_optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.discriminator_optimizer.step()
        return loss.detach()

    def train_generator(self, real: Tensor, fake: Tensor) -> Tensor:
        self.discriminator.requires_grad_(False)
        loss = softplus(self.discriminator(real) - self.discriminator(fake)).mean()
        self.generator_optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.generator_optimizer.step()
        self.discriminator.requires_grad_(True)
        return loss.detach()


def copy_weights(ours: nn.Module, plain: nn.Module) -> None:
    """Give a hand-written network the weights of ours, which has them in the same order.

    Raises:
        ValueError: The two are not the same network.
    """
    theirs, mine = list(plain.parameters()), list(ours.parameters())
    if [parameter.shape for parameter in theirs] != [parameter.shape for parameter in mine]:
        raise ValueError("the hand-written network and ours differ in their weights")
    with torch.no_grad():
        for parameter, value in zip(theirs, mine, strict=True):
            parameter.copy_(value)


# ---- DCGAN ----


def dcgan_generator(latent: int, width: int, start: int) -> nn.Module:
    """Return two doublings of a ``start`` × ``start`` map of grey pictures."""
    return nn.Sequential(
        nn.Linear(latent, 2 * width * start**2, bias=False),
        nn.Unflatten(1, (2 * width, start, start)),
        nn.BatchNorm2d(2 * width),
        nn.ReLU(),
        nn.ConvTranspose2d(2 * width, width, 4, 2, 1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.ConvTranspose2d(width, 1, 4, 2, 1),
        nn.Tanh(),
    )


def dcgan_discriminator(width: int, start: int) -> nn.Module:
    """Return two halvings to a ``start`` × ``start`` map."""
    return nn.Sequential(
        nn.Conv2d(1, width, 4, 2, 1),
        nn.LeakyReLU(SLOPE),
        nn.Conv2d(width, 2 * width, 4, 2, 1),
        nn.LeakyReLU(SLOPE),
        nn.Flatten(),
        nn.Linear(2 * width * start**2, 1),
        nn.Flatten(0),
    )


# ---- R3GAN ----


class BiasedActivation(nn.Module):
    """A bias, then LeakyReLU."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, hidden: Tensor) -> Tensor:
        return functional.leaky_relu(hidden + self.bias[:, None, None], SLOPE)


class PlainBlock(nn.Module):
    """A residual block."""

    def __init__(self, width: int, group_width: int = 16) -> None:
        super().__init__()
        inner = 2 * width
        self.first = nn.Conv2d(width, inner, 1, bias=False)
        self.first_activation = BiasedActivation(inner)
        self.middle = nn.Conv2d(inner, inner, 3, padding=1, groups=inner // group_width, bias=False)
        self.middle_activation = BiasedActivation(inner)
        self.last = nn.Conv2d(inner, width, 1, bias=False)

    def forward(self, hidden: Tensor) -> Tensor:
        inner = self.first_activation(self.first(hidden))
        return hidden + self.last(self.middle_activation(self.middle(inner)))


class Resample(nn.Module):
    """[1, 2, 1] both ways, at half or double the size."""

    kernel: Tensor

    def __init__(self, *, up: bool) -> None:
        super().__init__()
        line = torch.tensor([1.0, 2.0, 1.0]) / 4
        self.up = up
        self.register_buffer("kernel", (4 if up else 1) * torch.outer(line, line)[None, None])

    def forward(self, hidden: Tensor) -> Tensor:
        width = hidden.shape[1]
        kernel = self.kernel.repeat(width, 1, 1, 1)
        if self.up:
            return functional.conv_transpose2d(hidden, kernel, stride=2, padding=1, output_padding=1, groups=width)
        return functional.conv2d(hidden, kernel, stride=2, padding=1, groups=width)


class PlainR3GANGenerator(nn.Module):
    """R3GAN's generator of grey pictures, of one width."""

    def __init__(self, latent: int, width: int, start: int, stages: int, blocks: int) -> None:
        super().__init__()
        self.basis = nn.Parameter(torch.zeros(width, start, start))
        self.project = nn.Linear(latent, width, bias=False)
        layers: list[nn.Module] = []
        for stage in range(stages):
            layers += [Resample(up=True)] if stage else []
            layers += [PlainBlock(width) for _ in range(blocks)]
        self.layers = nn.Sequential(*layers)
        self.to_picture = nn.Conv2d(width, 1, 1, bias=False)

    def forward(self, latent: Tensor) -> Tensor:
        picture: Tensor = self.to_picture(self.layers(self.basis * self.project(latent)[:, :, None, None]))
        return picture


def r3gan_discriminator(width: int, start: int, stages: int, blocks: int) -> nn.Module:
    """Return R3GAN's discriminator of grey pictures, of one width."""
    layers: list[nn.Module] = [nn.Conv2d(1, width, 1, bias=False)]
    for stage in range(stages):
        layers += [PlainBlock(width) for _ in range(blocks)]
        layers += [Resample(up=False)] if stage < stages - 1 else []
    head: Sequence[nn.Module] = (
        nn.Conv2d(width, width, start, groups=width, bias=False),
        nn.Flatten(),
        nn.Linear(width, 1, bias=False),
        nn.Flatten(0),
    )
    return nn.Sequential(*layers, *head)
