"""What codes have to do with what images show."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from sparring.errors import DataError
from sparring.interfaces.data import Batch
from sparring.interfaces.metric import Encoder
from sparring_image.code_information import CodeInformation, correlation, mutual_information
from sparring_image.digits import Digits
from sparring_image.encoders import ClassifierEncoder, RandomFeatures

WIDTH = 6


class Corner(Encoder):
    """The class of a picture is what its first pixel says: −1 is class 0, 1 is class 3."""

    name = "corner"

    def forward(self, sample: Tensor) -> Tensor:
        return sample.flatten(1)

    def probabilities(self, sample: Tensor) -> Tensor:
        return torch.eye(4)[((sample[:, 0, 0, 0] + 1) * 1.5).round().long()]


def pictures(classes: Tensor) -> Tensor:
    """Return pictures that ``Corner`` sorts into classes."""
    sample = torch.full((len(classes), 1, WIDTH, WIDTH), -1.0)
    sample[:, 0, 0, 0] = classes / 1.5 - 1
    return sample


def scored(batch: Batch) -> dict[str, float]:
    metric = CodeInformation(Corner())
    metric.update(batch, batch)
    return metric.compute()


def test_mutual_information_of_known_tables() -> None:
    four = torch.arange(400) % 4
    assert mutual_information(four, four) == pytest.approx(math.log(4))
    assert mutual_information(four, (four + 1) % 4) == pytest.approx(math.log(4))  # names do not matter
    assert mutual_information(four, torch.arange(400) // 4 % 4) == pytest.approx(0.0, abs=1e-9)
    assert mutual_information(four, four // 2) == pytest.approx(math.log(2))  # two values share a class
    # A noisy channel: the class is the code with probability 3/4 and the other one with 1/4.
    code = torch.arange(8) // 4
    seen = torch.tensor([0, 0, 0, 1, 1, 1, 1, 0])
    noise = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    assert mutual_information(code, seen) == pytest.approx(math.log(2) - noise)


def test_share_is_of_the_codes_own_entropy() -> None:
    code = torch.arange(80) % 4
    found = scored(Batch(pictures(code // 2 * 3), extras={"code.0": code, "style": torch.zeros(80, 2)}))
    assert list(found) == ["code_0_share", "code_0_information"]  # the main value first
    assert found["code_0_information"] == pytest.approx(math.log(2))
    assert found["code_0_share"] == pytest.approx(0.5)
    same = scored(Batch(pictures(code), extras={"code.0": torch.zeros(80, dtype=torch.long)}))
    assert same["code_0_share"] == 0.0  # a code of one value has no entropy


def test_correlation_of_series() -> None:
    series = torch.linspace(-1, 1, 11)
    assert correlation(series, 3 - 2 * series) == pytest.approx(-1.0)
    assert correlation(series, series.square()) == pytest.approx(0.0, abs=1e-6)
    assert correlation(series, torch.ones(11)) == 0.0


def bar(shear: float) -> Tensor:
    """Return a bright line that leans to the right by ``shear`` columns a row."""
    sample = torch.full((1, WIDTH, WIDTH), -1.0)
    for row in range(WIDTH):
        sample[0, row, round(WIDTH / 2 - shear * (row - WIDTH / 2 + 0.5) - 0.5)] = 1.0
    return sample


def test_continuous_codes_are_compared_with_slant_and_ink() -> None:
    lean = torch.linspace(-1, 1, 9)
    leaning = torch.stack([bar(float(value)) for value in lean])
    grey = torch.linspace(-1, 1, 9)[:, None, None, None].expand(9, 1, WIDTH, WIDTH)
    other = torch.tensor([1.0, -1, 1, -1, 0, 1, -1, 1, -1])
    found = scored(Batch(leaning, extras={"code.continuous": torch.stack([lean, other], 1)}))
    assert found["continuous_0_slant"] > 0.97
    assert found["continuous_1_slant"] < 0.3
    assert found["continuous_0_ink"] == pytest.approx(0.0, abs=1e-6)  # every bar has the same ink
    found = scored(Batch(grey, extras={"code.continuous": -lean[:, None]}))
    assert found["continuous_0_ink"] == pytest.approx(1.0)  # the sign does not matter
    assert found["continuous_0_slant"] == pytest.approx(0.0, abs=1e-5)


def test_batches_may_be_split_and_empty() -> None:
    code = torch.randint(4, (50,), generator=torch.Generator().manual_seed(0))
    seen = torch.randint(4, (50,), generator=torch.Generator().manual_seed(1))
    whole = Batch(pictures(seen), extras={"code.0": code, "code.continuous": torch.rand(50, 1)})
    metric = CodeInformation(Corner())
    for cut in (slice(0, 7), slice(7, 7), slice(7, 50)):
        metric.update(whole.rows(slice(0)), whole.rows(cut))
    assert metric.compute() == pytest.approx(scored(whole))


def test_what_cannot_be_measured_is_said() -> None:
    with pytest.raises(DataError, match="the encoder random-features"):
        CodeInformation(RandomFeatures(Digits().space))
    with pytest.raises(DataError, match="the generator says none"):
        scored(Batch(pictures(torch.zeros(3))))
    with pytest.raises(DataError, match="no samples"):
        CodeInformation(Corner()).compute()


def test_a_classifier_may_learn_from_other_data_than_the_runs() -> None:
    unlabelled, labelled = Digits(labels=False), Digits()
    with pytest.raises(DataError, match="these data have no labels") as raised:
        ClassifierEncoder(unlabelled, steps=1)
    assert "labelled" in raised.value.remedy
    own, lent = ClassifierEncoder(labelled, steps=3), ClassifierEncoder(unlabelled, steps=3, labelled=Digits())
    sample = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(own(sample), lent(sample))
    assert own.name == lent.name
