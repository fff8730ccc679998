"""Fashion-MNIST: the very values of its files, few labels, and files that are damaged or missing."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sparring.data.fetch import folder_of
from sparring.errors import DataError
from sparring.interfaces.data import Batch, Data
from sparring.spaces.label import LabelSpace
from sparring_image.fashion import INSIDE_THE_PACKAGE, NAME, FashionMnist
from sparring_image.idx import read_idx
from tests.image.files import write_fashion, write_idx

torch.set_num_threads(1)

IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


def everything(data: Data) -> Batch:
    return data.gather(torch.arange(len(data)), rng=torch.Generator())


def rows_as_bytes(batch: Batch) -> list[bytes]:
    return [row.numpy().tobytes() for row in batch.sample]


@pytest.mark.parametrize("suffix", [".gz", ""])
def test_the_values_are_the_files(tmp_path: Path, suffix: str) -> None:
    training, test = write_fashion(tmp_path, suffix=suffix)
    data = FashionMnist(tmp_path)
    for part, pixels in ((data, training), (data.split("test"), test)):
        batch = everything(part)
        expected = torch.from_numpy(pixels / 127.5 - 1).float().unsqueeze(1)
        assert torch.allclose(batch.sample, expected, atol=1e-6)
        assert batch.condition["label"].tolist() == [index % 10 for index in range(len(pixels))]
    label = data.conditions["label"]
    assert isinstance(label, LabelSpace)
    assert (label.classes[0], label.classes[7], label.classes[9]) == ("T-shirt", "sneaker", "ankle boot")
    assert not everything(FashionMnist(tmp_path, labels=False).split("test")).condition


def test_few_labels_are_chosen_evenly_and_nested(tmp_path: Path) -> None:
    write_fashion(tmp_path, counts=(100, 20))
    whole = FashionMnist(tmp_path)
    chosen = {count: everything(FashionMnist(tmp_path, per_class=count)) for count in (1, 3, 10)}
    for count, batch in chosen.items():
        assert batch.condition["label"].bincount().tolist() == [count] * 10
    few, more, all_of_them = (set(rows_as_bytes(chosen[count])) for count in (1, 3, 10))
    assert few < more < all_of_them == set(rows_as_bytes(everything(whole)))
    # The label still belongs to the picture.
    known = dict(zip(rows_as_bytes(everything(whole)), everything(whole).condition["label"].tolist(), strict=True))
    labelled = zip(rows_as_bytes(chosen[3]), chosen[3].condition["label"].tolist(), strict=True)
    assert all(known[picture] == label for picture, label in labelled)
    # The held-out part does not shrink, and another seed chooses others.
    assert len(FashionMnist(tmp_path, per_class=1).split("test")) == 20
    assert set(rows_as_bytes(everything(FashionMnist(tmp_path, per_class=3, seed=1)))) != more
    for wrong in (0, 11):
        with pytest.raises(DataError, match="smallest class has 10"):
            FashionMnist(tmp_path, per_class=wrong)


def test_it_is_looked_for_where_fetch_and_debian_put_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARRING_DATA", str(tmp_path))
    if not (Path("/") / INSIDE_THE_PACKAGE).is_dir():
        with pytest.raises(DataError) as caught:
            FashionMnist()
        assert "sparring data fetch image/fashion-mnist" in caught.value.remedy
        assert "dataset-fashion-mnist" in caught.value.remedy
    write_fashion(folder_of(NAME) / INSIDE_THE_PACKAGE)
    assert len(FashionMnist()) == 40
    assert len(FashionMnist(folder_of(NAME))) == 40  # the folder that the package was unpacked in


@given(
    shape=st.lists(st.integers(0, 5), min_size=1, max_size=3),
    keep=st.floats(0, 1, exclude_max=True),
    packed=st.booleans(),
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whole_files_are_read_and_cut_ones_refused(tmp_path: Path, shape: list[int], keep: float, packed: bool) -> None:
    values = np.random.default_rng(0).integers(0, 256, shape)
    file = tmp_path / ("values.gz" if packed else "values")
    write_idx(file, values)
    assert read_idx(file, len(shape)).tolist() == values.tolist()
    content = file.read_bytes()
    file.write_bytes(content[: int(keep * len(content))])
    with pytest.raises(DataError) as caught:
        read_idx(file, len(shape))
    assert caught.value.where == str(file)


def test_files_of_another_kind_are_named(tmp_path: Path) -> None:
    write_fashion(tmp_path)
    content = gzip.decompress((tmp_path / f"{IMAGES}.gz").read_bytes())
    wrong = {
        "starts with 00 00 0d 03": b"\0\0\x0d\3" + content[4:],  # floats
        "starts with 00 00 08 01 instead of 00 00 08 03": gzip.decompress((tmp_path / f"{LABELS}.gz").read_bytes()),
        "its header promises 40×28×28": content + b"\0",
        "cut short": content[:10],
        "starts with 3c 68 74 6d": b"<html>not found</html>",
    }
    for reason, damaged in wrong.items():
        (tmp_path / f"{IMAGES}.gz").write_bytes(gzip.compress(damaged))
        with pytest.raises(DataError, match="cannot be read") as caught:
            FashionMnist(tmp_path)
        assert reason in caught.value.what
        assert caught.value.where.endswith(f"{IMAGES}.gz")


def test_another_data_set_in_these_files_is_named(tmp_path: Path) -> None:
    write_fashion(tmp_path)
    write_idx(tmp_path / f"{LABELS}.gz", np.zeros(39))
    with pytest.raises(DataError, match="40 pictures and 39 labels"):
        FashionMnist(tmp_path)
    write_idx(tmp_path / f"{LABELS}.gz", np.full(40, 46))  # as EMNIST has them
    with pytest.raises(DataError, match="a label is 46"):
        FashionMnist(tmp_path)
    write_idx(tmp_path / f"{IMAGES}.gz", np.zeros((40, 32, 32)))
    with pytest.raises(DataError, match="32x32 pixels instead of 28x28"):
        FashionMnist(tmp_path)
    (tmp_path / f"{IMAGES}.gz").unlink()
    with pytest.raises(DataError, match=f"neither {IMAGES}.gz nor {IMAGES}"):
        FashionMnist(tmp_path)


def test_the_real_fashion_mnist() -> None:
    given_folder = os.environ.get("SPARRING_TEST_FASHION")
    try:
        data = FashionMnist(Path(given_folder) if given_folder else None)
    except DataError:
        pytest.skip(f"Fashion-MNIST is not on this machine: run `sparring data fetch {NAME}`")
    assert (len(data), len(data.split("test"))) == (60_000, 10_000)
    batch = everything(data)
    assert batch.condition["label"].bincount().tolist() == [6000] * 10
    assert everything(data.split("test")).condition["label"].bincount().tolist() == [1000] * 10
    # The mean and spread of the training images, which examples normalise by.
    scaled = (batch.sample + 1) / 2
    assert scaled.mean().item() == pytest.approx(0.2860, abs=1e-4)
    assert scaled.std().item() == pytest.approx(0.3530, abs=1e-4)
    # The first training image is an ankle boot, as everywhere.
    assert data.conditions["label"].decode(batch.condition["label"][0]) == "ankle boot"
