"""Digits and MNIST: counts, splits, and the very values of the sources."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest
import torch
from sklearn.datasets import load_digits

from sparring.data.fetch import folder_of
from sparring.errors import DataError
from sparring.interfaces.data import Batch, Data
from sparring_image.digits import Digits
from sparring_image.mnist import INSIDE_THE_WHEEL, NAME, Mnist5000
from tests.image.files import write_mnist

torch.set_num_threads(1)

HELD_OUT = [0.1, 0.2, 0.5]


def everything(data: Data) -> Batch:
    return data.gather(torch.arange(len(data)), rng=torch.Generator())


def rows_as_bytes(batch: Batch) -> list[bytes]:
    return [row.numpy().tobytes() for row in batch.sample]


def test_the_values_are_scikit_learn_s() -> None:
    batch = everything(Digits(held_out=0))
    pixels, digits = load_digits(return_X_y=True)
    assert torch.equal(batch.sample, torch.from_numpy(pixels / 8 - 1).float().reshape(-1, 1, 8, 8))
    assert torch.equal(batch.condition["label"], torch.from_numpy(digits))
    assert batch.sample.min() == -1
    assert batch.sample.max() == 1


@pytest.mark.parametrize("held_out", HELD_OUT)
def test_splits_are_disjoint_and_even(held_out: float) -> None:
    assert len(HELD_OUT) > 2
    data = Digits(held_out=held_out)
    training, test = everything(data.split("train")), everything(data.split("test"))
    assert len(training) + len(test) == 1797
    assert sorted(rows_as_bytes(training) + rows_as_bytes(test)) == sorted(
        rows_as_bytes(everything(Digits(held_out=0)))
    )
    # No digit of this data set occurs twice, so that disjoint rows are disjoint pictures.
    assert not set(rows_as_bytes(training)) & set(rows_as_bytes(test))
    whole = torch.bincount(torch.cat([training.condition["label"], test.condition["label"]]))
    share = torch.bincount(test.condition["label"]) / whole
    assert (share - held_out).abs().max() < 0.005


def test_the_split_is_fixed_by_the_seed() -> None:
    first, again, other = (everything(Digits(seed=seed).split("test")).sample for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert len(first) == 359


def test_without_labels_there_is_no_condition() -> None:
    data = Digits(labels=False)
    assert not data.conditions
    assert not everything(data).condition
    assert not everything(data.split("test")).condition
    assert Digits().conditions["label"].shape == ()


def test_unknown_splits_are_refused() -> None:
    with pytest.raises(DataError, match="validation"):
        Digits().split("validation")
    with pytest.raises(DataError, match="test"):
        Digits(held_out=0).split("test")


def test_mnist_is_read_from_the_unpacked_wheel(tmp_path: Path) -> None:
    pixels, labels = write_mnist(tmp_path)
    batch = everything(Mnist5000(tmp_path, held_out=0))
    assert torch.equal(((batch.sample + 1) * 127.5).round().long(), torch.from_numpy(pixels).reshape(-1, 1, 28, 28))
    assert torch.equal(batch.condition["label"], torch.from_numpy(labels))
    data = Mnist5000(tmp_path / INSIDE_THE_WHEEL, held_out=0.25)
    assert (len(data), len(data.split("test"))) == (30, 10)
    assert not Mnist5000(tmp_path, labels=False).conditions


def test_mnist_is_looked_for_where_fetch_puts_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARRING_DATA", str(tmp_path))
    with pytest.raises(DataError) as caught:
        Mnist5000()
    assert caught.value.remedy == "run `sparring data fetch image/mnist-5000`"
    assert str(tmp_path) in caught.value.where
    write_mnist(folder_of(NAME))
    assert len(Mnist5000()) == 30  # of 4 in each class, 1 is held out


def test_damaged_mnist_is_named(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    file = tmp_path / INSIDE_THE_WHEEL
    whole = file.read_bytes()
    for damaged in (whole[: len(whole) // 2], b"", gzip.compress(b"1,2,3\n4,5,6\n"), gzip.compress(b"a,b\n")):
        file.write_bytes(damaged)
        with pytest.raises(DataError) as caught:
            Mnist5000(tmp_path)
        assert caught.value.where == str(file)
        assert "again" in caught.value.remedy


def test_the_real_mnist() -> None:
    folder = Path(os.environ.get("SPARRING_TEST_MNIST", "")) if "SPARRING_TEST_MNIST" in os.environ else folder_of(NAME)
    if not folder.exists():
        pytest.skip(f"MNIST is not on this machine: run `sparring data fetch {NAME}`")
    data = Mnist5000(folder)
    assert (len(data), len(data.split("test"))) == (4000, 1000)
    batch = everything(Mnist5000(folder, held_out=0))
    assert torch.bincount(batch.condition["label"]).tolist() == [500] * 10
    # The mean and spread of the 60,000 training digits, which every MNIST example normalises by.
    scaled = (batch.sample + 1) / 2
    assert scaled.mean().item() == pytest.approx(0.1307, abs=0.003)
    assert scaled.std().item() == pytest.approx(0.3081, abs=0.003)
