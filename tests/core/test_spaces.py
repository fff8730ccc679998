"""Spaces of the core: round trips, files, previews, and what they refuse."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from sparring.errors import DataError
from sparring.interfaces.space import Space
from sparring.spaces.array import ArraySpace
from sparring.spaces.label import LabelSpace
from sparring.spaces.point import PointSpace

ANIMALS = ["cat", "dog", "7"]
SPACES: list[Space] = [LabelSpace(ANIMALS), PointSpace(3, 1.5), ArraySpace([2, 3])]
assert SPACES


@pytest.mark.parametrize("space", SPACES, ids=lambda space: type(space).__name__)
def test_options_rebuild_the_space(space: Space) -> None:
    again = type(space)(**space.options())
    assert again.shape == space.shape
    assert again.options() == space.options()


# ---- labels ----


def test_labels_are_encoded_by_name_index_or_digits() -> None:
    space = LabelSpace(ANIMALS)
    assert space.shape == ()
    for raw, index in (("cat", 0), (1, 1), ("1", 1), (np.int64(2), 2), (torch.tensor(2), 2)):
        encoded = space.encode(raw)
        assert (encoded.dtype, encoded.shape, int(encoded)) == (torch.int64, (), index)
    # A name that is written in digits is a name first.
    assert int(space.encode("7")) == 2


@pytest.mark.parametrize("raw", ["bird", 3, -1, "-1", "3", 1.0, None, True])
def test_an_unknown_label_lists_the_classes(raw: object) -> None:
    with pytest.raises(DataError, match="cat, dog, 7; or an index from 0 to 2"):
        LabelSpace(ANIMALS).encode(raw)


@given(names=st.lists(st.text(min_size=1), min_size=1, max_size=8, unique=True))
def test_label_names_survive_the_round_trip(names: list[str]) -> None:
    space = LabelSpace(names)
    assert [space.decode(space.encode(name)) for name in names] == names


def test_labels_are_written_and_shown(tmp_path: Path) -> None:
    space, samples = LabelSpace(ANIMALS), torch.tensor([0, 2, 0])
    (path,) = space.save(samples, tmp_path / "new")
    assert path.read_text() == "cat\n7\ncat\n"
    assert space.preview(samples) == "cat, 7, cat"


def test_classes_must_differ() -> None:
    with pytest.raises(DataError, match="two classes are named 'cat'"):
        LabelSpace(["cat", "dog", "cat"])
    with pytest.raises(DataError, match="at least one"):
        LabelSpace([])


# ---- points ----


@given(values=st.lists(st.floats(-1e6, 1e6, width=32), min_size=2, max_size=2))
def test_points_survive_the_round_trip(values: list[float]) -> None:
    space = PointSpace()
    assert space.decode(space.encode(values)) == tuple(values)


@pytest.mark.parametrize("dimensions", [1, 2, 3, 5])
def test_points_are_written_as_csv_and_read_back(dimensions: int, tmp_path: Path) -> None:
    space, samples = PointSpace(dimensions), torch.randn(4, dimensions)
    (path,) = space.save(samples, tmp_path / "new")
    header, *rows = path.read_text().splitlines()
    assert len(header.split(",")) == dimensions
    assert [[float(value) for value in row.split(",")] for row in rows] == samples.tolist()
    torch.testing.assert_close(space.encode(path), samples[-1], rtol=0, atol=0)


def test_the_scatter_shows_each_point_in_its_place() -> None:
    space = PointSpace(limit=2.0)
    picture = space.preview(torch.tensor([[1.0, 1.0]]))
    assert isinstance(picture, Image.Image)
    assert picture.size == (256, 256)
    dark = np.argwhere(np.asarray(picture) < 128)
    assert dark.mean(axis=0) == pytest.approx([64.5, 192.5])  # row, column: upper right


def test_the_scatter_leaves_out_what_lies_beyond() -> None:
    outside = torch.tensor([[5.0, 0.0], [float("nan"), 0.0], [0.0, float("-inf")]])
    empty = np.asarray(PointSpace().preview(outside))
    assert (empty == 255).all()
    assert (np.asarray(PointSpace().preview(torch.empty(0, 2))) == 255).all()
    assert (np.asarray(PointSpace(1).preview(torch.zeros(1, 1))) < 128).any()


def test_what_is_no_point_is_refused(tmp_path: Path) -> None:
    for raw in ([1.0], [1.0, float("nan")], "nowhere.csv", ["a", "b"], None):
        with pytest.raises(DataError):
            PointSpace().encode(raw)
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(DataError, match="no point can be read"):
        PointSpace().encode(tmp_path / "empty.csv")


# ---- arrays ----


def test_arrays_are_written_and_read_back(tmp_path: Path) -> None:
    space, samples = ArraySpace([2, 3]), torch.randn(4, 2, 3)
    (path,) = space.save(samples, tmp_path / "new")
    torch.testing.assert_close(torch.from_numpy(np.load(path)), samples, rtol=0, atol=0)
    np.save(tmp_path / "one.npy", np.arange(6).reshape(2, 3))
    torch.testing.assert_close(space.encode(tmp_path / "one.npy"), torch.arange(6.0).reshape(2, 3))
    assert space.decode(samples[0]).shape == (2, 3)
    assert space.encode([[1, 2, 3], [4, 5, 6]]).dtype == torch.float32


def test_an_array_preview_gives_its_statistics() -> None:
    text = ArraySpace([2]).preview(torch.tensor([[0.0, 2.0]]))
    assert text == "1 arrays of shape (2,): mean 1, standard deviation 1, from 0 to 2"


def test_what_is_no_array_is_refused(tmp_path: Path) -> None:
    pickled = tmp_path / "pickled.npy"
    np.save(pickled, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    for raw in (np.zeros((3, 2)), np.full((2, 3), np.inf), "nowhere.npy", pickled, "text", None):
        with pytest.raises(DataError):
            ArraySpace([2, 3]).encode(raw)


class Trap:
    """Runs code when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.mark,)


def test_reading_an_array_runs_no_code(tmp_path: Path) -> None:
    mark, path = tmp_path / "ran", tmp_path / "trap.npy"
    np.save(path, np.array([Trap(mark)], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="no array can be read"):
        ArraySpace([1]).encode(path)
    assert not mark.exists()
