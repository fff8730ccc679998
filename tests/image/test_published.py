"""Weights published for PyTorch's DCGAN tutorial make the same pictures here."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from sparring.errors import CheckpointError
from sparring.recipes.schema import InitializeFrom
from sparring.transfer.weights import initialize_from
from sparring_image.networks.dcgan import DCGANGenerator
from sparring_image.networks.published import convert_published, load_published
from sparring_image.spaces import ImageSpace

WIDTH, LATENT = 4, 6
SPACE = ImageSpace(channels=3, height=64, width=64)


class Tutorial(nn.Module):
    """The generator of PyTorch's tutorial, but narrower."""

    def __init__(self) -> None:
        super().__init__()
        channels = [8 * WIDTH, 4 * WIDTH, 2 * WIDTH, WIDTH]
        layers: list[nn.Module] = [nn.ConvTranspose2d(LATENT, channels[0], 4, 1, 0, bias=False)]
        for wide, narrow in zip(channels, [*channels[1:], 3], strict=True):
            layers += [nn.BatchNorm2d(wide), nn.ReLU(), nn.ConvTranspose2d(wide, narrow, 4, 2, 1, bias=False)]
        self.main = nn.Sequential(*layers, nn.Tanh())

    def forward(self, latent: Tensor) -> Tensor:
        made: Tensor = self.main(latent[:, :, None, None])
        return made


def published() -> Tutorial:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = Tutorial()
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.normal_(module.weight, 1.0, 0.2)
                nn.init.normal_(module.bias, 0.0, 0.2)
        network(torch.randn(8, LATENT))  # so that the running statistics are of something
    return network.eval()


def ours(width: int = WIDTH) -> DCGANGenerator:
    return DCGANGenerator(SPACE, {}, latent_dim=LATENT, width=width, start=4).eval()


def test_a_file_becomes_one_that_recipes_read(tmp_path: Path) -> None:
    theirs, fresh = published(), ours()
    torch.save({"netG_state_dict": theirs.state_dict()}, tmp_path / "weights.tar")
    convert_published(tmp_path / "weights.tar", ours(), tmp_path / "faces.safetensors", entry="netG_state_dict")
    spec = InitializeFrom.model_validate({"from": str(tmp_path / "faces.safetensors")})
    initialize_from(fresh, spec, "generator", where="networks.generator.init")
    latent = torch.randn(5, LATENT, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(fresh(latent, {}), theirs(latent), rtol=1e-4, atol=1e-5)


def test_what_does_not_fit_is_said(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="do not fit this DCGAN") as caught:
        load_published(ours(width=8), published().state_dict())
    assert "`start: 4`" in caught.value.remedy
    with pytest.raises(CheckpointError, match=r"left over .*discriminator\.weight"):
        load_published(ours(), {**published().state_dict(), "discriminator.weight": torch.zeros(1)})
