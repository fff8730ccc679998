"""Data, spaces, metrics, encoders and rewards that break one promise each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from sparring import (
    Batch,
    Encoder,
    Metric,
    StreamingData,
)
from sparring.data.memory import MemoryData
from sparring.spaces.point import PointSpace
from tests.core.broken_components import breaks

# ---- data and spaces ----

POINTS = torch.randn(40, 2, generator=torch.Generator().manual_seed(0))
HELD_OUT: Mapping[str, Tensor] = {"test": torch.arange(30, 40)}


@breaks("data", "global-jitter", "test_gather_follows_its_rng_alone")
class GlobalJitter(MemoryData):
    """It ignores the rng that it is handed."""

    def __init__(self) -> None:
        super().__init__(PointSpace(), POINTS, held_out=HELD_OUT)

    def gather(self, indices: Tensor, *, rng: torch.Generator) -> Batch:
        batch = super().gather(indices, rng=rng)
        # With a part of its own for each rng, or the order of indices would be compared too.
        jitter = torch.rand(2, generator=rng) + (torch.initial_seed() == 1) * 0.1
        return Batch(batch.sample + jitter)


@breaks("data", "sorting", "test_indices_keep_their_order")
class Sorting(MemoryData):
    """It sorts the indices."""

    def __init__(self) -> None:
        super().__init__(PointSpace(), POINTS, held_out=HELD_OUT)

    def gather(self, indices: Tensor, *, rng: torch.Generator) -> Batch:
        return super().gather(indices.sort().values, rng=rng)


@breaks("data", "overlapping", "test_split_is_disjoint")
class Overlapping(MemoryData):
    """It trains on what it holds out."""

    def __init__(self) -> None:
        super().__init__(PointSpace(), torch.cat([POINTS, POINTS[:10]]), held_out={"test": torch.arange(40, 50)})


@breaks("data", "reshuffled", "test_is_the_same_when_built_again")
class Reshuffled(MemoryData):
    """Its order depends on the global seed."""

    def __init__(self) -> None:
        super().__init__(PointSpace(), POINTS[torch.randperm(40)], held_out=HELD_OUT)


class Stream(StreamingData):
    """A stream that keeps its promises."""

    def __init__(self) -> None:
        self.space = PointSpace()
        self.place = 0

    def batches(self, size: int, rank: int, world: int) -> Iterator[Batch]:
        while True:
            seed = self.place * world + rank
            self.place += 1
            yield Batch(torch.randn(size, 2, generator=torch.Generator().manual_seed(seed)))

    def state_dict(self) -> dict[str, Any]:
        return {"place": self.place}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.place = state["place"]


@breaks("data", "rankless", "test_ranks_share_the_samples")
class Rankless(Stream):
    """Every process gets the same."""

    def batches(self, size: int, rank: int, world: int) -> Iterator[Batch]:
        return super().batches(size, 0, 1)


@breaks("data", "lost", "test_goes_on_from_its_place")
class Lost(Stream):
    """It starts again after a checkpoint."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.place = 0


@breaks("space", "forgetful", "test_options_rebuild_it")
class ForgetfulSpace(PointSpace):
    """It does not say what it was built with."""

    def __init__(self, dimensions: int = 2) -> None:
        super().__init__(dimensions + 1)


@breaks("space", "rounding", "test_decoding_is_undone_by_encoding")
class Rounding(PointSpace):
    """It loses digits."""

    def __init__(self) -> None:
        super().__init__()

    def decode(self, sample: Tensor) -> tuple[float, ...]:
        return tuple(round(value, 1) for value in sample.tolist())


@breaks("space", "elsewhere", "test_samples_are_saved_as_files")
class ElsewhereSpace(PointSpace):
    """It names files that it does not write."""

    def __init__(self) -> None:
        super().__init__()

    def save(self, samples: Tensor, folder: Path) -> list[Path]:
        return [folder / "points.csv"]


# ---- metrics, encoders, rewards ----


class Distance(Metric):
    """How far the mean of the generated samples' norms is from that of the real ones."""

    better: ClassVar[Literal["higher", "lower"]] = "lower"

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.real: list[Tensor] = []
        self.fake: list[Tensor] = []

    def update(self, real: Batch, fake: Batch) -> None:
        self.real.append(real.sample.norm(dim=1))
        self.fake.append(fake.sample.norm(dim=1))

    def compute(self) -> dict[str, float]:
        return {"distance": float((torch.cat(self.real).mean() - torch.cat(self.fake).mean()).abs())}


@breaks("metric", "upside-down", "test_real_samples_score_better_than_noise")
class UpsideDown(Distance):
    """It says that more distance is better."""

    better: ClassVar[Literal["higher", "lower"]] = "higher"


@breaks("metric", "batchwise", "test_batches_may_be_split")
class Batchwise(Distance):
    """It averages over batches, whatever their size."""

    def compute(self) -> dict[str, float]:
        real, fake = ([part.mean() for part in parts if len(part)] for parts in (self.real, self.fake))
        return {"distance": float((torch.stack(real).mean() - torch.stack(fake).mean()).abs())}


@breaks("metric", "unforgetting", "test_reset_forgets")
class Unforgetting(Distance):
    """It remembers the highest distance of all time."""

    def __init__(self) -> None:
        super().__init__()
        self.highest = 0.0

    def compute(self) -> dict[str, float]:
        values = super().compute()
        self.highest = max(self.highest, *(float(part.max()) for part in self.real if len(part)))
        return {**values, "highest": self.highest}


@breaks("encoder", "unfixed", "test_features_are_fixed")
class Unfixed(Encoder):
    """Its weights depend on the global seed."""

    name = "unfixed"

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 3)

    def forward(self, sample: Tensor) -> Tensor:
        features: Tensor = self.layer(sample)
        return features


@breaks("reward", "column", "test_gives_one_number_a_sample")
class Column:
    """It rewards in a column, which would broadcast against a row of log-probabilities."""

    def __call__(self, samples: Batch, reference: Batch | None) -> Tensor:
        return samples.sample[:, :1]


@breaks("reward", "arbitrary", "test_same_samples_get_the_same_rewards")
class Arbitrary:
    """It draws lots."""

    def __call__(self, samples: Batch, reference: Batch | None) -> Tensor:
        return torch.rand(len(samples))
