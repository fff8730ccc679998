"""Files of samples say which class was asked for."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from sparring.interfaces.data import Batch
from sparring.interfaces.space import Space
from sparring.spaces.label import LabelSpace
from sparring.spaces.point import PointSpace
from sparring.training.previews import HEARD, LONGEST, labels_of, save_samples, write_preview


class FileEach(PointSpace):
    """Points, each in a file of its own, as pictures and sounds are."""

    def save(self, samples: Tensor, folder: Path) -> list[Path]:
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / f"{index:05d}.dat" for index in range(len(samples))]
        for path, sample in zip(paths, samples, strict=True):
            path.write_text(f"{sample.tolist()}")
        return paths


def batch(**labels: list[int]) -> Batch:
    count = max((len(one) for one in labels.values()), default=3)
    condition = {name: torch.tensor(values) for name, values in labels.items()}
    return Batch(torch.arange(2.0 * count).view(count, 2), condition)


def saved(folder: Path, samples: Batch, conditions: dict[str, Space], space: Space | None = None) -> list[str]:
    paths = save_samples(samples, space or FileEach(), conditions, folder)
    assert sorted(paths) == sorted(folder.iterdir())
    assert all(path.stat().st_size for path in paths)
    return [path.name for path in paths]


def test_a_file_each_is_named_by_its_class(tmp_path: Path) -> None:
    names = saved(tmp_path / "new", batch(label=[2, 0, 2]), {"label": LabelSpace(["one", "two", "three"])})
    assert names == ["00000-three.dat", "00001-one.dat", "00002-three.dat"]
    assert (tmp_path / "new" / "00001-one.dat").read_text() == "[2.0, 3.0]"


def test_several_labels_are_joined_and_other_conditions_leave_no_trace(tmp_path: Path) -> None:
    conditions = {"word": LabelSpace(["yes", "no"]), "place": PointSpace(1), "voice": LabelSpace(["anna", "ben"])}
    samples = batch(word=[0, 1], place=[5, 6], voice=[1, 1])
    assert saved(tmp_path, samples, conditions) == ["00000-yes-ben.dat", "00001-no-ben.dat"]


def test_without_labels_names_are_the_space_s(tmp_path: Path) -> None:
    assert saved(tmp_path / "a", batch(), {}) == ["00000.dat", "00001.dat", "00002.dat"]
    assert saved(tmp_path / "b", batch(place=[1]), {"place": PointSpace(1)}) == ["00000.dat"]
    assert labels_of(batch(), {"label": LabelSpace(["a"])}) == []


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("../up/and\\away", "00000-.._up_and_away.dat"),
        ("ice cream", "00000-ice cream.dat"),
        ("三", "00000-三.dat"),
        ("nul\0line\nend", "00000-nul_line_end.dat"),
        (" ", "00000.dat"),
        ("ß" * 400, f"00000-{'ß' * LONGEST}.dat"),
        ("𒀀" * 400, f"00000-{'𒀀' * LONGEST}.dat"),  # four bytes each
    ],
)
def test_whatever_a_class_is_called_the_file_stays_in_its_folder(name: str, found: str, tmp_path: Path) -> None:
    assert saved(tmp_path / "inner", batch(label=[0]), {"label": LabelSpace([name])}) == [found]
    assert [path.name for path in tmp_path.iterdir()] == ["inner"]


def test_one_file_for_all_has_its_classes_beside_it(tmp_path: Path) -> None:
    space: Any = PointSpace()
    names = saved(tmp_path, batch(label=[1, 0, 1]), {"label": LabelSpace(["one", "two"])}, space)
    assert names[-1] == "labels.txt"
    assert (tmp_path / "labels.txt").read_text(encoding="utf-8").split() == ["two", "one", "two"]
    assert len(names) == 2


def test_sounds_to_listen_to_have_each_class_once_before_any_twice(tmp_path: Path) -> None:
    class Audible(FileEach):
        audible = True

    conditions = {"label": LabelSpace([f"word{index}" for index in range(12)])}
    run: Any = SimpleNamespace(space=Audible(), conditions=conditions)
    labels = [3, 3, 0, 3, 7, 0, 1, 2, 2, 9, 11, 4, 5, 8]
    write_preview(run, batch(label=labels), tmp_path / "samples" / "real")
    assert (tmp_path / "samples" / "real.png").is_file()
    heard = sorted(path.name for path in (tmp_path / "samples" / "real").iterdir())
    order = [0, 1, 2, 3, 4, 5, 7, 8, 9, 11]
    assert heard == [f"{number:05d}-word{label}.dat" for number, label in enumerate(order)]
    assert (tmp_path / "samples" / "real" / "00003-word3.dat").read_text() == "[0.0, 1.0]", "the first of them"


def test_without_labels_the_first_sounds_are_kept(tmp_path: Path) -> None:
    class Audible(FileEach):
        audible = True

    run: Any = SimpleNamespace(space=Audible(), conditions={}, examples=lambda: None)
    write_preview(run, Batch(torch.zeros(30, 2)), tmp_path / "00000005" / "preview")
    heard = sorted(path.name for path in (tmp_path / "00000005").glob("*.dat"))
    assert heard == [f"{number:05d}.dat" for number in range(HEARD)]
