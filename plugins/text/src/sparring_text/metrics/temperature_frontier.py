"""Quality against variety over temperatures: what a generator reaches when it is merely sampled colder or hotter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from sparring.errors import DataError, TrainingError
from sparring.interfaces.data import Batch, Data
from sparring.interfaces.generator import SequenceGenerator
from sparring.interfaces.metric import Metric
from sparring.training.randomness import generator_at
from sparring_text.data.oracle import Estimate, Oracle, per_token
from sparring_text.metrics.oracle_nll import (
    MANY,
    device_of,
    oracle_data,
    oracle_log_prob,
    rows_for,
    sequence_generator,
)

TEMPERATURES = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


class Point(NamedTuple):
    """A generator at one temperature, a token, in nats.

    Attributes:
        temperature: That of each token's distribution.
        nll_oracle: The negative log-likelihood of its sequences under the oracle.
        nll_test: That of the oracle's held-out sequences under the generator at this temperature.
    """

    temperature: float
    nll_oracle: Estimate
    nll_test: Estimate


class TemperatureFrontier(Metric):
    """The likelihoods of ``text/oracle-nll``, both ways, at each of several temperatures. For the data ``text/oracle``.

    Of a generator trained by likelihood these points are the curve that any other method has to pass: a point is better
    than the curve where both of its values are lower than those of some point of it (Caccia et al. 2020, "Language GANs
    Falling Short", arXiv:1811.02549). The generator's sequences are drawn anew at each temperature, as many as are
    handed over, and the held-out ones are judged by the distribution at the same temperature: figures of two
    temperatures do not belong together.

    ``frontier_gap``, the main value, is the smallest sum of the two gaps to the oracle's entropy, ``best_temperature``
    where it is; ``nll_oracle_at_T`` and ``nll_test_at_T`` are the points. The generator must give its whole
    distribution (``log_distribution``). Each temperature costs as much as drawing and judging all sequences once.

    Args:
        data: The oracle's data.
        temperatures: Of each token's distribution, above 0; below 1 is colder.
        seed: Of the sequences that are drawn.
    """

    better: ClassVar[Literal["higher", "lower"]] = "lower"

    def __init__(self, data: Data, temperatures: Sequence[float] = TEMPERATURES, seed: int = 0) -> None:
        self.data = oracle_data(data, "text/temperature-frontier")
        self.temperatures, self.seed = tuple(temperatures), seed
        if not self.temperatures or min(self.temperatures) <= 0:
            raise ValueError(f"temperatures are {list(self.temperatures)}: give at least one, all above 0")
        self.reset()

    def reset(self) -> None:
        self._generator: SequenceGenerator | None = None
        self._held_out: list[Tensor] = []
        self._count = 0

    def examine(self, generator: nn.Module) -> None:
        self._generator = sequence_generator(generator, "text/temperature-frontier")

    def update(self, real: Batch, fake: Batch) -> None:
        self._held_out.append(real.sample.cpu())
        self._count += len(fake)

    def compute(self) -> dict[str, float]:
        if self._generator is None:
            raise TrainingError(
                "text/temperature-frontier has seen no generator", remedy="call `examine` after `reset`"
            )
        held_out = torch.cat(self._held_out) if self._held_out else torch.empty(0, 1)
        if not len(held_out) or not self._count:
            raise DataError("text/temperature-frontier needs sequences of both kinds", remedy="call `update`")
        points = frontier(self._generator, self.data, held_out, self.temperatures, self._count, seed=self.seed)
        entropy = per_token(self.data.oracle.log_prob(held_out)).mean
        gaps = [point.nll_oracle.mean + point.nll_test.mean - 2 * entropy for point in points]
        best = min(range(len(gaps)), key=gaps.__getitem__)
        values = {"frontier_gap": gaps[best], "best_temperature": points[best].temperature, "oracle_entropy": entropy}
        for point in points:
            values[f"nll_oracle_at_{point.temperature:g}"] = point.nll_oracle.mean
            values[f"nll_test_at_{point.temperature:g}"] = point.nll_test.mean
        return values


@torch.no_grad()
def frontier(
    generator: SequenceGenerator,
    data: Oracle,
    held_out: Tensor,
    temperatures: Sequence[float],
    count: int,
    *,
    seed: int = 0,
) -> list[Point]:
    """Return a generator's point at each temperature.

    Args:
        generator: In evaluation mode. It is given no condition: oracles have none.
        data: The oracle's data.
        held_out: Sequences of the oracle, ``(N, T)``.
        temperatures: Each above 0.
        count: How many sequences are drawn at each temperature.
        seed: Of these.
    """
    tested = tempered_log_prob(generator, held_out, temperatures)
    points = []
    for index, (temperature, test) in enumerate(zip(temperatures, tested, strict=True)):
        judged = [
            oracle_log_prob(data.oracle, tokens, data.space.shape[0])
            for tokens in _drawn(generator, count, temperature, seed, index)
        ]
        points.append(Point(temperature, per_token(torch.cat(judged)), per_token(test)))
    return points


@torch.no_grad()
def tempered_log_prob(generator: SequenceGenerator, tokens: Tensor, temperatures: Sequence[float]) -> list[Tensor]:
    """Return the log-probability of each token ``(N, T)`` at each temperature.

    At temperature T a token has a probability in proportion to its p^(1/T), given those before it.
    """
    found: list[list[Tensor]] = [[] for _ in temperatures]
    device = device_of(generator)
    for part in torch.split(tokens, rows_for(device)):
        part = part.to(device)
        log_NV = generator.log_distribution(part, {}).flatten(0, 1)
        for rows, temperature in zip(found, temperatures, strict=True):
            nll_N = functional.cross_entropy(log_NV / temperature, part.flatten(), reduction="none")
            rows.append(-nll_N.view(part.shape).cpu())
    return [torch.cat(rows) for rows in found]


def _drawn(generator: SequenceGenerator, count: int, temperature: float, seed: int, index: int) -> list[Tensor]:
    """Draw sequences in chunks, on the CPU."""
    device = device_of(generator)
    found = []
    for start in range(0, count, MANY):
        rng = generator_at(device, seed, "frontier", index, start)
        rows = min(MANY, count - start)
        found.append(generator.sample(rows, {}, rng=rng, temperature=temperature).sample.cpu())
    return found
