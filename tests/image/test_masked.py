"""Holes: their shapes and sizes, that training draws new ones and that held-out pictures keep theirs."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sparring.data.memory import MemoryData
from sparring.data.points import Points
from sparring.errors import DataError
from sparring.interfaces.data import Batch
from sparring_image.digits import Digits
from sparring_image.masked import DRAWS, Hole, Masked, holes
from sparring_image.spaces import ImageSpace

torch.set_num_threads(1)

HOLES: list[Hole] = ["square", "half", "strokes"]
DIGITS = Digits()
BRIGHT = MemoryData(ImageSpace(3, 16, 16), torch.full((40, 3, 16, 16), 0.5), held_out={"test": torch.arange(20)})


def drawn(rows: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(rows, DRAWS, generator=torch.Generator().manual_seed(seed))


def gathered(data: Masked, seed: int = 0) -> Batch:
    return data.gather(torch.arange(len(data)), rng=torch.Generator().manual_seed(seed))


def test_the_list_is_not_empty() -> None:
    assert len(HOLES) == 3


@settings(max_examples=150, deadline=None)
@given(
    hole=st.sampled_from(HOLES),
    size=st.floats(0.01, 0.99),
    height=st.integers(4, 40),
    width=st.integers(4, 40),
    seed=st.integers(0, 99),
)
def test_no_hole_is_empty_or_the_whole_picture(hole: Hole, size: float, height: int, width: int, seed: int) -> None:
    mask = holes(hole, size, drawn(8, seed), height, width)
    assert mask.shape == (8, 1, height, width)
    assert set(mask.unique().tolist()) == {0.0, 1.0}
    share = mask.mean((1, 2, 3))
    assert share.min() > 0
    assert share.max() < 1


def test_squares_are_squares_of_the_size_asked_for_and_lie_everywhere() -> None:
    mask = holes("square", 0.5, drawn(400), 12, 20)
    assert torch.equal(mask.sum((1, 2, 3)), torch.full((400,), 36.0))
    assert torch.equal(mask.amax(3).sum((1, 2)), torch.full((400,), 6.0))  # rows that it touches
    assert mask.amax(0).min() == 1  # every pixel is missing in some picture
    corners = {tuple(one.nonzero()[0].tolist()[1:]) for one in mask}
    assert len(corners) > 80  # of 7 × 15 places


def test_halves_are_the_four_sides() -> None:
    mask = holes("half", 0.25, drawn(200), 8, 12)
    found = {tuple(one.flatten().tolist()) for one in mask}
    assert len(found) == 4
    top, left = torch.zeros(8, 12), torch.zeros(8, 12)
    top[:2], left[:, :3] = 1, 1
    for side in (top, left, top.flip(0), left.flip(1)):
        assert tuple(side.flatten().tolist()) in found


def test_a_stroke_is_as_long_and_as_thick_as_it_should_be() -> None:
    """From the middle a piece downwards, which the others go back and forth on."""
    down, up = (0.25, 0.0), (0.75, 0.0)  # turns of a quarter and three quarters; pieces of half the longest
    numbers = torch.tensor([[0.5, 0.5, *down, *up, *down, *up]])
    (mask,) = holes("strokes", 0.8, numbers, 41, 41).squeeze(1)
    rows, columns = mask.amax(1).nonzero().flatten(), mask.amax(0).nonzero().flatten()
    longest, thickness = 0.8 * 41, 0.25 * 0.8 * 41
    assert columns.tolist() == list(range(20 - int(thickness / 2), 21 + int(thickness / 2)))  # half of it to each side
    assert rows[0] == 20 - int(thickness / 2)
    assert rows[-1] == int(20 + longest / 2 + thickness / 2)


@pytest.mark.parametrize("hole", HOLES)
def test_the_sample_is_whole_and_the_condition_has_a_grey_hole(hole: Hole) -> None:
    batch = gathered(Masked(BRIGHT, hole))
    mask, image = batch.condition["mask"], batch.condition["image"]
    assert torch.equal(batch.sample, torch.full_like(batch.sample, 0.5))
    assert image.shape == (20, 3, 16, 16)
    assert torch.equal(image, 0.5 * (1 - mask).expand_as(image))


@pytest.mark.parametrize("hole", HOLES)
def test_training_draws_new_holes_and_held_out_pictures_keep_theirs(hole: Hole) -> None:
    data = Masked(DIGITS, hole)
    assert not torch.equal(gathered(data, 1).condition["mask"], gathered(data, 2).condition["mask"])
    test = data.split("test")
    first, second = gathered(test, 1), gathered(test, 2)
    assert torch.equal(first.condition["mask"], second.condition["mask"])
    few = test.gather(torch.tensor([5, 3]), rng=torch.Generator())
    assert torch.equal(few.condition["mask"], first.condition["mask"][[5, 3]])
    assert len(first.condition["mask"].unique(dim=0)) > 3  # not one hole for all
    again, other = Masked(DIGITS, hole).split("test"), Masked(DIGITS, hole, seed=1).split("test")
    assert torch.equal(gathered(again).condition["mask"], first.condition["mask"])
    assert not torch.equal(gathered(other).condition["mask"], first.condition["mask"])


def test_labels_are_left_out_and_the_split_is_that_of_the_wrapped_data() -> None:
    data = Masked(DIGITS)
    assert set(data.conditions) == {"image", "mask"}
    assert data.conditions["mask"].shape == (1, 8, 8)
    assert torch.equal(gathered(data).sample, DIGITS.gather(torch.arange(len(DIGITS)), rng=torch.Generator()).sample)
    assert len(data.split("test")) == len(DIGITS.split("test"))
    with pytest.raises(DataError, match="no split 'other'"):
        data.split("other")


@pytest.mark.parametrize("size", [0.0, 1.0, -0.5, 2.0])
def test_other_sizes_are_refused(size: float) -> None:
    with pytest.raises(DataError, match="hole") as caught:
        Masked(DIGITS, size=size)
    assert caught.value.where == "data.size"


def test_data_that_are_no_pictures_are_refused() -> None:
    with pytest.raises(DataError, match="works on images"):
        Masked(Points(count=20))
