"""The metric of few labels: what helps, what harms, and that both classifiers have the same chances."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from sparring.errors import DataError
from sparring.interfaces.data import Batch
from sparring_image.digits import Digits
from sparring_image.few_labels import FewLabels

torch.set_num_threads(1)

STEPS = 50


@pytest.fixture(scope="module")
def few() -> Digits:
    return Digits(held_out=0.9444)


def everything(data: Digits) -> Batch:
    return data.gather(torch.arange(len(data)), rng=torch.Generator())


def score(metric: FewLabels, real: Batch, fake: Batch) -> dict[str, float]:
    metric.reset()
    metric.update(real, fake)
    return metric.compute()


def test_ten_of_each_class_are_left(few: Digits) -> None:
    """The recipe says so."""
    train = everything(few.split("train"))
    assert train.condition["label"].bincount().tolist() == [10] * 10
    assert len(few.split("test")) == 1697


def test_more_real_digits_help_and_wrong_labels_harm(few: Digits) -> None:
    held_out = everything(few.split("test"))
    # A perfect generator of the first half of what is held out; the second half is the test.
    perfect, test = held_out.rows(slice(0, None, 2)), held_out.rows(slice(1, None, 2))
    metric = FewLabels(few, steps=3 * STEPS, width=16, share=0.5, repeats=1)
    helped = score(metric, test, perfect)
    assert helped["few_labels_gain"] > 0.02
    assert helped["few_labels_gain"] == pytest.approx(helped["few_labels"] - helped["few_labels_without"])
    mixed_up = Batch(perfect.sample, {"label": (perfect.condition["label"] + 1) % 10})
    harmed = score(metric, test, mixed_up)
    assert harmed["few_labels_gain"] < -0.2
    assert harmed["few_labels_without"] == helped["few_labels_without"]


def test_the_very_digits_that_are_learnt_from_change_little(few: Digits) -> None:
    """A generator that repeats its few examples brings nothing new."""
    train, test = everything(few.split("train")), everything(few.split("test"))
    values = score(FewLabels(few, steps=STEPS, repeats=1), test, train)
    assert abs(values["few_labels_gain"]) < 0.03


def test_it_is_a_mean_over_pairs_of_classifiers(few: Digits) -> None:
    train, test = everything(few.split("train")), everything(few.split("test"))
    single = [score(FewLabels(few, steps=5, repeats=1, seed=seed), test, train) for seed in (3, 4)]
    both = score(FewLabels(few, steps=5, repeats=2, seed=3), test, train)
    assert single[0] != single[1]
    for name, value in both.items():
        assert value == pytest.approx((single[0][name] + single[1][name]) / 2)


def test_classifiers_without_generated_images_are_trained_once(few: Digits, monkeypatch: pytest.MonkeyPatch) -> None:
    train, test = everything(few.split("train")), everything(few.split("test"))
    first = score(FewLabels(few, steps=4, repeats=1), test, train)
    trained = []
    train_one = FewLabels._train

    def watched(self: FewLabels, fake: Batch | None, seed: int) -> nn.Module:
        trained.append(fake)
        return train_one(self, fake, seed)

    monkeypatch.setattr(FewLabels, "_train", watched)
    assert score(FewLabels(few, steps=4, repeats=1), test, train) == first
    assert len(trained) == 1
    assert trained[0] is not None


@pytest.mark.parametrize("share", [0.01, 0.25, 0.99])
def test_a_share_of_each_batch_is_generated(few: Digits, share: float) -> None:
    fake = Batch(torch.full((3, 1, 8, 8), 5.0), {"label": torch.full((3,), 7)})
    metric = FewLabels(few, share=share)
    sample, label = next(metric._batches(fake, torch.Generator().manual_seed(0)))
    generated = (sample == 5).flatten(1).all(1)
    assert len(sample) == 64
    assert generated.sum() == min(max(1, round(64 * share)), 63)
    assert (label[generated] == 7).all()
    sample, _ = next(metric._batches(None, torch.Generator().manual_seed(0)))
    assert len(sample) == 64


def test_nothing_is_drawn_from_the_runs_randomness(few: Digits) -> None:
    before = torch.get_rng_state()
    train = everything(few.split("train"))
    score(FewLabels(few, steps=2, repeats=1), train, train)
    assert torch.equal(torch.get_rng_state(), before)


def test_what_does_not_fit_is_refused(few: Digits) -> None:
    with pytest.raises(DataError, match="no labels"):
        FewLabels(Digits(labels=False))
    with pytest.raises(ValueError, match="share is 1"):
        FewLabels(few, share=1)
    with pytest.raises(ValueError, match="repeats is 0"):
        FewLabels(few, repeats=0)
    with pytest.raises(DataError, match="no samples"):
        FewLabels(few).compute()
