"""Some classes of labelled data, or a few of each."""

from __future__ import annotations

import pytest
import torch

from sparring.data.points import Points
from sparring.data.subset import Subset
from sparring.errors import DataError
from sparring.interfaces.data import Batch, Data
from sparring.spaces.label import LabelSpace


def points() -> Points:
    return Points(count=400, modes=5, labels=True)


def everything(data: Data) -> Batch:
    return data.gather(torch.arange(len(data)), rng=torch.Generator())


def test_it_holds_the_chosen_classes_under_new_numbers() -> None:
    whole, some = everything(points()), Subset(points(), ["3", "1"])
    kept = everything(some)
    chosen = (whole.condition["label"] == 3) | (whole.condition["label"] == 1)
    assert kept.sample.equal(whole.sample[chosen])
    assert kept.condition["label"].equal((whole.condition["label"][chosen] == 1).long())
    assert isinstance(space := some.conditions["label"], LabelSpace)
    assert space.classes == ["3", "1"]


def test_few_of_each_are_for_training_alone() -> None:
    few = Subset(points(), ["0", "4"], per_class=7, seed=1)
    assert everything(few).condition["label"].bincount().tolist() == [7, 7]
    held_out = everything(few.split("test"))
    assert held_out.condition["label"].bincount().tolist() == [80, 80]
    assert few.split("train") is few
    same, other = Subset(points(), ["0", "4"], 7, seed=1), Subset(points(), ["0", "4"], 7, seed=2)
    assert everything(same).sample.equal(everything(few).sample)
    assert not everything(other).sample.equal(everything(few).sample)


def test_labels_may_be_left_out() -> None:
    data = Subset(points(), ["2"], labels=False)
    assert not data.conditions
    assert not everything(data).condition
    assert len(data) == 80


def test_mistakes_are_explained() -> None:
    with pytest.raises(DataError, match="these data have no labels"):
        Subset(Points())
    with pytest.raises(DataError, match="no class 'seven'"):
        Subset(points(), ["seven"])
    with pytest.raises(DataError, match="of the class '0' there are 80 samples, and 81 are asked for"):
        Subset(points(), per_class=81)
    with pytest.raises(DataError, match="at least one class"):
        Subset(points(), [])
