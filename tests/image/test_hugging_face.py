"""Hugging Face datasets: real ones, saved and read on this machine."""

from __future__ import annotations

import importlib
import importlib.util
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from sparring.errors import DataError
from sparring.interfaces.data import Batch, Data
from sparring.spaces.label import LabelSpace
from sparring_image.folder import Folder
from sparring_image.hugging_face import HuggingFace
from tests.image.files import fill, write_dataset

torch.set_num_threads(1)

INSTALLED = importlib.util.find_spec("datasets") is not None
needs_datasets = pytest.mark.skipif(not INSTALLED, reason="the package datasets is not installed")


@pytest.fixture(autouse=True)
def apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the library's cache out of the home folder, and the library off the network."""
    if INSTALLED:
        import datasets

        monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
        monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
        datasets.disable_progress_bars()


def everything(data: Data) -> Batch:
    return data.gather(torch.arange(len(data)), rng=torch.Generator())


def small(dataset: Path | str, **options: Any) -> HuggingFace:
    return HuggingFace(str(dataset), **{"height": 8, "width": 8, **options})


def png(seed: int = 0) -> bytes:
    file = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (10, 12, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def table(columns: dict[str, list[Any]], **features: Any) -> Any:
    import datasets

    return datasets.Dataset.from_dict(columns, features=datasets.Features(features) if features else None)


def pictures(count: int = 30, start: int = 0) -> list[dict[str, Any]]:
    return [{"bytes": png(start + index), "path": None} for index in range(count)]


@needs_datasets
def test_a_saved_dataset_gives_what_the_folder_gives(tmp_path: Path) -> None:
    write_dataset(tmp_path)
    data = small(tmp_path / "saved", held_out=0.0)
    expected = everything(Folder(tmp_path / "pictures", height=8, width=8, held_out=0.0)).sample
    batch = everything(data)
    assert torch.equal(batch.sample, expected)
    assert batch.condition["label"].tolist() == [index % 2 for index in range(40)]
    label = data.conditions["label"]
    assert isinstance(label, LabelSpace)
    assert label.classes == ["even", "odd"]
    assert not data.notes
    assert not small(tmp_path / "saved", labels=False).conditions
    on_the_fly = everything(small(tmp_path / "saved", held_out=0.0, memory=0.0))
    assert torch.equal(on_the_fly.sample, expected)


@needs_datasets
def test_a_share_is_held_out_where_there_is_no_such_split(tmp_path: Path) -> None:
    write_dataset(tmp_path)
    data = small(tmp_path / "saved", held_out=0.25)
    training, test = ({row.numpy().tobytes() for row in everything(part).sample} for part in (data, data.split("test")))
    assert (len(training), len(test)) == (30, 10)
    assert not training & test
    with pytest.raises(DataError, match="no split 'test'"):
        small(tmp_path / "saved", held_out=0.0).split("test")


@needs_datasets
def test_splits_of_the_dataset_are_used(tmp_path: Path) -> None:
    import datasets

    parts = {"train": (30, 0), "validation": (5, 100), "test": (4, 200), "more": (25, 300)}
    saved = datasets.DatasetDict(
        {name: table({"image": pictures(*part)}, image=datasets.Image()) for name, part in parts.items()}
    )
    saved.save_to_disk(str(tmp_path / "saved"))
    read = {name: everything(small(tmp_path / "saved", train="more", test=name).split("test")) for name in parts}
    assert {name: len(batch) for name, batch in read.items()} == {name: part[0] for name, part in parts.items()}
    data = small(tmp_path / "saved")
    assert torch.equal(everything(data).sample, read["train"].sample)
    assert torch.equal(everything(data.split("test")).sample, read["test"].sample)
    assert torch.equal(
        everything(small(tmp_path / "saved", train="more", test="validation").split("test")).sample,
        read["validation"].sample,
    )
    with pytest.raises(DataError, match="no split 'dev'") as caught:
        small(tmp_path / "saved", test="dev")
    assert "train, validation, test, more" in caught.value.remedy


@needs_datasets
def test_a_folder_of_images_and_parquet_files(tmp_path: Path) -> None:
    import datasets

    for seed, name in enumerate(("ant", "bee")):
        fill(tmp_path / "images" / name, 15, seed=seed)
    data = small(tmp_path / "images", held_out=0.0)
    assert everything(data).condition["label"].tolist() == [0] * 15 + [1] * 15
    assert torch.equal(everything(data).sample, everything(Folder(tmp_path / "images", 8, 8, held_out=0.0)).sample)
    rows = pictures(25)
    (tmp_path / "files").mkdir()
    for name, features in (("typed", {"image": datasets.Image()}), ("plain", {})):
        file = tmp_path / "files" / f"{name}.parquet"
        table({"image": rows}, **features).to_parquet(str(file))
        assert torch.equal(everything(small(file, held_out=0.0)).sample, everything_of(rows))
    with pytest.raises(DataError, match="cannot be loaded") as caught:
        small(tmp_path / "files")
    assert "generating the dataset" not in caught.value.what  # but what went wrong there
    (tmp_path / "files" / "plain.parquet").unlink()
    table({"image": pictures(25, 50)}, image=datasets.Image()).to_parquet(str(tmp_path / "files" / "more.parquet"))
    assert len(small(tmp_path / "files", held_out=0.0)) == 50


def everything_of(rows: list[dict[str, Any]]) -> torch.Tensor:
    from sparring_image.spaces import ImageSpace

    return torch.stack([ImageSpace(3, 8, 8).encode(row["bytes"]) for row in rows])


@needs_datasets
def test_labels_of_other_types_are_classes_too(tmp_path: Path) -> None:
    import datasets

    names = ["cat", "ant", "bee"] * 10
    image = {"image": datasets.Image()}
    table({"image": pictures(), "label": names}, **image, label=datasets.Value("string")).save_to_disk(
        str(tmp_path / "words")
    )
    data = small(tmp_path / "words", held_out=0.0)
    label = data.conditions["label"]
    assert isinstance(label, LabelSpace)
    assert [label.decode(value) for value in everything(data).condition["label"]] == names
    years, weights = [1990 + index % 2 for index in range(30)], [0.5] * 30
    table(
        {"image": pictures(), "year": years, "label": weights},
        **image,
        year=datasets.Value("int32"),
        label=datasets.Value("float32"),
    ).save_to_disk(str(tmp_path / "numbers"))
    assert not small(tmp_path / "numbers").conditions
    data = small(tmp_path / "numbers", label="year", held_out=0.0)
    assert everything(data).condition["label"].tolist() == [index % 2 for index in range(30)]
    with pytest.raises(DataError, match="no column of the dataset holds classes"):
        small(tmp_path / "numbers", labels=True)
    with pytest.raises(DataError, match="'label' holds no classes") as caught:
        small(tmp_path / "numbers", label="label")
    assert "year" in caught.value.remedy
    with pytest.raises(DataError, match="no column 'age'"):
        small(tmp_path / "numbers", label="age")


@needs_datasets
def test_damaged_rows_are_skipped_with_their_labels(tmp_path: Path) -> None:
    import datasets

    rows = pictures()
    rows[3], rows[7] = {"bytes": rows[3]["bytes"][:60], "path": None}, {"bytes": b"no picture", "path": None}
    rows[11] = None  # type: ignore[call-overload]
    table(
        {"image": rows, "number": list(range(30))}, image=datasets.Image(), number=datasets.Value("int64")
    ).save_to_disk(str(tmp_path / "saved"))
    data = small(tmp_path / "saved", label="number", held_out=0.0)
    label = data.conditions["label"]
    kept = [label.decode(value) for value in everything(data).condition["label"]]
    assert kept == [str(index) for index in range(30) if index not in (3, 7, 11)]
    assert [note.split(":")[0] for note in data.notes] == [f"skipped row {row} of 'train'" for row in (3, 7, 11)]
    assert data.notes[2].endswith("the row holds no image")


@needs_datasets
def test_unknown_classes_are_refused(tmp_path: Path) -> None:
    import datasets

    kinds = datasets.ClassLabel(names=["a", "b"])
    saved = datasets.DatasetDict(
        {
            name: table({"image": pictures(), "label": labels}, image=datasets.Image(), label=kinds)
            for name, labels in (("train", [0, 1] * 15), ("test", [-1] * 30))
        }
    )
    saved.save_to_disk(str(tmp_path / "saved"))
    with pytest.raises(DataError, match="some images have no label") as caught:
        small(tmp_path / "saved")
    assert "labels: false" in caught.value.remedy
    assert len(small(tmp_path / "saved", labels=False).split("test")) == 30
    saved["test"] = saved["test"].remove_columns("label")
    saved.save_to_disk(str(tmp_path / "without"))
    with pytest.raises(DataError, match="differ in the column of labels, 'label'"):
        small(tmp_path / "without")


@needs_datasets
def test_columns_that_are_no_images_are_named(tmp_path: Path) -> None:
    import datasets

    table({"text": ["a"] * 30, "number": [1] * 30}).save_to_disk(str(tmp_path / "words"))
    with pytest.raises(DataError, match="no column of the dataset holds images") as caught:
        small(tmp_path / "words")
    assert "text (string), number (int64)" in caught.value.remedy
    image = datasets.Image()
    table(
        {"left": pictures(), "right": pictures(30, 50), "text": ["a"] * 30},
        left=image,
        right=image,
        text=datasets.Value("string"),
    ).save_to_disk(str(tmp_path / "pairs"))
    with pytest.raises(DataError, match="several columns hold images: left, right"):
        small(tmp_path / "pairs")
    with pytest.raises(DataError, match="'text' holds no images"):
        small(tmp_path / "pairs", image="text")
    with pytest.raises(DataError, match="no column 'middle'") as caught:
        small(tmp_path / "pairs", image="middle")
    assert "left, right" in caught.value.remedy
    assert torch.equal(
        everything(small(tmp_path / "pairs", image="right", held_out=0.0)).sample, everything_of(pictures(30, 50))
    )


@needs_datasets
def test_a_name_is_asked_of_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    asked = []

    def load(*arguments: Any) -> Any:
        asked.append(arguments)
        return datasets.DatasetDict({"train": table({"image": pictures()}, image=datasets.Image())})

    monkeypatch.setattr(datasets, "load_dataset", load)
    assert len(small("someone/pictures", configuration="small", held_out=0.0)) == 30
    assert asked == [("someone/pictures", "small")]


@needs_datasets
def test_what_cannot_be_loaded_says_why(tmp_path: Path) -> None:
    for dataset, words in (
        (str(tmp_path / "absent"), "no such file or folder"),
        ("./absent", "no such file or folder"),
        ("nobody/nothing-of-the-kind", "cannot be loaded"),
    ):
        with pytest.raises(DataError, match=words) as caught:
            small(dataset)
        assert caught.value.where == dataset
        assert caught.value.remedy
    damaged = tmp_path / "damaged.parquet"
    damaged.write_bytes(b"PAR1 and nothing more")
    with pytest.raises(DataError, match="cannot be loaded"):
        small(damaged)


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    original: Callable[..., Any] = importlib.import_module

    def absent(name: str, *arguments: Any) -> Any:
        if name == "datasets":
            raise ImportError(name)
        return original(name, *arguments)

    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(DataError, match="datasets is not installed") as caught:
        small("someone/pictures")
    assert caught.value.remedy == 'pip install "sparring-image[datasets]"'
