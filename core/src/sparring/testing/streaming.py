"""The contract of data larger than memory."""

from __future__ import annotations

import itertools
from typing import Any, ClassVar

from sparring.interfaces.data import Batch, StreamingData
from sparring.testing.contract import ComponentContract, same, through_a_file
from sparring.testing.data import contents, equal

SIZE = 4
TAKEN = 3


class StreamingDataContract(ComponentContract):
    """What data that stream promise."""

    kind = "data"
    interface: ClassVar[type | None] = StreamingData

    def take(self, data: Any, count: int, *, rank: int = 0, world: int = 1) -> list[Batch]:
        """Return the next batches."""
        return list(itertools.islice(data.batches(SIZE, rank, world), count))

    def test_batches_are_of_the_spaces(self) -> None:
        """Batches have as many rows as were asked for, in the shapes that the spaces state."""
        data = self.build()
        for batch in self.take(data, TAKEN):
            self.expect(
                set(batch.condition) == set(data.conditions),
                f"batches carry the conditions {sorted(batch.condition)}, and `conditions` names "
                f"{sorted(data.conditions)}",
                "name every condition, with its space, in `conditions`",
            )
            named = [("samples", batch.sample, data.space)]
            named += [(f"condition '{name}'", batch.condition[name], space) for name, space in data.conditions.items()]
            for name, value, space in named:
                self.expect(
                    tuple(value.shape) == (SIZE, *space.shape),
                    f"the {name} of a batch of {SIZE} have the shape {tuple(value.shape)}, and their space asks for "
                    f"{(SIZE, *space.shape)}",
                    "yield whole batches, in the shapes of the spaces",
                )

    def test_order_is_fixed(self) -> None:
        """Built again, it yields the same batches."""
        first, second = (self.take(self.build(seed=seed), TAKEN) for seed in (1, 2))
        self.expect(
            all(map(equal, first, second)),
            "built again, it yields other batches",
            "seed the order by an option, and sort what a listing gives",
        )

    def test_goes_on_from_its_place(self) -> None:
        """After a checkpoint it yields what it would have yielded."""
        data = self.build()
        stream = data.batches(SIZE, 0, 1)
        for _ in range(TAKEN):
            next(stream)
        remedy = "count what was handed out, and return plain values"
        state = self.attempt(lambda: through_a_file(data.state_dict()), "its place cannot be saved", remedy)
        wanted = list(itertools.islice(stream, TAKEN))
        other = self.build()
        other.load_state_dict(state)
        self.expect(same(other.state_dict(), state), "its place is lost when it is loaded", remedy)
        self.expect(
            all(map(equal, wanted, self.take(other, TAKEN))), "after a checkpoint it yields other batches", remedy
        )

    def test_ranks_share_the_samples(self) -> None:
        """Two processes do not train on the same samples."""
        first, second = (
            {one for batch in self.take(self.build(), TAKEN, rank=rank, world=2) for one in contents(batch)}
            for rank in (0, 1)
        )
        self.expect(
            not first & second,
            f"{len(first & second)} of {len(first)} samples reach both of two processes",
            "let each rank take every world-th batch or shard",
        )
