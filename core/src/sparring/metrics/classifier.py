"""Small classifiers that metrics train on the data's own labels: what is the same for every kind of sample."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar, runtime_checkable
from weakref import WeakKeyDictionary

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sparring.errors import DataError
from sparring.interfaces.data import Batch, Data

LEARNING_RATE = 2e-3
WEIGHT_DECAY = 1e-4
BATCH = 64
OUTLIER_WEIGHT = 0.5  # as in Hendrycks et al.


@runtime_checkable
class Classifier(Protocol):
    """An encoder that also names classes."""

    def probabilities(self, sample: Tensor) -> Tensor:
        """Map samples ``(B, *space.shape)`` to the probability of each class ``(B, K)``."""
        ...


Result = TypeVar("Result")
_REMEMBERED: WeakKeyDictionary[Data, dict[tuple[object, ...], object]] = WeakKeyDictionary()


def remembered(data: Data, key: tuple[object, ...], make: Callable[[], Result]) -> Result:
    """Return what was made for these very data before, by its key; make it the first time.

    It is forgotten with the data. What several would share should not be changed by any of them.
    """
    made = _REMEMBERED.setdefault(data, {})
    if key not in made:
        made[key] = make()
    return made[key]  # type: ignore[return-value]


def batches(data: Data, draw: torch.Generator, size: int = BATCH) -> Iterator[Batch]:
    """Yield batches without end, on the CPU, in passes over the data that each have an order of their own."""
    order = torch.empty(0, dtype=torch.long)
    while True:
        while len(order) < size:
            order = torch.cat([order, torch.randperm(len(data), generator=draw)])
        yield data.gather(order[:size], rng=draw).to(torch.device("cpu"))
        order = order[size:]


def learn(
    network: nn.Module,
    classify: Callable[[Tensor], Tensor],
    labelled: Iterator[tuple[Tensor, Tensor]],
    steps: int,
    *,
    unlike: Callable[[Tensor], Tensor] | None = None,
) -> None:
    """Train a network to name classes, by AdamW with a learning rate that falls along half a cosine.

    Args:
        network: What is trained, in place.
        classify: Maps samples ``(B, …)`` to logits ``(B, K)`` with it.
        labelled: Gives samples and their classes ``(B,)``.
        steps: How many batches are taken.
        unlike: Makes, from a batch, samples that show no class: the network learns to give every class an equal share
            of them (outlier exposure: Hendrycks, Mazeika and Dietterich 2019, arXiv:1812.04606).
    """
    optimizer = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    network.train()
    for _ in range(steps):
        sample, label_B = next(labelled)
        shown = sample if unlike is None else torch.cat([sample, unlike(sample)])
        known_BK, unlike_BK = classify(shown).tensor_split([len(sample)])
        loss = F.cross_entropy(known_BK, label_B)
        if len(unlike_BK):
            # The cross-entropy to equal shares: for what is of no class, no class shall be likely.
            loss = loss - OUTLIER_WEIGHT * unlike_BK.log_softmax(dim=1).mean()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()


def held_out_accuracy(network: nn.Module, classify: Callable[[Tensor], Tensor], data: Data) -> float:
    """Return the share of the split ``test`` whose class is found; NaN where the data hold nothing out."""
    try:
        held_out = data.split("test")
    except DataError:
        return math.nan
    network.eval()
    right = 0
    with torch.no_grad():
        for indices in torch.split(torch.arange(len(held_out)), 4 * BATCH):
            batch = held_out.gather(indices, rng=torch.Generator()).to(torch.device("cpu"))
            right += int((classify(batch.sample.float()).argmax(dim=1) == batch.condition["label"]).sum())
    return right / len(held_out)


@contextmanager
def set_apart(seed: int) -> Iterator[None]:
    """Seed torch's CPU randomness, and put the state from before back afterwards. GPUs' states are not touched.

    Whoever builds a metric may do so under inference_mode, no_grad or autocast; none of them holds within.
    """
    before = torch.default_generator.get_state()
    torch.default_generator.manual_seed(seed)
    try:
        with torch.inference_mode(False), torch.enable_grad(), torch.autocast("cpu", enabled=False):
            yield
    finally:
        torch.default_generator.set_state(before)
