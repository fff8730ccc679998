"""FreezeD on every image critic: the patterns of the how-to name its first layers, and no others."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase

import pytest
import torch
from torch import nn

from sparring.interfaces.discriminator import Discriminator
from sparring.recipes.schema import InitializeFrom
from sparring.transfer.weights import freeze_as
from sparring_image.networks.dcgan import DCGANDiscriminator
from sparring_image.networks.patch import PatchDiscriminator
from sparring_image.networks.projected import MapCritic
from sparring_image.networks.r3gan import R3GANDiscriminator
from sparring_image.networks.resnet import ResNetDiscriminator
from sparring_image.spaces import ImageSpace

SPACE = ImageSpace(channels=3, height=32, width=32)


class Maps(nn.Module):
    """The trained part of a projected critic."""

    def __init__(self) -> None:
        super().__init__()
        self.critics = nn.ModuleList(MapCritic(4, 8, 8, 0) for _ in range(2))


CRITICS: dict[str, tuple[Callable[[], nn.Module], list[str]]] = {
    "dcgan": (lambda: DCGANDiscriminator(SPACE, {}, width=4), ["blocks.0.*"]),
    "resnet": (lambda: ResNetDiscriminator(SPACE, {}, width=4), ["blocks.0.*"]),
    "patch": (lambda: PatchDiscriminator(SPACE, {}, width=4), ["layers.0.*"]),
    "r3gan": (lambda: R3GANDiscriminator(SPACE, {}, width=8), ["from_picture.*", "stages.0.*"]),
    "projected": (Maps, ["critics.*.blocks.0.*"]),
}


@pytest.mark.parametrize("name", CRITICS)
def test_the_first_layers_take_no_gradient(name: str) -> None:
    make, patterns = CRITICS[name]
    critic = make()
    spec = InitializeFrom.model_validate({"from": "a run", "freeze": patterns})
    freeze_as(critic, spec, "discriminator", where="networks.discriminator.init")
    named = {key for key, _ in critic.named_parameters() if any(fnmatchcase(key, pattern) for pattern in patterns)}
    assert named
    if isinstance(critic, Discriminator):
        sample = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
        made = critic(sample, {})
        logits = made if isinstance(made, torch.Tensor) else made.logits[0]
        logits.sum().backward()
        assert {key for key, value in critic.named_parameters() if value.grad is None} == named


@pytest.mark.parametrize("name", [name for name in CRITICS if name != "projected"])
def test_they_are_those_next_to_the_picture(name: str) -> None:
    """Every frozen layer is called before the first one that learns."""
    make, patterns = CRITICS[name]
    critic, called = make(), []
    for key, module in critic.named_modules():
        if any(True for _ in module.parameters(recurse=False)):
            frozen = any(fnmatchcase(f"{key}.weight", pattern) for pattern in patterns)
            module.register_forward_hook(lambda *_, frozen=frozen: called.append(frozen))
    critic(torch.zeros(4, 3, 32, 32), {})
    assert called[0]
    assert not called[-1]
    assert called == sorted(called, reverse=True)
