"""Whether generated sounds of one class differ as real ones do, and whether they are copies of training clips."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import torch
from torch import Tensor

from sparring.errors import TrainingError
from sparring.interfaces.data import Batch, Data
from sparring.interfaces.metric import Metric
from sparring.spaces.label import LabelSpace
from sparring_audio.listening import Listener
from sparring_audio.metrics.generated import nearest

MOST = 1000  # training clips that are compared with, spread evenly over the data
SMALLEST = 1e-6  # of a distance or a ratio, so that there is a logarithm
PAIRED = 200  # clips of a class whose distances to one another are taken


class Diversity(Metric):
    """How far generated sounds of a class are from one another, and how far from anything in the training data.

    Distances are root mean square differences of log-mel spectrograms in decibels, as in ``audio/sound``. ``spread`` is
    the mean distance of two generated sounds of one class, divided by that of two training clips of the class, and
    averaged over classes: 1 is as varied as the data, 0 one sound over and over, and noise is above 1. ``least_spread``
    is that of the class for which it is least. ``spread_error`` is the mean over classes of the size of its logarithm:
    0 where generated sounds are as varied as real ones. Data without labels are one class.

    ``training_distance`` is the mean distance of a generated sound to the nearest training clip: 0 is a copy. All are
    given of the held-out sounds too, with ``real_``.

    Args:
        data: The data that are trained on.
    """

    better: ClassVar[Literal["higher", "lower"]] = "lower"

    def __init__(self, data: Data) -> None:
        self.listener = Listener(data.space, "audio/diversity")
        label = data.conditions.get("label")
        self.names = list(label.classes) if isinstance(label, LabelSpace) else ["all"]
        self.data = data
        self._training: tuple[Tensor, Tensor] | None = None
        self.reset()

    def reset(self) -> None:
        self._kept: dict[str, list[tuple[Tensor, Tensor]]] = {"": [], "real_": []}

    @torch.no_grad()
    def update(self, real: Batch, fake: Batch) -> None:
        for prefix, batch in (("", fake), ("real_", real)):
            if len(batch):
                self._kept[prefix].append(self._levels(batch))

    def compute(self) -> dict[str, float]:
        if not self._kept[""]:
            raise TrainingError("audio/diversity was given no generated samples", remedy="call `update` first")
        if self._training is None:
            # Once: the training clips do not change from one evaluation to the next.
            count = len(self.data)
            rows = torch.linspace(0, count - 1, min(count, MOST)).round().long()
            self._training = self._levels(self.data.gather(rows, rng=torch.Generator().manual_seed(0)))
        training, training_label = self._training
        expected = self._spreads(training, training_label)
        values = {}
        for prefix, kept in self._kept.items():
            if not kept:
                continue
            levels, label = (torch.cat(parts) for parts in zip(*kept, strict=True))
            ratios = {
                name: value / max(expected[name], SMALLEST)
                for name, value in self._spreads(levels, label).items()
                if name in expected
            }
            if ratios:
                errors = [abs(math.log(max(ratio, SMALLEST))) for ratio in ratios.values()]
                values[f"{prefix}spread_error"] = sum(errors) / len(errors)
                values[f"{prefix}spread"] = sum(ratios.values()) / len(ratios)
                values[f"{prefix}least_spread"] = min(ratios.values())
            values[f"{prefix}training_distance"] = nearest(levels, training).mean().item()
        if "spread" not in values:
            raise TrainingError(
                "no class has two generated samples and two training clips, the fewest that have a spread",
                remedy="evaluate on more samples",
            )
        return values

    def _levels(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return levels in dB ``(B, 1, M, T)``, and classes ``(B,)``."""
        levels = self.listener.space.decibels(self.listener(batch.sample.detach().cpu()))
        label = batch.condition.get("label") if len(self.names) > 1 else None
        return levels, torch.zeros(len(levels), dtype=torch.long) if label is None else label.cpu()

    def _spreads(self, levels: Tensor, label: Tensor) -> dict[str, float]:
        """Return the mean distance of two sounds of each class that has two."""
        found = {}
        for index, name in enumerate(self.names):
            of_class = levels[label == index][:PAIRED].flatten(1)
            if len(of_class) > 1:
                distances = torch.pdist(of_class) / of_class.shape[1] ** 0.5
                found[name] = distances.mean().item()
        return found
