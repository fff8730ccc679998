"""Outlines: where they run, how bright they are, and that conditions and splits stay those of the wrapped data."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sparring.data.memory import MemoryData
from sparring.data.points import Points
from sparring.errors import DataError
from sparring_image.digits import Digits
from sparring_image.outlines import Outlines, outlines
from sparring_image.spaces import ImageSpace

torch.set_num_threads(1)


def test_a_line_runs_along_both_sides_of_an_edge_and_nowhere_else() -> None:
    picture = torch.full((1, 3, 8, 8), -1.0)
    picture[:, 2, :, 4:] = 0.2  # blue alone changes, between the columns 3 and 4
    expected = torch.full((1, 1, 8, 8), -1.0)
    expected[..., 3:5] = 1
    assert torch.equal(outlines(picture), expected)


def test_shrinking_averages_lines_and_leaves_the_brightest_white() -> None:
    picture = torch.full((1, 1, 8, 8), -1.0)
    picture[..., 4:] = 1  # lines in the columns 3 and 4, each of which is averaged with a dark neighbour
    drawn = outlines(picture, 2)
    assert drawn.shape == (1, 1, 4, 4)
    assert torch.equal(drawn[0, 0, 0], torch.tensor([-1.0, 1.0, 1.0, -1.0]))


def test_a_picture_of_one_colour_is_black() -> None:
    assert torch.equal(outlines(torch.full((2, 3, 6, 6), 0.7)), torch.full((2, 1, 6, 6), -1.0))


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 99), channels=st.sampled_from([1, 3]), shrink=st.sampled_from([1, 2, 3]))
def test_outlines_are_the_same_of_the_negative_and_of_less_contrast(seed: int, channels: int, shrink: int) -> None:
    picture = torch.rand(2, channels, 6, 12, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    drawn = outlines(picture, shrink)
    assert drawn.shape == (2, 1, 6 // shrink, 12 // shrink)
    torch.testing.assert_close(drawn.amax((1, 2, 3)), torch.ones(2))
    assert drawn.min() >= -1
    torch.testing.assert_close(outlines(-0.3 * picture + 0.1, shrink), drawn, atol=1e-5, rtol=0)


def test_labels_and_held_out_pictures_are_those_of_the_wrapped_data() -> None:
    digits = Digits()
    drawn = Outlines(digits, shrink=2)
    assert isinstance(drawn.space, ImageSpace)
    assert drawn.space.shape == (1, 4, 4)
    rows = torch.arange(7)
    for part, of in ((drawn, digits), (drawn.split("test"), digits.split("test"))):
        assert len(part) == len(of)
        found = part.gather(rows, rng=torch.Generator())
        wrapped = of.gather(rows, rng=torch.Generator())
        assert torch.equal(found.sample, outlines(wrapped.sample, 2))
        assert torch.equal(found.condition["label"], wrapped.condition["label"])


@pytest.mark.parametrize("shrink", [0, 5])
def test_a_size_that_does_not_divide_is_refused(shrink: int) -> None:
    data = MemoryData(ImageSpace(3, 12, 16), torch.zeros(3, 3, 12, 16))
    with pytest.raises(DataError, match="cannot be shrunk") as caught:
        Outlines(data, shrink)
    assert caught.value.remedy


def test_data_that_are_no_pictures_are_refused() -> None:
    with pytest.raises(DataError, match="image/outlines"):
        Outlines(Points())
