"""Hugging Face datasets of text: real ones, saved and read on this machine."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

from sparring.errors import DataError
from sparring_text.data.hugging_face import HuggingFace
from tests.text.corpora import SENTENCES, everything, texts, write_dataset


@pytest.fixture(autouse=True)
def apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the library's cache out of the home folder, and the library off the network."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    datasets.disable_progress_bars()


def small(dataset: Path | str, **options: Any) -> HuggingFace:
    return HuggingFace(str(dataset), **{"length": 12, "minimum_count": 1, **options})


def saved(path: Path, splits: dict[str, dict[str, list[Any]]]) -> Path:
    import datasets

    parts = {name: datasets.Dataset.from_dict(columns) for name, columns in splits.items()}
    datasets.DatasetDict(parts).save_to_disk(path)
    return path


def test_a_saved_dataset_with_classes(tmp_path: Path) -> None:
    data = small(write_dataset(tmp_path), label="mark", held_out=0.2)
    assert sorted(texts(data) + texts(data.split("test"))) == sorted(SENTENCES)
    assert data.conditions["label"].options() == {"classes": ["called", "said"]}
    label = everything(data).condition["label"].tolist()
    assert [number == 0 for number in label] == [text.endswith("!") for text in texts(data)]
    assert not small(tmp_path / "saved").conditions


def test_splits_of_the_dataset_are_used_and_share_no_sentence(tmp_path: Path) -> None:
    training = [text for index, text in enumerate(SENTENCES) if index % 3]
    splits = {"train": {"text": training}, "validation": {"text": [*SENTENCES[::3], *training[:5], None, ""]}}
    data = small(saved(tmp_path / "saved", splits))
    assert texts(data) == training
    assert texts(data.split("test")) == SENTENCES[::3]
    with pytest.raises(DataError, match="no split 'dev'") as caught:
        small(tmp_path / "saved", test="dev")
    assert "train, validation" in caught.value.remedy


def test_parquet_files_and_numbers_as_classes(tmp_path: Path) -> None:
    import datasets

    columns = {"sentence": SENTENCES, "stars": [len(text) % 3 for text in SENTENCES]}
    datasets.Dataset.from_dict(columns).to_parquet(tmp_path / "file.parquet")
    data = small(tmp_path / "file.parquet", label="stars")
    assert data.conditions["label"].options() == {"classes": ["0", "1", "2"]}


def test_mistakes_say_what_where_and_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    columns = {"one": SENTENCES, "two": SENTENCES, "number": [1.5] * 250, "class": [None, *(["a"] * 249)]}
    path = saved(tmp_path / "saved", {"train": columns})
    only = saved(tmp_path / "only", {"train": {"number": [1, 2]}})
    (tmp_path / "empty").mkdir()
    for place, options, words in (
        (path, {}, "several columns hold text: one, two"),
        (path, {"column": "three"}, "no column 'three'"),
        (path, {"column": "number"}, "'number' holds no text"),
        (path, {"column": "one", "label": "four"}, "has no column 'four'"),
        (path, {"column": "one", "label": "class"}, "row 0 .* no class"),
        (path, {"column": "one", "label": "number"}, "row 0 .* no class"),
        (only, {}, "no column of the dataset holds text"),
        (tmp_path / "absent", {}, "no such file or folder"),
        (tmp_path / "empty", {}, "cannot be loaded"),
    ):
        with pytest.raises(DataError, match=words) as caught:
            small(place, **options)
        assert caught.value.where == str(place)
        assert caught.value.remedy
    monkeypatch.setattr(importlib, "import_module", lambda name: (_ for _ in ()).throw(ImportError(name)))
    with pytest.raises(DataError, match="not installed") as caught:
        small(path)
    assert caught.value.remedy == 'pip install "sparring-text[datasets]"'
