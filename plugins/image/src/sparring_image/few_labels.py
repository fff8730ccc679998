"""Whether generated images help a classifier that has few labelled ones to learn from.

Letters in names of tensors: B rows of the batch, C channels, H rows and W columns of pixels, K classes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from sparring.errors import DataError
from sparring.interfaces.data import Batch, Data
from sparring.interfaces.metric import Metric
from sparring.metrics.classifier import BATCH, batches, learn, remembered, set_apart
from sparring_image.encoders import FEATURES, convolutions, shifted
from sparring_image.networks.sizes import classes_of, image_shape


class FewLabels(Metric):
    """Train a classifier on the data's few labelled images, with and without generated ones; compare them on real ones.

    Both classifiers have the same first weights, see the same number of batches of the same size, and shift what they
    see at random; one has generated images, with the labels that were asked for, in the place of some of each batch.
    The generator should have learnt from the same few images alone. Give ``evaluate.count`` a number that is no less
    than that of the test images, so that all of them are used.

    The values are shares of the real samples whose class is found, on average over ``repeats`` pairs of classifiers:
    ``few_labels`` with generated images, ``few_labels_without`` without, and ``few_labels_gain``, the difference.

    Args:
        data: Labelled images, whose split ``train`` the classifiers learn from.
        steps: Training steps, of 64 images each.
        width: Channels of the classifiers' first layer.
        share: How much of each batch is generated, in (0, 1).
        repeats: How many pairs of classifiers are trained; one pair differs from another by a point or more.
        seed: Of the first pair's weights, order and shifts.
    """

    better: ClassVar[Literal["higher", "lower"]] = "higher"

    def __init__(
        self, data: Data, steps: int = 400, width: int = 32, share: float = 0.25, repeats: int = 3, seed: int = 0
    ) -> None:
        self.shape = image_shape(data.space, "image/few-labels")
        self.classes = classes_of(data.conditions, "image/few-labels")
        if self.classes < 2:
            raise DataError(
                f"image/few-labels learns to tell classes apart, and these data have {self.classes or 'no labels'}",
                remedy="use labelled data",
            )
        if not 0 < share < 1:
            raise ValueError(f"share is {share}, and must lie between 0 and 1")
        if repeats < 1:
            raise ValueError(f"repeats is {repeats}, and must be at least 1")
        self.data, self.steps, self.width, self.share = data, steps, width, share
        self.seeds = range(seed, seed + repeats)
        self.reset()

    def reset(self) -> None:
        self._real: list[Batch] = []
        self._fake: list[Batch] = []

    def update(self, real: Batch, fake: Batch) -> None:
        cpu = torch.device("cpu")
        for gathered, batch in ((self._real, real), (self._fake, fake)):
            if len(batch):
                gathered.append(Batch(batch.sample.detach().float(), dict(batch.condition)).to(cpu))

    def compute(self) -> dict[str, float]:
        if not self._real or not self._fake:
            raise DataError("no samples were given to image/few-labels", remedy="call `update` first")
        real, fake = Batch.concatenate(self._real), Batch.concatenate(self._fake)
        without = sum(_accuracy(self._without(seed), real) for seed in self.seeds) / len(self.seeds)
        together = sum(_accuracy(self._train(fake, seed), real) for seed in self.seeds) / len(self.seeds)
        return {"few_labels": together, "few_labels_without": without, "few_labels_gain": together - without}

    def _without(self, seed: int) -> nn.Module:
        key = ("image/few-labels", self.steps, self.width, seed)
        return remembered(self.data, key, lambda: self._train(None, seed))

    def _train(self, fake: Batch | None, seed: int) -> nn.Module:
        """Train a classifier on the labelled images, and on generated ones if they are given."""
        with set_apart(seed):
            network = nn.Sequential(convolutions(*self.shape, self.width), nn.Linear(FEATURES, self.classes))
            draw = torch.Generator().manual_seed(seed)
            learn(network, network, self._batches(fake, draw), self.steps)
        return network.eval().requires_grad_(False)

    def _batches(self, fake: Batch | None, draw: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
        train = self.data.split("train")
        generated = 0 if fake is None else min(max(1, round(self.share * BATCH)), BATCH - 1)
        for real in batches(train, draw, BATCH - generated):
            sample_BCHW, label_B = real.sample.float(), real.condition["label"]
            if fake is not None:
                chosen = fake.rows(torch.randint(len(fake), (generated,), generator=draw))
                sample_BCHW = torch.cat([sample_BCHW, chosen.sample])
                label_B = torch.cat([label_B, chosen.condition["label"]])
            yield shifted(sample_BCHW, draw), label_B


def _accuracy(network: nn.Module, real: Batch) -> float:
    """Return the share of real images whose class a network finds."""
    right = 0
    with torch.no_grad():
        for rows in torch.split(torch.arange(len(real)), 4 * BATCH):
            batch = real.rows(rows)
            right += int((network(batch.sample).argmax(dim=1) == batch.condition["label"]).sum())
    return right / len(real)
