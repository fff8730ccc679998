"""The error of pairs: known answers, the baseline of each kind of data, and rows that are no pairs."""

from __future__ import annotations

import math
from typing import Literal

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from sparring.data.memory import MemoryData
from sparring.errors import DataError
from sparring.interfaces.data import Batch, Condition
from sparring.interfaces.generator import Generator
from sparring.recipes.schema import Evaluate
from sparring.training.evaluation import evaluate
from sparring_image.digits import Digits
from sparring_image.masked import Masked
from sparring_image.pairs import PairError
from sparring_image.spaces import ImageSpace

torch.set_num_threads(1)

ALL = {"pair_error", "psnr", "ssim", "baseline_error", "baseline_psnr", "baseline_ssim"}


def scored(real: Batch, *fakes: Tensor) -> dict[str, float]:
    metric = PairError()
    for fake in fakes:
        metric.update(real, Batch(fake, real.condition))
    return metric.compute()


def pairs(rows: int = 6, side: int = 16, seed: int = 0) -> Batch:
    rng = torch.Generator().manual_seed(seed)
    sample, image = torch.rand(2, rows, 3, side, side, generator=rng) * 2 - 1
    return Batch(sample, {"image": image})


class Copy(Generator):
    def forward(self, latent: Tensor | None, condition: Condition) -> Tensor:
        return condition["image"]


class MeanFill(Generator):
    """The baseline of holes, written with loops."""

    def forward(self, latent: Tensor | None, condition: Condition) -> Tensor:
        made = condition["image"].clone()
        for row, mask in zip(made, condition["mask"], strict=True):
            for channel in row:
                hole = mask[0] == 1
                channel[hole] = channel[~hole].mean()
        return made


def test_the_truth_has_no_error() -> None:
    real = pairs()
    found = scored(real, real.sample)
    assert set(found) == ALL
    assert found["pair_error"] == 0
    assert found["psnr"] == pytest.approx(60)
    assert found["ssim"] == pytest.approx(1, abs=1e-5)


@settings(max_examples=30, deadline=None)
@given(true=st.floats(-1, 1), made=st.floats(-1, 1))
def test_even_pictures_have_closed_forms(true: float, made: float) -> None:
    real = Batch(torch.full((2, 1, 12, 12), true), {"image": torch.full((2, 1, 12, 12), 1.0)})
    found = scored(real, torch.full((2, 1, 12, 12), made))
    one, other = true / 2 + 0.5, made / 2 + 0.5
    assert found["pair_error"] == pytest.approx(abs(one - other), abs=1e-6)
    assert found["psnr"] == pytest.approx(-10 * math.log10(max((one - other) ** 2, 1e-6)), abs=0.05)
    assert found["ssim"] == pytest.approx((2 * one * other + 1e-4) / (one**2 + other**2 + 1e-4), abs=2e-2)
    assert found["baseline_error"] == pytest.approx(1 - one, abs=1e-6)


def test_similarity_falls_with_noise_and_is_a_product_of_its_parts() -> None:
    """Of pictures with the same means, in one window, it is the quotient of covariance and mean variance."""
    rng = torch.Generator().manual_seed(0)
    real = pairs(rows=2, side=32)
    values = [
        scored(real, real.sample + strength * torch.randn(real.sample.shape, generator=rng))["ssim"]
        for strength in (0.05, 0.2, 0.8)
    ]
    assert 1 > values[0] > values[1] > values[2] > 0
    flipped = scored(real, -real.sample)["ssim"]  # the same means and variances, the opposite covariance
    assert flipped < 0


def test_values_outside_the_range_count_as_its_ends() -> None:
    real = Batch(torch.ones(1, 1, 8, 8), {"image": torch.ones(1, 1, 8, 8)})
    assert scored(real, torch.full((1, 1, 8, 8), 7.0))["pair_error"] == 0


def test_tiny_pictures_have_no_similarity_and_other_shapes_no_baseline() -> None:
    real = pairs(side=4)
    assert set(scored(real, real.sample)) == ALL - {"ssim", "baseline_ssim"}
    grey = Batch(real.sample, {"image": real.condition["image"][:, :1]})
    assert set(scored(grey, grey.sample)) == {"pair_error", "psnr"}


def test_what_is_no_number_is_not_passed_over() -> None:
    real = pairs()
    found = scored(real, torch.full_like(real.sample, math.nan))
    assert next(iter(found)) == "pair_error"
    assert math.isnan(found["pair_error"])


def test_every_batch_counts_by_its_rows() -> None:
    real, fake = pairs(rows=6), torch.zeros(6, 3, 16, 16)
    metric = PairError()
    for part in (slice(0, 1), slice(1, 6)):
        metric.update(real.rows(part), Batch(fake[part], real.rows(part).condition))
    assert metric.compute() == pytest.approx(scored(real, fake))


# ---- holes ----


@pytest.mark.parametrize("hole", ["square", "half", "strokes"])
def test_holes_are_measured_alone_against_their_mean(hole: Literal["square", "half", "strokes"]) -> None:
    test = Masked(Digits(), hole).split("test")
    real = test.gather(torch.arange(40), rng=torch.Generator())
    mask = real.condition["mask"].bool()
    known_differs = torch.where(mask, real.sample, -real.sample)
    assert scored(real, known_differs)["pair_error"] == 0
    filled = scored(real, MeanFill()(None, real.condition))
    for name in ("error", "psnr", "ssim"):
        own = filled["pair_error" if name == "error" else name]
        assert own == pytest.approx(filled[f"baseline_{name}"], abs=1e-5)
    inside = (real.sample + 1).abs()[mask] / 2  # against black
    rows = [part.mean() for part in torch.split(inside, mask.sum((1, 2, 3)).tolist())]
    assert scored(real, -torch.ones_like(real.sample))["pair_error"] == pytest.approx(float(torch.stack(rows).mean()))


# ---- what belongs together ----


def test_the_evaluation_gives_it_true_pairs() -> None:
    """A generator that copies is as good as the baseline that copies, also where rows are used more than once."""
    real = pairs(rows=12)
    space = ImageSpace(3, 16, 16)
    data = MemoryData(space, real.sample, {"image": (space, real.condition["image"])})
    spec = Evaluate.model_validate({"every": 1, "count": 30, "metrics": [{"use": "image/pair-error"}]})
    found = evaluate(Copy(), data, spec, [PairError()], 0, torch.device("cpu")).values
    assert found["pair_error"] == pytest.approx(found["baseline_error"])
    assert found["ssim"] == pytest.approx(found["baseline_ssim"])


def test_rows_that_are_no_pairs_are_refused() -> None:
    real, metric = pairs(), PairError()
    turned = Batch(real.sample, {"image": real.condition["image"].flip(0)})
    with pytest.raises(DataError, match="not those of the true ones") as caught:
        metric.update(real, turned)
    assert "split: test" in caught.value.remedy
    with pytest.raises(DataError, match="no condition"):
        metric.update(Batch(real.sample), Batch(real.sample))
    with pytest.raises(DataError, match="no pairs were given"):
        metric.compute()


def test_training_s_own_holes_are_refused() -> None:
    """Two draws of the same rows have other holes."""
    data = Masked(Digits())
    first, second = (data.gather(torch.arange(5), rng=torch.Generator().manual_seed(seed)) for seed in (1, 2))
    with pytest.raises(DataError, match="not those of the true ones"):
        PairError().update(first, second)
