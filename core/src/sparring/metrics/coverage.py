"""Precision, recall, density and coverage: fidelity and variety told apart, by nearest neighbours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

import torch
from torch import Tensor

from sparring.errors import TrainingError
from sparring.interfaces.data import Batch
from sparring.interfaces.metric import Encoder, Metric

PAIRS = 2**21  # distances at a time: 16 MiB
SLACK = 1 + 1e-9  # of a squared radius: rounding must not put a neighbour outside the ball that it defines


def coverage_of(real: Tensor, fake: Tensor, neighbours: int) -> dict[str, float]:
    """Compare two sets by balls around their rows, each of which reaches to its row's k-th nearest neighbour.

    A row does not count as its own neighbour. Distances are Euclidean and computed in parts, so that beside the rows
    only a few MiB are held.

    Args:
        real: Features ``(N, F)``.
        fake: Features ``(M, F)``.
        neighbours: k, at least 1 and less than N and M.

    Returns:
        - ``coverage``: the share of the real balls that hold a generated row.
        - ``density``: the number of real balls that a generated row lies in, on average, as a share of k.
        - ``precision``: the share of generated rows that lie in a real ball.
        - ``recall``: the share of real rows that lie in a generated ball.
    """
    # Around the middle of the real rows, the squares that distances are differences of are small.
    middle = real.double().mean(dim=0)
    real, fake = real.double() - middle, fake.double() - middle
    real_radius_N, fake_radius_M = _radii(real, neighbours), _radii(fake, neighbours)
    covered, balls, precise, recalled = 0, 0, torch.zeros(len(fake), dtype=torch.bool), 0
    for rows, square_RM in _squares(real, fake):
        in_real_RM = square_RM <= real_radius_N[rows, None]
        covered += int(in_real_RM.any(dim=1).sum())
        balls += int(in_real_RM.sum())
        precise |= in_real_RM.any(dim=0).cpu()
        recalled += int((square_RM <= fake_radius_M).any(dim=1).sum())
    return {
        "coverage": covered / len(real),
        "density": balls / (neighbours * len(fake)),
        "precision": int(precise.sum()) / len(fake),
        "recall": recalled / len(real),
    }


class Coverage(Metric):
    """Precision and recall (Kynkäänniemi et al., 2019), density and coverage (Naeem et al., 2020).

    - ``coverage``: how much of the real samples' variety is reached, in [0, 1].
    - ``density``: how near generated samples are to real ones; about 1 for perfect ones, and more where they crowd
      together where real ones are dense.
    - ``precision``: the share of generated samples that could be real ones.
    - ``recall``: the share of real samples that could be generated ones.

    The latter two trust every real and generated sample equally, and outliers raise them; coverage and density were
    made to mend that. Perfect samples do not reach 1: with equal numbers of both, the expected coverage is about
    1 − 2⁻ᵏ, 0.97 with five neighbours (Naeem et al., lemma 2).

    Figures depend on the numbers of samples, and are comparable only where encoder, split and counts are the same. The
    features of all samples are held in memory, and the time grows with the product of their numbers.

    Attributes:
        encoder: As given.

    Args:
        encoder: What looks at the samples.
        neighbours: k: the published experiments use 5 for density and coverage, and 3 for precision and recall.
    """

    better: ClassVar[Literal["higher", "lower"]] = "higher"

    def __init__(self, encoder: Encoder, neighbours: int = 5) -> None:
        if neighbours < 1:
            raise ValueError(f"neighbours must be at least 1, not {neighbours}")
        self.encoder, self.neighbours = encoder.eval(), neighbours
        self.reset()

    def reset(self) -> None:
        self._real: list[Tensor] = []
        self._fake: list[Tensor] = []

    @torch.no_grad()
    def update(self, real: Batch, fake: Batch) -> None:
        for rows, batch in ((self._real, real), (self._fake, fake)):
            if len(batch):
                rows.append(self.encoder.to(batch.sample.device)(batch.sample).detach().float().cpu())

    def compute(self) -> dict[str, float]:
        counts = [sum(map(len, rows)) for rows in (self._real, self._fake)]
        if min(counts) <= self.neighbours:
            raise TrainingError(
                f"a sample needs {self.neighbours} neighbours, and there are {counts[0]} real and {counts[1]} "
                "generated ones",
                remedy="evaluate on more samples, or set the metric's `neighbours` lower",
            )
        return coverage_of(torch.cat(self._real), torch.cat(self._fake), self.neighbours)


def _radii(rows: Tensor, neighbours: int) -> Tensor:
    """Return each row's squared distance to its k-th nearest other row, ``(N,)``, with some slack."""
    found = []
    for part, square_RN in _squares(rows, rows):
        # Whatever rounding makes of a row's distance to itself, it is not a neighbour.
        square_RN[torch.arange(len(square_RN)), part] = torch.inf
        found.append(square_RN.topk(neighbours, dim=1, largest=False).values[:, -1])
    return torch.cat(found) * SLACK


def _squares(first: Tensor, second: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield some rows' indices ``(R,)`` and their squared distances to all of the others, ``(R, M)``."""
    norms_M = second.square().sum(dim=1)
    for rows in torch.split(torch.arange(len(first)), max(1, PAIRS // len(second))):
        some = first[rows]
        square_RM = some.square().sum(dim=1, keepdim=True) + norms_M - 2 * some @ second.T
        yield rows, square_RM.clamp_min_(0)
