"""A plugin in one file, with the parts that the tests of the training core need and that the core does not bring."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sparring import (
    Batch,
    Condition,
    Context,
    Critique,
    Data,
    Discriminator,
    Generator,
    Metric,
    Objective,
    Plugin,
    Space,
    StreamingData,
    Term,
    Update,
    hookimpl,
)
from sparring.spaces.label import LabelSpace
from sparring.spaces.point import PointSpace

plugin = Plugin("parts")

SLOW = "SPARRING_TEST_SLOW"
SIZE = 192
MODES = 4


def ring(count: int) -> tuple[Tensor, Tensor]:
    label = torch.arange(count) % MODES
    angle = label * (2 * torch.pi / MODES)
    return 2 * torch.stack([angle.cos(), angle.sin()], dim=1), label


# ---- networks ----


@plugin.generator("dropout")
class DropoutGenerator(Generator):
    """A generator with dropout and batch statistics."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.latent_shape = (4,)
        self.net = nn.Sequential(
            nn.Linear(4, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Dropout(0.3), nn.Linear(width, 2)
        )

    def forward(self, latent: Tensor | None, condition: Condition) -> Tensor:
        made: Tensor = self.net(latent)
        return made


@plugin.discriminator("dropout")
class DropoutDiscriminator(Discriminator):
    """A critic with dropout."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, width), nn.LeakyReLU(0.2), nn.Dropout(0.3), nn.Linear(width, 1))

    def forward(self, sample: Tensor, condition: Condition, lengths: Tensor | None = None) -> Critique:
        return Critique((self.net(sample).squeeze(1),))


@plugin.discriminator("lopsided")
class LopsidedDiscriminator(Discriminator):
    """A critic with a layer that only the first process uses."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, width), nn.LeakyReLU(0.2), nn.Linear(width, 1))
        self.extra, self.never = nn.Linear(2, 1), nn.Linear(2, 1)

    def forward(self, sample: Tensor, condition: Condition, lengths: Tensor | None = None) -> Tensor:
        opinion: Tensor = self.net(sample).squeeze(1)
        return opinion + self.extra(sample).squeeze(1) if os.environ.get("RANK", "0") == "0" else opinion


# ---- data ----


@plugin.data("read-ahead")
class ReadAhead(Data):
    """Labelled points that cannot be placed, moved at random as they are gathered."""

    def __init__(self, jitter: float = 0.05, delay: float = 0.0) -> None:
        self.jitter, self.delay = jitter, delay
        self.space: Space = PointSpace()
        self.conditions = {"label": LabelSpace([str(mode) for mode in range(MODES)])}
        self._sample, self._label = ring(SIZE)

    def __len__(self) -> int:
        return SIZE

    def gather(self, indices: Tensor, *, rng: torch.Generator) -> Batch:
        assert len(indices), "data are never asked for no rows"
        time.sleep(self.delay)
        moved = self._sample[indices] + self.jitter * torch.randn(len(indices), 2, generator=rng)
        return Batch(moved, {"label": self._label[indices]})

    def split(self, name: str) -> Data:
        return self


@plugin.data("recording")
class Recording(ReadAhead):
    """Points that write down which rows each process asks for."""

    def __init__(self, folder: Path) -> None:
        super().__init__(jitter=0.0)
        self.file = folder / f"rows-{os.environ.get('WORLD_SIZE', '1')}-{os.environ.get('RANK', '0')}.jsonl"
        self.conditions = {}

    def place(self, device: torch.device) -> bool:
        return True  # so that rows are asked for in the order in which they are used

    def gather(self, indices: Tensor, *, rng: torch.Generator) -> Batch:
        with self.file.open("a") as file:
            file.write(json.dumps(indices.tolist()) + "\n")
        return Batch(super().gather(indices, rng=rng).sample)


@plugin.data("empty")
class Empty(ReadAhead):
    """Data without samples."""

    def __init__(self) -> None:
        super().__init__()

    def __len__(self) -> int:
        return 0


@plugin.data("stream")
class Stream(StreamingData):
    """An endless stream of points that knows its place; it ends after ``end`` batches where that is given."""

    def __init__(self, end: int = 0) -> None:
        self.space: Space = PointSpace()
        self.conditions: Mapping[str, Space] = {}
        self.place, self.end = 0, end

    def batches(self, size: int, rank: int, world: int) -> Iterator[Batch]:
        while not self.end or self.place < self.end:
            rng = torch.Generator().manual_seed(self.place * world + rank)
            self.place += 1
            yield Batch(ring(size)[0] + 0.1 * torch.randn(size, 2, generator=rng))

    def state_dict(self) -> dict[str, Any]:
        return {"place": self.place}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.place = state["place"]

    def split(self, name: str) -> Data:
        return Held()


class Held(Data):
    """The held-out part of a stream."""

    space: Space = PointSpace()

    def __len__(self) -> int:
        return 32

    def gather(self, indices: Tensor, *, rng: torch.Generator) -> Batch:
        return Batch(ring(32)[0][indices])


# ---- terms and objectives ----


@plugin.term("spoiled")
class Spoiled(Term):
    """A term that becomes what is not a number, from a step on, on one process."""

    def __init__(self, at: int, rank: int = 0, trains: str = "discriminator") -> None:
        self.at, self.rank, self.trains = at, rank, (trains,)

    def __call__(self, context: Context) -> Tensor:
        bad = context.step >= self.at and int(os.environ.get("RANK", "0")) == self.rank
        value = context.critique("discriminator", context.batch.sample).logits[0].mean() * 1e-3
        return value * float("nan") if bad else value


@plugin.term("counting")
class Counting(Term):
    """A term whose value depends on how often it was asked, which a checkpoint must therefore hold."""

    def __init__(self) -> None:
        self.trains, self.asked = ("generator",), 0

    def __call__(self, context: Context) -> Tensor:
        self.asked += 1
        return context.generate("generator").sample.square().mean() * (self.asked * 1e-2)

    def state_dict(self) -> dict[str, Any]:
        return {"asked": self.asked}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.asked = state["asked"]


@plugin.term("random-features")
class RandomFeatures(Term):
    """A distance in features that are drawn when the term is built."""

    def __init__(self) -> None:
        self.trains, self.matrix = ("generator",), torch.randn(2, 3)

    def __call__(self, context: Context) -> Tensor:
        made, real = context.generate("generator").sample, context.batch.sample
        return ((made.mean(0) - real.mean(0)) @ self.matrix).square().mean()


@plugin.metric("random-score")
class RandomScore(Metric):
    """A score in features that are drawn when the metric is built."""

    better = "lower"

    def __init__(self) -> None:
        self.matrix, self.total = torch.randn(2, 3), 0.0

    def reset(self) -> None:
        self.total = 0.0

    def update(self, real: Batch, fake: Batch) -> None:
        self.total += float((fake.sample @ self.matrix).sum())

    def compute(self) -> dict[str, float]:
        return {"random_score": self.total}


@plugin.objective("uneven")
class Uneven(Objective):
    """Two updates: the critic twice in every second step, the generator in every step."""

    temperature = 1.0

    def __init__(self, every: int = 2, repeat: int = 2, continues: bool = False) -> None:
        self.own_updates = (
            Update("critic", ("discriminator",), every=every, repeat=repeat),
            Update("maker", ("generator",), continues=continues),
        )
        self.seen: list[tuple[str, int, int]] = []

    def terms(self, update: Update, context: Context) -> Mapping[str, Tensor]:
        fake = context.generate("generator").sample
        logits = context.critique("discriminator", fake).logits[0]
        if update.name == "maker":
            return {"realness": -logits.mean() * self.temperature}
        real = context.critique("discriminator", context.batch.sample).logits[0]
        return {"gap": nn.functional.softplus(-real).mean() + nn.functional.softplus(logits).mean()}


@plugin.metric("rows")
class Rows(Metric):
    """How many rows, real and generated, a metric sees."""

    better = "higher"

    def __init__(self) -> None:
        self.seen = 0

    def reset(self) -> None:
        self.seen = 0

    def update(self, real: Batch, fake: Batch) -> None:
        self.seen += len(real) + len(fake)

    def compute(self) -> dict[str, float]:
        return {"rows_seen": float(self.seen)}


# ---- callbacks ----


@plugin.callback("stop")
class StopCallback:
    """Ask the run to end at a step, as a callback that watches for convergence does."""

    def __init__(self, at: int) -> None:
        self.at = at

    @hookimpl
    def sparring_step_end(self, run: Any, step: int) -> None:
        if step >= self.at:
            run.request_stop("enough")


@plugin.callback("slow")
class Slow:
    """Take a little time over each update, in processes that a test means to stop in the midst of them."""

    def __init__(self, seconds: float = 0.01) -> None:
        self.seconds = seconds if os.environ.get(SLOW) else 0.0

    @hookimpl
    def sparring_update_end(self) -> None:
        time.sleep(self.seconds)
