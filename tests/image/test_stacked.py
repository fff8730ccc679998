"""Stacked digits: what lies on what, what is held out, and what the count of modes must be."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path

import pytest
import torch
from torch import Tensor

from sparring.data.points import Points
from sparring.errors import DataError, TrainingError
from sparring.interfaces.data import Batch, Data
from sparring_image.digits import Digits
from sparring_image.mnist import Mnist5000
from sparring_image.stacked import StackedDigits, StackedModes
from tests.image.files import fill, write_mnist

torch.set_num_threads(1)

NOTHING = Batch(torch.zeros(0, 3, 8, 8))


def everything(data: Data) -> Batch:
    return data.gather(torch.arange(len(data)), rng=torch.Generator())


def pictures(sample: Tensor) -> set[bytes]:
    return {picture.contiguous().numpy().tobytes() for picture in sample.flatten(0, 1)}


@cache
def digits() -> Digits:
    return Digits()


@cache
def modes() -> StackedModes:
    return StackedModes(StackedDigits(digits()), steps=200)


def test_every_channel_is_a_digit_of_its_split() -> None:
    data = StackedDigits(count=3000)
    assert data.space.shape == (3, 8, 8)
    single = Digits()
    for name, part in (("train", data), ("test", data.split("test"))):
        batch = everything(part)
        assert batch.sample.shape == (3000, 3, 8, 8)
        assert not batch.condition
        # 9,000 draws with replacement miss at most a few of the digits, and add none.
        known, seen = pictures(everything(single.split(name)).sample), pictures(batch.sample)
        assert seen <= known
        assert len(seen) > 0.99 * len(known)
    assert not pictures(everything(data).sample) & pictures(everything(data.split("test")).sample)


def test_the_three_digits_are_independent() -> None:
    label = everything(digits()).condition["label"]
    triples = StackedDigits(digits(), count=20_000)._triples
    classes = label[triples]
    for first, second in ((0, 1), (0, 2), (1, 2)):
        shares = torch.bincount(10 * classes[:, first] + classes[:, second], minlength=100) / 20_000
        # Five standard deviations of a share of one in a hundred.
        assert (shares - 0.01).abs().max() < 5 * math.sqrt(0.01 / 20_000)


def test_the_seed_decides_and_splits_are_kept_apart() -> None:
    first, again, other = (everything(StackedDigits(count=50, seed=seed)).sample for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    data = StackedDigits(count=50, seed=3)
    data.split("test")
    assert torch.equal(everything(data).sample, first)
    with pytest.raises(DataError, match="no split 'validation'"):
        data.split("validation")


def test_mnist_is_stacked_too(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    data = StackedDigits(Mnist5000(tmp_path), count=5)
    assert everything(data.split("test")).sample.shape == (5, 3, 28, 28)


def test_what_is_no_grey_image_with_a_label_is_refused(tmp_path: Path) -> None:
    from sparring_image.folder import Folder

    fill(tmp_path / "a", 12)
    fill(tmp_path / "b", 12, seed=1)
    with pytest.raises(DataError, match="no labels"):
        StackedDigits(Digits(labels=False))
    with pytest.raises(DataError, match=r"\(3, 8, 8\)"):
        StackedDigits(Folder(tmp_path, height=8, width=8))
    with pytest.raises(DataError, match="0 pictures"):
        StackedDigits(count=0)
    with pytest.raises(DataError, match="Points"):
        StackedModes(Points())


def test_real_digits_reach_every_mode_and_noise_few() -> None:
    metric = modes()
    metric.reset()
    test = StackedDigits(digits(), count=10_000).split("test")
    for indices in torch.arange(10_000).split(2500):
        metric.update(NOTHING, test.gather(indices, rng=torch.Generator()))
    found = metric.compute()
    assert list(found) == ["modes", "reverse_kl", "classifier_accuracy"]
    assert found["modes"] == 1000
    # 10,000 perfect samples would score 999 / 20,000 = 0.05; confused digits and unequal classes add a little.
    assert 0.045 < found["reverse_kl"] < 0.07
    assert found["classifier_accuracy"] > 0.93
    metric.reset()
    metric.update(NOTHING, Batch(torch.rand(2000, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1))
    assert metric.compute()["modes"] < 500  # 2,000 real ones reach about 1000 × (1 − e⁻²) = 865


def test_counts_are_those_of_the_channels_classes() -> None:
    """A generator of three known triples: three modes, whose shares give the divergence in closed form."""
    metric, single = modes(), everything(digits())
    read = metric.encoder.probabilities(single.sample).argmax(dim=1)
    one_of_each = torch.stack([single.sample[(read == digit).nonzero()[0, 0], 0] for digit in range(10)])
    triples = torch.tensor([[0, 0, 1]] * 4 + [[1, 0, 0]] * 2 + [[9, 9, 9]] * 2)
    metric.reset()
    metric.update(NOTHING, Batch(one_of_each[triples]))
    found = metric.compute()
    assert found["modes"] == 3
    entropy = -(0.5 * math.log(0.5) + 2 * 0.25 * math.log(0.25))
    assert found["reverse_kl"] == pytest.approx(math.log(1000) - entropy)
    assert metric._found.nonzero().flatten().tolist() == [1, 100, 999]
    metric.reset()
    with pytest.raises(TrainingError, match="no samples"):
        metric.compute()


def test_the_accuracy_is_left_out_where_none_is_known() -> None:
    metric = StackedModes(StackedDigits(Digits(held_out=0), count=10), steps=1)
    metric.update(NOTHING, Batch(torch.zeros(1, 3, 8, 8)))
    assert list(metric.compute()) == ["modes", "reverse_kl"]
