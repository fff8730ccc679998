"""Hand-written DCGAN loops to compare our step with; nothing to run by itself.

``BareLoop`` is what a careful person writes for one run, with the settings of the recipe that it is compared with.
``CopiedLoop`` is the loop of the field's tutorials, with its own networks, loader and settings. Each of its slow habits
can be mended apart, to see what it costs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import softplus
from torch.utils.data import DataLoader, Dataset

BATCH, LATENT, WIDTH, SIZE = 64, 100, 64, 32


class BareLoop:
    """One step of DCGAN by hand: what the framework's step is held against, with the same networks and settings."""

    def __init__(self, generator: nn.Module, discriminator: nn.Module, pixels: Tensor) -> None:
        self.generator, self.discriminator, self.pixels = generator, discriminator, pixels
        self.generator_optimizer = torch.optim.Adam(generator.parameters(), 2e-4, (0.5, 0.999), fused=True)
        self.discriminator_optimizer = torch.optim.Adam(discriminator.parameters(), 2e-4, (0.5, 0.999), fused=True)
        self.losses: list[Tensor] = []

    def real(self) -> Tensor:
        """Return a batch of real images in [-1, 1]."""
        chosen = torch.randint(len(self.pixels), (BATCH,))
        return self.pixels[chosen].float().div_(127.5).sub_(1.0)

    def step(self) -> None:
        """Train the discriminator, then the generator, each on fresh noise."""
        real = self.real()
        with torch.no_grad():
            fake = self.generator(torch.randn(BATCH, LATENT), {})
        self.discriminator_optimizer.zero_grad(set_to_none=True)
        real_logit = self.discriminator(real, {}).logits[0]
        fake_logit = self.discriminator(fake, {}).logits[0]
        loss = softplus(-real_logit).mean() + softplus(fake_logit).mean()
        loss.backward()
        self.discriminator_optimizer.step()

        self.discriminator.requires_grad_(False)
        self.generator_optimizer.zero_grad(set_to_none=True)
        fake = self.generator(torch.randn(BATCH, LATENT), {})
        generator_loss = softplus(-self.discriminator(fake, {}).logits[0]).mean()
        generator_loss.backward()
        self.generator_optimizer.step()
        self.discriminator.requires_grad_(True)
        self.losses = [loss.detach(), generator_loss.detach()]


@dataclass(frozen=True)
class Mended:
    """Which of the copied loop's habits are mended."""

    data_on_device: bool = False
    no_idle_gradients: bool = False
    fused_optimizer: bool = False
    channels_last: bool = False
    bf16: bool = False
    no_waiting: bool = False


class CopiedLoop:
    """The tutorials' loop: decoded files from a loader, three backward passes, losses read in every step."""

    def __init__(self, folder: Path, mended: Mended = Mended()) -> None:
        self.mended = mended
        self.generator, self.discriminator = _generator(), _discriminator()
        if mended.channels_last:
            self.generator.to(memory_format=torch.channels_last)
            self.discriminator.to(memory_format=torch.channels_last)
        self.criterion = nn.BCEWithLogitsLoss() if mended.bf16 else nn.BCELoss()
        options = {"fused": True} if mended.fused_optimizer else {}
        self.generator_optimizer = torch.optim.Adam(self.generator.parameters(), 2e-4, (0.5, 0.999), **options)
        self.discriminator_optimizer = torch.optim.Adam(self.discriminator.parameters(), 2e-4, (0.5, 0.999), **options)
        files = Files(folder)
        self.pixels = torch.stack([files[index] for index in range(len(files))]) if mended.data_on_device else None
        self.batches = self._endless(DataLoader(files, BATCH, shuffle=True, num_workers=2, drop_last=True))

    def _endless(self, loader: DataLoader[Tensor]) -> Iterator[Tensor]:
        while True:
            yield from loader

    def _judge(self, images: Tensor) -> Tensor:
        logit = self.discriminator(images).flatten()
        return logit if self.mended.bf16 else torch.sigmoid(logit)

    def step(self) -> None:
        """Train the discriminator on real, then on fake images, then the generator on the same fakes."""
        with torch.autocast("cpu", torch.bfloat16, enabled=self.mended.bf16):
            self._step()

    def _step(self) -> None:
        mended = self.mended
        real = next(self.batches) if self.pixels is None else self.pixels[torch.randint(len(self.pixels), (BATCH,))]
        if mended.channels_last:
            real = real.contiguous(memory_format=torch.channels_last)
        self.discriminator.zero_grad()
        error_real = self.criterion(self._judge(real), torch.ones(BATCH))
        error_real.backward()
        fake = self.generator(torch.randn(BATCH, LATENT, 1, 1))
        error_fake = self.criterion(self._judge(fake.detach()), torch.zeros(BATCH))
        error_fake.backward()
        self.discriminator_optimizer.step()
        self.generator.zero_grad()
        if mended.no_idle_gradients:
            self.discriminator.requires_grad_(False)
        error = self.criterion(self._judge(fake), torch.ones(BATCH))
        error.backward()
        if mended.no_idle_gradients:
            self.discriminator.requires_grad_(True)
        self.generator_optimizer.step()
        if not mended.no_waiting:
            error_real.item(), error_fake.item(), error.item()


class Files(Dataset[Tensor]):
    """Images of a folder, decoded, resized and scaled to [-1, 1] whenever they are asked for."""

    def __init__(self, folder: Path) -> None:
        self.paths = sorted(folder.rglob("*.png"))

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Tensor:
        with Image.open(self.paths[index]) as image:
            pixels = np.asarray(image.convert("RGB").resize((SIZE, SIZE), Image.Resampling.BILINEAR))
        return (torch.from_numpy(pixels.copy()).permute(2, 0, 1).float() / 255 - 0.5) / 0.5


def _generator() -> nn.Module:
    layers: list[nn.Module] = [nn.ConvTranspose2d(LATENT, WIDTH * 4, 4, 1, 0, bias=False)]
    layers += [nn.BatchNorm2d(WIDTH * 4), nn.ReLU(inplace=True)]
    for wide, narrow in ((WIDTH * 4, WIDTH * 2), (WIDTH * 2, WIDTH)):
        layers += [nn.ConvTranspose2d(wide, narrow, 4, 2, 1, bias=False), nn.BatchNorm2d(narrow), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers, nn.ConvTranspose2d(WIDTH, 3, 4, 2, 1, bias=False), nn.Tanh()).apply(_dcgan_weights)


def _discriminator() -> nn.Module:
    layers: list[nn.Module] = [nn.Conv2d(3, WIDTH, 4, 2, 1, bias=False), nn.LeakyReLU(0.2, inplace=True)]
    for narrow, wide in ((WIDTH, WIDTH * 2), (WIDTH * 2, WIDTH * 4)):
        layers += [nn.Conv2d(narrow, wide, 4, 2, 1, bias=False), nn.BatchNorm2d(wide), nn.LeakyReLU(0.2, inplace=True)]
    return nn.Sequential(*layers, nn.Conv2d(WIDTH * 4, 1, 4, 1, 0, bias=False)).apply(_dcgan_weights)


def _dcgan_weights(module: nn.Module) -> None:
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
