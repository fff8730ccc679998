"""One's own images: labels, splits, files that cannot be read, and more images than fit in memory."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sparring.errors import DataError
from sparring.interfaces.data import Batch, Data
from sparring.spaces.label import LabelSpace
from sparring_image.collection import FEWEST
from sparring_image.folder import Folder
from sparring_image.spaces import ImageSpace
from tests.image.files import fill

torch.set_num_threads(1)

NO_MEMORY = 1e-9


def everything(data: Data, seed: int = 0) -> Batch:
    return data.gather(torch.arange(len(data)), rng=torch.Generator().manual_seed(seed))


def small(path: Path, **options: object) -> Folder:
    return Folder(path, height=8, width=8, **options)  # type: ignore[arg-type]


def test_a_flat_folder_has_no_labels(tmp_path: Path) -> None:
    fill(tmp_path, 30)
    data = small(tmp_path)
    assert not data.conditions
    assert (len(data), len(data.split("test"))) == (27, 3)
    assert everything(data).sample.shape == (27, 3, 8, 8)
    assert not data.notes


def test_samples_are_what_the_space_makes_of_the_files(tmp_path: Path) -> None:
    fill(tmp_path, 25, size=(31, 17))
    data = small(tmp_path, held_out=0.0)
    expected = torch.stack([ImageSpace(3, 8, 8).encode(file) for file in sorted(tmp_path.iterdir())])
    assert torch.equal(everything(data).sample, expected)


def test_sub_folders_are_labels(tmp_path: Path) -> None:
    for seed, name in enumerate(("cat", "ant", "bee")):
        fill(tmp_path / name / "deeper", 10, seed=seed)
    data = small(tmp_path, held_out=0.0)
    space = data.conditions["label"]
    assert isinstance(space, LabelSpace)
    assert space.classes == ["ant", "bee", "cat"]
    assert everything(data).condition["label"].tolist() == [0] * 10 + [1] * 10 + [2] * 10
    assert not small(tmp_path, labels=False).conditions


def test_every_kind_of_image_goes_together(tmp_path: Path) -> None:
    for number, mode in enumerate(("RGB", "L", "RGBA", "P", "1", "LA")):
        fill(tmp_path / str(number), 5, mode=mode, size=(9 + 7 * number, 30 - 4 * number))
    for channels in (1, 3):
        batch = everything(small(tmp_path, labels=False, channels=channels))
        assert batch.sample.shape == (27, channels, 8, 8)
        assert batch.sample.abs().max() <= 1


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    fill(tmp_path / "elsewhere", 12)
    fill(tmp_path / "images" / "a", 12)
    (tmp_path / "images" / "b").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (tmp_path / "images" / "a" / "back").symlink_to(tmp_path / "images", target_is_directory=True)
    data = small(tmp_path / "images", held_out=0.0)
    assert torch.bincount(everything(data).condition["label"]).tolist() == [12, 12]


def test_splits_are_disjoint_and_fixed(tmp_path: Path) -> None:
    fill(tmp_path, 40)
    data = small(tmp_path, held_out=0.25)
    training = {row.numpy().tobytes() for row in everything(data).sample}
    test = {row.numpy().tobytes() for row in everything(data.split("test")).sample}
    assert (len(training), len(test)) == (30, 10)
    assert not training & test
    assert torch.equal(everything(data).sample, everything(small(tmp_path, held_out=0.25)).sample)
    assert not torch.equal(everything(data).sample, everything(small(tmp_path, held_out=0.25, seed=1)).sample)
    with pytest.raises(DataError, match="'other'"):
        data.split("other")
    with pytest.raises(DataError) as caught:
        small(tmp_path, held_out=0.0).split("test")
    assert "held_out" in caught.value.remedy


def test_unreadable_files_are_skipped_and_listed(tmp_path: Path) -> None:
    fill(tmp_path, 30)
    whole = (tmp_path / "003.png").read_bytes()
    (tmp_path / "003.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "007.png").write_bytes(b"")
    (tmp_path / "008.jpg").write_text("not a picture")
    (tmp_path / "notes.txt").write_text("no image, and not taken for one")
    (tmp_path / ".hidden.png").write_text("passed over")
    data = small(tmp_path, held_out=0.0)
    assert len(data) == 28
    assert len(data.notes) == 3
    assert [name in note for name, note in zip(("003", "007", "008"), data.notes, strict=True)] == [True] * 3
    good = [file for file in sorted(tmp_path.glob("0*.png")) if file.name not in ("003.png", "007.png")]
    assert torch.equal(everything(data).sample, torch.stack([ImageSpace(3, 8, 8).encode(file) for file in good]))


def test_many_unreadable_files_are_summed_up(tmp_path: Path) -> None:
    fill(tmp_path, FEWEST)
    for index in range(30):
        (tmp_path / f"bad{index}.png").write_bytes(b"bad")
    notes = small(tmp_path).notes
    assert len(notes) == 21
    assert notes[-1] == "skipped 10 more that cannot be read, of 50 files"


@pytest.mark.parametrize("labelled", [False, True])
def test_images_that_do_not_fit_in_memory_are_read_on_the_fly(tmp_path: Path, labelled: bool) -> None:
    for seed, name in enumerate(("a", "b") if labelled else ("a",)):
        fill(tmp_path / name, 24, seed=seed)
    (tmp_path / "a" / "000.png").write_bytes(b"bad")
    kept, read = small(tmp_path, flip=True), small(tmp_path, flip=True, memory=NO_MEMORY)
    assert kept.place(torch.device("cpu"))
    assert not read.place(torch.device("cpu"))
    assert list(kept.notes) == list(read.notes)
    for split in ("train", "test"):
        first, second = everything(kept.split(split)), everything(read.split(split))
        assert torch.equal(first.sample, second.sample)
        assert first.condition.keys() == second.condition.keys()
        for name in first.condition:
            assert torch.equal(first.condition[name], second.condition[name])


def test_flips_are_drawn_from_the_generator_and_spare_the_held_out(tmp_path: Path) -> None:
    fill(tmp_path, 100)
    plain, flipped = small(tmp_path), small(tmp_path, flip=True)
    original, changed = everything(plain).sample, everything(flipped).sample
    mirrored = (changed == original.flip(-1)).flatten(1).all(1)
    same = (changed == original).flatten(1).all(1)
    assert (mirrored ^ same).all()
    assert 25 <= mirrored.sum() <= 65
    assert torch.equal(everything(flipped, seed=0).sample, everything(flipped, seed=0).sample)
    assert not torch.equal(everything(flipped, seed=0).sample, everything(flipped, seed=1).sample)
    assert torch.equal(everything(plain.split("test")).sample, everything(flipped.split("test")).sample)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(indices=st.lists(st.integers(0, 26), min_size=1, max_size=40), seed=st.integers(0, 2**31))
def test_any_rows_in_any_order(tmp_path: Path, indices: list[int], seed: int) -> None:
    if not tmp_path.joinpath("000.png").exists():
        fill(tmp_path, 30)
    data = small(tmp_path, flip=True)
    chosen = torch.tensor(indices)
    first = data.gather(chosen, rng=torch.Generator().manual_seed(seed)).sample
    again = data.gather(chosen, rng=torch.Generator().manual_seed(seed)).sample
    assert first.shape == (len(indices), 3, 8, 8)
    assert torch.equal(first, again)


def test_mistakes_say_what_where_and_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "file.png"
    file.write_text("x")
    empty = tmp_path / "empty"
    empty.mkdir()
    few = tmp_path / "few"
    fill(few, FEWEST - 1)
    (few / "bad.png").write_bytes(b"bad")
    for path, words in (
        (tmp_path / "absent", "no such folder"),
        (file, "a file, not a folder"),
        (empty, "no images"),
        (few, rf"{FEWEST - 1} images are too few .*1 more cannot be read.*at least {FEWEST}"),
    ):
        with pytest.raises(DataError, match=words) as caught:
            small(path)
        assert caught.value.where == str(path)
        assert caught.value.remedy


def test_labels_that_cannot_be_are_refused_or_noted(tmp_path: Path) -> None:
    fill(tmp_path / "mixed" / "a", 20)
    fill(tmp_path / "mixed" / "b", 20)
    fill(tmp_path / "mixed", 3)
    data = small(tmp_path / "mixed")
    assert not data.conditions
    assert "unlabelled" in data.notes[0]
    with pytest.raises(DataError, match="some lie in none"):
        small(tmp_path / "mixed", labels=True)
    fill(tmp_path / "single" / "a", 20)
    assert not small(tmp_path / "single").conditions
    with pytest.raises(DataError, match="only a"):
        small(tmp_path / "single", labels=True)
    fill(tmp_path / "splits" / "train", 20)
    fill(tmp_path / "splits" / "test", 20)
    with pytest.raises(DataError, match="look like splits") as caught:
        small(tmp_path / "splits")
    assert str(tmp_path / "splits" / "train") in caught.value.remedy
    assert not small(tmp_path / "splits", labels=False).conditions
