"""Compare the spread of generated samples with that of real ones: pure functions of two batches."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from sparring.interfaces.data import Batch

REFERENCE = 256
"""Real samples to compare with: the mean distance of so many varies by 1% to 2% from draw to draw."""

REFERENCE_ELEMENTS = 8_000_000
"""Numbers that the reference may hold (32 MB): large pictures are compared with fewer."""

EXACT = 4096
"""Numbers of a sample up to which distances are computed pair by pair. A matrix product is faster, but its rounding
errors hide what lies near in few dimensions."""

FEWEST_PAIRS = 8
"""Pairs of generated samples of one class that the spread within classes needs."""

FEWEST_REACHED = 0.2
"""Share of a group of real samples that another group must reach for the comparison to mean something: raw waveforms
all lie nearest to the quietest one. Clusters and digits gave 0.5 to 0.6."""

NEAR = 0.1
"""A near-duplicate is closer to another sample than this share of the usual distance between neighbours."""

SKETCH_ROWS, SKETCH_COLUMNS = 16, 32
"""How much of a draw is kept, to see whether the next one differs."""


@dataclass(frozen=True)
class Spread:
    """How generated samples spread, each figure relative to real ones, which give 1.

    Attributes:
        whole: Mean distance between two samples.
        within: The same between two samples of one class; None without labels, or with too few.
        reach: How many different real samples are the nearest to some generated one; None for tokens, whose
            distances tie.
        duplicates: Share of samples that (nearly) repeat another one, less that share among real samples.
    """

    whole: float
    within: float | None
    reach: float | None
    duplicates: float


def measure(made: Batch, real: Batch) -> Spread:
    """Compare generated samples with real ones, ``(B, *space.shape)`` each; two rows of each or more.

    Integer samples are tokens, and compared position by position (Hamming distance); others by Euclidean distance.
    """
    made = made.rows(slice(0, REFERENCE))
    fakes, reals = _flat(made.sample), _flat(real.sample)
    tokens = not made.sample.is_floating_point()
    fake_distances, real_distances = _distances(fakes, fakes, tokens), _distances(reals, reals, tokens)
    groups = _groups(len(reals), len(fakes))
    near = _usual_neighbour(real_distances, groups) * (0.0 if tokens else NEAR)
    real_repeats = sum(_repeats(real_distances[group][:, group], near) for group in groups) / len(groups)
    first = slice(0, groups[0].stop)
    return Spread(
        whole=_ratio(_mean_pair(fake_distances), _mean_pair(real_distances)),
        within=_within(fake_distances, real_distances, made, real),
        reach=None if tokens else _reach(fakes, reals, groups),
        duplicates=max(0.0, _repeats(fake_distances[first][:, first], near) - real_repeats),
    )


def reference_count(sample: Tensor, available: int | None) -> int:
    """Return how many real samples to ask for, given a batch of generated ones and the size of the data."""
    fitting = REFERENCE_ELEMENTS // max(1, sample[0].numel())
    count = min(REFERENCE, max(fitting, 2 * len(sample)))
    return count if available is None else min(count, available)


def sketch(sample: Tensor) -> list[float]:
    """Return a few numbers of each of the first rows: enough to see whether samples change."""
    rows = _flat(sample)[:SKETCH_ROWS]
    columns = torch.linspace(0, rows.shape[1] - 1, min(SKETCH_COLUMNS, rows.shape[1])).round().long()
    return [float(value) for value in rows[:, columns].flatten()]


def movement(before: list[float], after: list[float], real: Tensor) -> float | None:
    """Return how far samples of the same latents moved, as a share of how far real samples lie from their mean."""
    if len(before) != len(after):
        return None
    moved = sum(abs(one - other) for one, other in zip(before, after, strict=True)) / max(1, len(after))
    # The same rows and columns of the real samples, so that borders that never change weigh nothing.
    rows = torch.tensor(sketch(real)).view(min(SKETCH_ROWS, len(real)), -1)
    return _ratio(moved, float((rows - rows.mean(0)).abs().mean()))


def _flat(sample: Tensor) -> Tensor:
    return sample.detach().to("cpu", torch.float32).reshape(len(sample), -1)


def _distances(one: Tensor, other: Tensor, tokens: bool) -> Tensor:
    if tokens:
        return torch.cdist(one, other, p=0.0)
    exact = one.shape[1] <= EXACT
    return torch.cdist(one, other, compute_mode=f"{'donot_use' if exact else 'use'}_mm_for_euclid_dist")


def _mean_pair(distances: Tensor) -> float:
    count = len(distances)
    return float(distances.sum()) / (count * (count - 1))


def _groups(available: int, size: int) -> list[slice]:
    """Cut the real samples into groups as large as the generated batch: the figures below depend on the number."""
    size = max(2, min(size, available // 2)) if available >= 4 else available
    return [slice(start, start + size) for start in range(0, available - size + 1, size)]


def _neighbours(distances: Tensor) -> Tensor:
    """Return each sample's distance to the nearest other one."""
    return (distances + torch.diag(torch.full((len(distances),), torch.inf))).amin(1)


def _usual_neighbour(distances: Tensor, groups: list[slice]) -> float:
    return float(torch.cat([_neighbours(distances[group][:, group]) for group in groups]).median())


def _repeats(distances: Tensor, near: float) -> float:
    return float((_neighbours(distances) <= near).float().mean())


def _within(fake_distances: Tensor, real_distances: Tensor, made: Batch, real: Batch) -> float | None:
    """Return the mean distance within classes; each class is compared with itself."""
    if "label" not in made.condition or "label" not in real.condition:
        return None
    fake_labels, real_labels = made.condition["label"].cpu(), real.condition["label"].cpu()
    if fake_labels.dim() != 1 or real_labels.dim() != 1:
        return None
    made_sum = real_sum = 0.0
    pairs = 0
    for label in sorted(set(fake_labels.tolist())):
        ours, theirs = fake_labels == label, real_labels == label
        if min(int(ours.sum()), int(theirs.sum())) < 2:
            continue
        count = int(ours.sum()) * (int(ours.sum()) - 1)
        made_sum += float(fake_distances[ours][:, ours].sum())
        real_sum += _mean_pair(real_distances[theirs][:, theirs]) * count
        pairs += count // 2
    return _ratio(made_sum, real_sum) if pairs >= FEWEST_PAIRS else None


def _reach(fakes: Tensor, reals: Tensor, groups: list[slice]) -> float | None:
    """Return the number of real samples reached, relative to what other real samples reach; a mean over groups."""
    if len(groups) < 2:
        return None
    size = groups[0].stop
    reached = [_different(fakes[:size], reals[group]) for group in groups]
    usual = [
        _different(reals[other], reals[group]) for group, other in zip(groups, groups[1:] + groups[:1], strict=True)
    ]
    if sum(usual) / len(usual) < FEWEST_REACHED * size:
        return None
    return sum(reached) / sum(usual)


def _different(samples: Tensor, targets: Tensor) -> int:
    return len(set(_distances(samples, targets, False).argmin(1).tolist()))


def _ratio(one: float, other: float) -> float:
    if other > 0:
        return one / other
    return 1.0 if one == 0 else float("inf")
