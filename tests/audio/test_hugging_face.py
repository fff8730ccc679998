"""Hugging Face datasets of sounds: real ones, saved and read on this machine."""

from __future__ import annotations

import importlib
import importlib.util
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from sparring.errors import DataError
from sparring.interfaces.data import Batch, Data
from sparring.spaces.label import LabelSpace
from sparring_audio.folder import Folder
from sparring_audio.hugging_face import HuggingFace
from tests.audio.files import small_space, tone, write_dataset

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
    return HuggingFace(str(dataset), space=small_space(), **options)


def coded(waveform: Any, rate: int = 8000) -> dict[str, Any]:
    """A sound as datasets hold it, undecoded."""
    file = io.BytesIO()
    soundfile.write(file, waveform, rate, format="WAV")
    return {"bytes": file.getvalue(), "path": None}


def save(folder: Path, sounds: list[Any], **columns: list[Any]) -> Path:
    import datasets

    table = datasets.Dataset.from_dict({"audio": sounds, **columns}).cast_column("audio", datasets.Audio(decode=False))
    table.save_to_disk(str(folder))
    return folder


@needs_datasets
def test_sounds_are_those_of_the_files(tmp_path: Path) -> None:
    write_dataset(tmp_path, 24)
    data = small(tmp_path / "saved", text="said", held_out=0.25)
    assert (len(data), len(data.split("test"))) == (18, 6)
    label = data.conditions["label"]
    assert isinstance(label, LabelSpace)
    assert label.classes == ["even", "odd"]
    numbers = [int(text.split()[1]) for text in data.transcripts]
    assert everything(data).condition["label"].tolist() == [number % 2 for number in numbers]
    whole = small(tmp_path / "saved", held_out=0.0)
    same = Folder(tmp_path / "sounds", small_space(), held_out=0.0)
    assert torch.equal(everything(whole).sample, everything(same).sample)


@needs_datasets
def test_sounds_that_cannot_be_used_are_skipped_and_listed(tmp_path: Path) -> None:
    sounds: list[Any] = [coded(tone(300.0 + 20 * index)) for index in range(8)]
    sounds += [{"bytes": b"no sound", "path": None}, coded(np.zeros(4000)), None, coded(tone(rate=96000), 96000)]
    data = small(save(tmp_path / "saved", sounds), held_out=0.0)
    assert len(data) == 9
    assert not data.conditions
    assert [note.split(":")[0] for note in data.notes[:3]] == [f"skipped row {row} of 'train'" for row in (8, 9, 10)]
    assert "no sound format" in data.notes[0]
    assert "silent" in data.notes[1]
    assert "no sound" in data.notes[2]


@needs_datasets
def test_a_split_of_the_dataset_is_held_out(tmp_path: Path) -> None:
    import datasets

    parts = {
        name: datasets.Dataset.from_dict(
            {"audio": [coded(tone(500.0 + 10 * index)) for index in range(count)], "who": ["ann", "bob"] * (count // 2)}
        ).cast_column("audio", datasets.Audio(decode=False))
        for name, count in (("train", 6), ("test", 4))
    }
    datasets.DatasetDict(parts).save_to_disk(str(tmp_path / "saved"))
    data = small(tmp_path / "saved", label="who")
    assert (len(data), len(data.split("test"))) == (6, 4)
    assert everything(data.split("test")).condition["label"].tolist() == [0, 1, 0, 1]
    with pytest.raises(DataError, match="no split 'dev'"):
        small(tmp_path / "saved", test="dev")
    with pytest.raises(DataError, match="has no column 'speaker'"):
        small(tmp_path / "saved", label="speaker")
    with pytest.raises(DataError, match="holds no sounds"):
        small(tmp_path / "saved", audio="who")
    with pytest.raises(DataError, match="there is no column 'wave'"):
        small(tmp_path / "saved", audio="wave")


@needs_datasets
def test_datasets_that_are_not_there_or_have_no_sounds(tmp_path: Path) -> None:
    import datasets

    with pytest.raises(DataError, match="no such file or folder"):
        small(tmp_path / "absent")
    datasets.Dataset.from_dict({"text": ["a", "b"]}).save_to_disk(str(tmp_path / "texts"))
    with pytest.raises(DataError, match="no column of the dataset holds sounds"):
        small(tmp_path / "texts")
    (tmp_path / "broken.parquet").write_bytes(b"no table")
    with pytest.raises(DataError, match="cannot be loaded"):
        small(tmp_path / "broken.parquet")


def test_the_library_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(DataError) as caught:
        HuggingFace("someone/something")
    assert "sparring-audio[datasets]" in caught.value.remedy
