"""A black-box score of points, and small networks for the tests of the objective metric-critic."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from sparring import Batch, Condition, Critique, Discriminator, Plugin
from sparring.spaces.point import PointSpace
from sparring.testing.contract import global_seed
from tests.core.proofs.parts import layers
from tests.core.translation import Translator

plugin = Plugin("grading")


@plugin.reward("nearness")
class Nearness:
    """Falls with the distance from the real sample, in ten steps: no gradient comes through."""

    def __init__(self) -> None:
        self.asked: list[Batch] = []

    def __call__(self, samples: Batch, reference: Batch | None) -> Tensor:
        self.asked.append(samples)
        if reference is None:
            return torch.ones(len(samples))
        distance = (samples.sample - reference.sample).flatten(1).norm(dim=1)
        return (1 / (1 + distance) * 10).round() / 10


class Grader(Discriminator):
    """Predicts a score, and keeps the conditions that it was shown."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.body = layers(2 * size, 8, 1)
        self.seen: list[Condition] = []

    def forward(self, sample: Tensor, condition: Condition, lengths: Tensor | None = None) -> Critique:
        self.seen.append(condition)
        both = torch.cat([sample.flatten(1), condition["reference"].flatten(1)], dim=1)
        return Critique((), outputs={"score": self.body(both).squeeze(1)})


def enhancer_and_grader() -> Mapping[str, nn.Module]:
    """Return a generator that is driven by the condition ``image``, and a critic that sees the real sample too."""
    with global_seed(0):
        return {"generator": Translator(PointSpace()), "discriminator": Grader(2)}
