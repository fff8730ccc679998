"""The contract of finite data."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from sparring.errors import DataError
from sparring.interfaces.data import Batch, Data
from sparring.plugins.options import ComponentSpec
from sparring.spaces.label import LabelSpace
from sparring.testing.contract import ComponentContract, global_seed, rng_at, same
from sparring.training.record import describe_space

MOST = 2000
TINY_OVERLAP = 0.05


def contents(batch: Batch) -> list[bytes]:
    """Return each row's bytes."""
    return [row.contiguous().numpy().tobytes() for row in batch.sample.cpu()]


class DataContract(ComponentContract):
    """What finite data promise.

    Attributes:
        held_out: The split that metrics see; None where the data have none.
        overlap: The share of held-out samples that may occur in training too, as data with repetitions have them.
    """

    kind = "data"
    interface: ClassVar[type | None] = Data
    held_out: str | None = "test"
    overlap: float = TINY_OVERLAP

    def gather(self, data: Any, indices: list[int] | Tensor, *, seed: int = 0) -> Batch:
        """Return rows."""
        batch: Batch = data.gather(torch.as_tensor(indices), rng=rng_at(seed))
        return batch

    def some(self, data: Any) -> list[int]:
        """Return a few indices, the first and the last among them."""
        return sorted({0, len(data) // 3, len(data) // 2, len(data) - 1})

    def test_is_not_empty(self) -> None:
        """There is something to train on."""
        self.expect(len(self.build()) > 0, "it has no samples", "give at least one, or raise DataError")

    def test_batches_are_of_the_spaces(self) -> None:
        """Samples, conditions and lengths have the rows, shapes and ranges that the spaces state."""
        data = self.build()
        indices = self.some(data)
        batch, rows = self.gather(data, indices), len(indices)
        self.expect(
            set(batch.condition) == set(data.conditions),
            f"batches carry the conditions {sorted(batch.condition)}, and `conditions` names {sorted(data.conditions)}",
            "name every condition, with its space, in `conditions`",
        )
        named = [("samples", batch.sample, data.space)]
        named += [(f"condition '{name}'", batch.condition[name], space) for name, space in data.conditions.items()]
        for name, value, space in named:
            self.expect(
                tuple(value.shape) == (rows, *space.shape),
                f"{rows} {name} have the shape {tuple(value.shape)}, and their space asks for {(rows, *space.shape)}",
                "give one row an index, in the shape of its space",
            )
            self.expect(bool(value.isfinite().all()), f"the {name} are not finite", "leave out or mend such samples")
            if isinstance(space, LabelSpace):
                self.expect(
                    not value.is_floating_point() and bool(((value >= 0) & (value < len(space.classes))).all()),
                    f"the {name} are {value.tolist()}, and there are {len(space.classes)} classes",
                    "give whole numbers from 0",
                )
        if batch.lengths is not None:
            self.expect(
                tuple(batch.lengths.shape) == (rows,)
                and not batch.lengths.is_floating_point()
                and bool(((batch.lengths > 0) & (batch.lengths <= max(batch.sample.shape[1:], default=0))).all()),
                f"the lengths {batch.lengths.tolist()} do not fit samples of shape {tuple(batch.sample.shape)}",
                "count each row's leading positions, at least one",
            )

    def test_gather_follows_its_rng_alone(self) -> None:
        """The same indices and generator state give the same batch, so that a resumed run sees the same."""
        data = self.build()
        indices = self.some(data)
        found = []
        for seed in (1, 2):
            with global_seed(seed):
                found.append(self.gather(data, indices))
        self.expect(
            equal(*found),
            "the same indices and rng give another batch",
            "draw crops and flips from the rng that gather is handed, and from nothing else",
        )

    def test_indices_keep_their_order(self) -> None:
        """Row i of a batch is the sample at index i; an index may come twice."""
        data = self.build()
        indices = torch.tensor(self.some(data))
        if not equal(self.gather(data, indices, seed=1), self.gather(data, indices, seed=2)):
            pytest.skip("these data change samples at random, so that rows cannot be compared")
        turned = indices.flip(0)
        whole, back = self.gather(data, indices), self.gather(data, turned)
        remedy = "index every tensor with the indices as they are, without sorting or sets"
        self.expect(
            equal(whole.rows(torch.arange(len(turned) - 1, -1, -1)), back),
            "rows are not in the order of indices",
            remedy,
        )
        twice = self.gather(data, [int(indices[-1])] * 2)
        self.expect(
            len(twice) == 2 and equal(twice.rows(slice(1)), twice.rows(slice(1, 2))),
            "an index that comes twice does not give its sample twice",
            remedy,
        )

    def test_is_the_same_when_built_again(self) -> None:
        """The same options give the same data, whatever the global seed, so that a run can be resumed."""
        first, second = self.build(seed=1), self.build(seed=2)
        self.expect(
            len(first) == len(second)
            and equal(self.gather(first, self.some(first)), self.gather(second, self.some(first))),
            "built again, it holds other samples or another order",
            "sort what the file system lists, and draw from a generator that an option seeds",
        )

    def test_split_is_disjoint(self) -> None:
        """Held-out samples are not trained on."""
        data = self.build()
        self.expect(data.split("train") is not None, "it has no split 'train'", "return self for it")
        if self.held_out is None:
            pytest.skip("the contract says that these data hold nothing out")
        held_out = self.attempt(
            lambda: data.split(self.held_out), f"it has no split '{self.held_out}'", "set held_out in the contract"
        )
        self.expect(len(held_out) > 0, f"its split '{self.held_out}' is empty", "raise DataError for it instead")
        self.expect(
            held_out.space.shape == data.space.shape and set(held_out.conditions) == set(data.conditions),
            f"its split '{self.held_out}' has other spaces",
            "a part has the spaces of the whole",
        )
        seen = set(contents(self.gather(data.split("train"), spread(len(data.split("train"))))))
        unseen = contents(self.gather(held_out, spread(len(held_out))))
        shared = sum(one in seen for one in unseen)
        self.expect(
            shared <= self.overlap * len(unseen),
            f"{shared} of {len(unseen)} samples of '{self.held_out}' occur in 'train' too",
            "take held-out rows out of what training sees; raise `overlap` in the contract if the data repeat samples",
        )

    def test_unknown_splits_are_refused(self) -> None:
        """A split that is not there is a DataError, which says what there is."""
        try:
            self.build().split("no-such-split")
        except DataError:
            return
        self.fail(
            "a split that it does not have is given without a word", "raise DataError, and name those that it has"
        )

    def test_place_keeps_values(self) -> None:
        """Kept on a device, the samples are the same."""
        data = self.build()
        indices = self.some(data)
        before = self.gather(data, indices)
        placed = data.place(torch.device("cpu"))
        self.expect(type(placed) is bool, f"place returns {placed!r}", "return whether gather now answers at once")
        self.expect(
            equal(before, self.gather(data, indices)), "place changes what gather gives", "move, do not convert"
        )

    def test_several_threads_may_read(self) -> None:
        """The loop reads ahead in the background, several batches at once."""
        data = self.build()
        indices = self.some(data)
        alone = [self.gather(data, indices, seed=seed) for seed in range(8)]
        with ThreadPoolExecutor(4) as pool:
            together = list(pool.map(lambda seed: self.gather(data, indices, seed=seed), range(8)))
        self.expect(
            all(map(equal, alone, together)),
            "read by several threads at once, it gives other batches",
            "keep no place or buffer between calls of gather",
        )

    def test_spaces_can_be_rebuilt(self) -> None:
        """A run's folder names the spaces, so that samples can be drawn where the data are not."""
        data = self.build()
        for space in (data.space, *data.conditions.values()):
            described = self.attempt(
                lambda space=space: describe_space(self.registry, space),  # type: ignore[misc]
                f"its space {type(space).__name__} cannot be named",
                "register the class as a space, and check it with sparring.testing.SpaceContract",
            )
            again = self.registry.build("space", ComponentSpec.model_validate(described), "space")
            self.expect(
                again.shape == space.shape, f"rebuilt from {described}, the space differs", "mend its options()"
            )


def spread(count: int) -> Tensor:
    """Return all indices, or ``MOST`` of them spread evenly."""
    return torch.arange(count) if count <= MOST else torch.linspace(0, count - 1, MOST).long()


def equal(first: Batch, second: Batch) -> bool:
    """Whether two batches are the same to the last bit."""
    return (
        same(first.sample, second.sample)
        and same(first.condition, second.condition)
        and same(first.lengths, second.lengths)
    )
