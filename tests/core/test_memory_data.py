"""Data held in memory: rows, splits, compact storage, placing."""

from __future__ import annotations

from typing import ClassVar

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from sparring.data.memory import MemoryData, hold_out
from sparring.errors import DataError
from sparring.spaces.array import ArraySpace
from sparring.spaces.label import LabelSpace

RNG = torch.Generator()


class Bytes(MemoryData):
    """Samples as bytes, numbers from −1 to 1."""

    place_limit: ClassVar[int] = 100

    def decompress(self, raw: Tensor) -> Tensor:
        return raw.float() / 127.5 - 1


def sequences(held_out: dict[str, Tensor] | None = None) -> MemoryData:
    label = (LabelSpace(["a", "b"]), torch.arange(10) % 2)
    return MemoryData(
        ArraySpace([3]), torch.arange(30.0).reshape(10, 3), {"label": label}, torch.arange(1, 11), held_out
    )


def test_gather_returns_the_asked_rows_in_order() -> None:
    data = sequences()
    chosen = torch.tensor([7, 0, 7])
    batch = data.gather(chosen, rng=RNG)
    assert len(data) == 10
    assert batch.sample[:, 0].tolist() == [21.0, 0.0, 21.0]
    assert batch.condition["label"].tolist() == [1, 0, 1]
    assert batch.lengths is not None
    assert batch.lengths.tolist() == [8, 1, 8]


def test_a_batch_is_a_copy() -> None:
    # R1 asks the batch for a gradient; the stored samples must not notice.
    data = sequences()
    batch = data.gather(torch.arange(10), rng=RNG)
    batch.sample.requires_grad_(True)
    batch.sample.detach().zero_()
    again = data.gather(torch.arange(10), rng=RNG).sample
    assert not again.requires_grad
    assert again.sum() == 435


def test_splits_are_disjoint_and_complete() -> None:
    data = sequences({"test": torch.tensor([9, 4]), "validation": torch.tensor([0])})
    parts = [data.split(name) for name in ("train", "test", "validation")]
    assert [len(part) for part in parts] == [7, 2, 1]
    rows = [part.gather(torch.arange(len(part)), rng=RNG) for part in parts]
    assert rows[1].sample[:, 0].tolist() == [27.0, 12.0]
    assert rows[1].condition["label"].tolist() == [1, 0]
    seen = torch.cat([batch.sample[:, 0] for batch in rows])
    assert sorted(seen.tolist()) == [3.0 * row for row in range(10)]
    assert data.split("train") is data
    with pytest.raises(DataError, match="train, test, validation"):
        data.split("tset")


@given(count=st.integers(2, 500), fraction=st.floats(0.001, 0.999), seed=st.integers(0, 9))
def test_hold_out_is_a_fixed_choice_of_distinct_rows(count: int, fraction: float, seed: int) -> None:
    chosen = hold_out(count, fraction, seed)
    assert chosen.equal(hold_out(count, fraction, seed))
    assert 1 <= len(chosen) == len(set(chosen.tolist())) < count
    assert int(chosen.min()) >= 0
    assert int(chosen.max()) < count


def test_hold_out_refuses_everything_and_nothing() -> None:
    for fraction in (0.0, 1.0):
        with pytest.raises(DataError, match="cannot be held out"):
            hold_out(10, fraction)


def test_bytes_stay_bytes_until_a_batch_is_made() -> None:
    stored = torch.tensor([[0, 255], [255, 0]], dtype=torch.uint8)
    data = Bytes(ArraySpace([2]), stored, held_out={"test": torch.tensor([1])})
    torch.testing.assert_close(data.gather(torch.tensor([0]), rng=RNG).sample, torch.tensor([[-1.0, 1.0]]))
    torch.testing.assert_close(
        data.split("test").gather(torch.tensor([0]), rng=RNG).sample, torch.tensor([[1.0, -1.0]])
    )


def test_integers_stay_integers() -> None:
    tokens = torch.tensor([[1, 2, 3]])
    assert MemoryData(ArraySpace([3]), tokens).gather(torch.tensor([0]), rng=RNG).sample.dtype == torch.int64


def test_placing_counts_compact_bytes() -> None:
    cpu, meta = torch.device("cpu"), torch.device("meta")  # meta stands for an accelerator
    small, large = torch.zeros(50, 2, dtype=torch.uint8), torch.zeros(51, 2, dtype=torch.uint8)
    assert Bytes(ArraySpace([2]), large).place(cpu)
    assert not Bytes(ArraySpace([2]), large).place(meta)
    data = Bytes(ArraySpace([2]), small)
    assert data.place(meta)
    assert data.gather(torch.arange(3), rng=RNG).sample.device == meta


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_placed_data_answer_on_the_device() -> None:
    data = sequences({"test": torch.tensor([3])})
    assert data.place(torch.device("cuda"))
    batch = data.gather(torch.tensor([8]), rng=RNG)
    assert batch.sample.is_cuda
    assert batch.condition["label"].is_cuda
    assert batch.sample[0, 0] == 27.0  # row 3 is held out, so row 8 is the tenth sample
    assert not data.split("test").gather(torch.tensor([0]), rng=RNG).sample.is_cuda


def test_rows_and_shapes_must_fit() -> None:
    label = LabelSpace(["a"])
    with pytest.raises(DataError, match="the samples have the shape"):
        MemoryData(ArraySpace([3]), torch.zeros(4, 2))
    with pytest.raises(DataError, match="condition 'label'"):
        MemoryData(ArraySpace([2]), torch.zeros(4, 2), {"label": (label, torch.zeros(3))})
    with pytest.raises(DataError, match="lengths"):
        MemoryData(ArraySpace([2]), torch.zeros(4, 2), lengths=torch.zeros(3))
    with pytest.raises(DataError, match="at least one sample"):
        MemoryData(ArraySpace([2]), torch.zeros(0, 2))
