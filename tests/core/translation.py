"""Two unpaired clouds of points, and small translators and critics between them, for the tests of CycleGAN."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from sparring import Condition, Discriminator, Generator, Plugin, Space
from sparring.data.memory import MemoryData
from sparring.spaces.point import PointSpace
from sparring.testing.contract import global_seed
from tests.core.proofs.parts import layers

plugin = Plugin("cycle")

PHOTO, SKETCH = (-2.0, 0.0), (1.0, 1.5)


@plugin.data("domains")
class Domains(MemoryData):
    """Two clouds of points that are not paired: the sample is a sketch, the condition a photo."""

    def __init__(self, count: int = 512) -> None:
        rng = torch.Generator().manual_seed(0)
        photo = torch.tensor(PHOTO) + 0.3 * torch.randn(count, 2, generator=rng)
        sketch = torch.tensor(SKETCH) + 0.3 * torch.randn(count, 2, generator=rng)
        super().__init__(PointSpace(), sketch, {"image": (PointSpace(), photo)})


@plugin.generator("translator")
class Translator(Generator):
    """Driven by its condition alone."""

    def __init__(self, space: Space) -> None:
        super().__init__()
        self.body = layers(*space.shape, 8, *space.shape)

    def forward(self, latent: Tensor | None, condition: Condition) -> Tensor:
        assert latent is None
        made: Tensor = self.body(condition["image"])
        return made


@plugin.discriminator("judge")
class Judge(Discriminator):
    """Sees one domain."""

    def __init__(self, space: Space) -> None:
        super().__init__()
        self.body = layers(*space.shape, 8, 1)

    def forward(self, sample: Tensor, condition: Condition, lengths: Tensor | None = None) -> Tensor:
        assert not condition
        opinion: Tensor = self.body(sample).squeeze(1)
        return opinion


def translators_and_critics() -> Mapping[str, nn.Module]:
    """Return the four networks of the objective ``cycle``, by role."""
    with global_seed(0):
        return {
            "generator": Translator(PointSpace()),
            "backward_generator": Translator(PointSpace()),
            "discriminator": Judge(PointSpace()),
            "backward_discriminator": Judge(PointSpace()),
        }
