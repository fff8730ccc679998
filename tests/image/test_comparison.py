"""Previews of generators that pictures drive: given, generated and true, side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import sparring
from sparring.data.memory import MemoryData
from sparring.errors import DataError
from sparring.interfaces.data import Data
from sparring_image.masked import Masked
from sparring_image.spaces import GAP, HEADING, SEPARATOR, ImageSpace

torch.set_num_threads(1)

SIDE, CELL = 16, 64


def cell(sheet: Image.Image, row: int, column: int) -> np.ndarray:
    """Return one picture of a sheet with one group."""
    step = CELL + SEPARATOR
    left, top = SEPARATOR + column * step, HEADING + row * step
    pixels: np.ndarray = np.asarray(sheet.convert("L"))[top : top + CELL, left : left + CELL]
    return pixels


def recipe(**changes: Any) -> dict[str, Any]:
    return {
        "schema": 1,
        "name": "tests/holes",
        "seed": 0,
        "device": "cpu",
        "threads": 1,
        "data": {"use": "given"},
        "networks": {
            "generator": {"use": "image/inpainter", "width": 2},
            "discriminator": {"use": "image/patch", "width": 2},
        },
        "stages": [
            {
                "name": "contend",
                "objective": {"use": "adversarial", "loss": "least-squares"},
                "terms": [{"use": "reconstruction", "mask": "mask"}],
                "steps": 1,
                "batch": 4,
                "optimizers": {"generator": {"use": "adam"}, "discriminator": {"use": "adam"}},
            }
        ],
        "evaluate": {"every": 1, "count": 8, "metrics": [{"use": "image/pair-error"}]},
        "checkpoint": {"every": 1, "keep": 1},
        "samples": {"every": 1, "count": 3},
        **changes,
    }


def holes() -> Data:
    """Return pictures whose brightness is their number: those of the split are brighter than all others."""
    value = torch.arange(40.0)[:, None, None, None] / 40
    pictures = value.expand(-1, 1, SIDE, SIDE).contiguous()
    return Masked(MemoryData(ImageSpace(1, SIDE, SIDE), pictures, held_out={"test": torch.arange(30, 40)}), "half")


def test_columns_stand_side_by_side_under_their_names() -> None:
    space = ImageSpace(3, SIDE, SIDE)
    grey, white = torch.zeros(4, 1, SIDE, SIDE), torch.ones(4, 3, SIDE, SIDE)
    sheet = space.compare({"image": grey, "generated": -white, "true": white})
    width, height = sheet.size
    group = 3 * (CELL + SEPARATOR)
    assert (width - SEPARATOR + GAP) % (group + GAP) == 0
    assert height == HEADING + SEPARATOR + 4 * (CELL + SEPARATOR) // ((width + GAP) // (group + GAP))
    for row in range(2):
        assert [int(cell(sheet, row, column).mean()) for column in range(3)] == [128, 0, 255]
    names = np.asarray(sheet.convert("L"))[:HEADING]
    for column in range(3):
        assert names[:, SEPARATOR + column * (CELL + SEPARATOR) :][:, :CELL].min() < 60  # something is written there
    with pytest.raises(DataError, match="no samples"):
        space.compare({"image": grey[:0]})


@pytest.mark.parametrize("rows", [1, 2, 5, 24, 64])
def test_every_row_has_its_place(rows: int) -> None:
    space = ImageSpace(1, 64, 48)
    values = torch.arange(rows) / 64
    sheet = space.compare({"a": values[:, None, None, None].expand(-1, 1, 64, 48), "b": torch.ones(rows, 1, 64, 48)})
    found = set(np.asarray(sheet.convert("L")).flatten().tolist())
    assert {int(level) for level in ((values + 1) * 127.5).round()} <= found
    assert 0.4 < sheet.width / sheet.height < 3.2


def test_a_run_s_previews_show_held_out_rows_between_what_was_given_and_what_is_true(tmp_path: Path) -> None:
    sparring.train(recipe(), data=holes(), out=tmp_path / "run")
    for step in (0, 1):
        with Image.open(tmp_path / "run" / "samples" / f"{step:08d}" / "preview.png") as sheet:
            for row in range(3):
                given, made, true = (cell(sheet, row, column) for column in range(3))
                assert true.std() == 0
                assert true.mean() > 127.5 * (1 + 29 / 40)  # held out
                hole = given == 128
                assert hole.mean() == 0.5
                assert (given[~hole] == true[~hole]).all()
                assert (made[~hole] == true[~hole]).all()
                assert (made[hole] != true[hole]).any()
    with Image.open(tmp_path / "run" / "samples" / "real.png") as real:
        assert real.height < HEADING + CELL + 3 * SEPARATOR + CELL  # a grid of real pictures, as ever


def test_without_an_evaluation_samples_stand_alone(tmp_path: Path) -> None:
    """Nothing says that training's rows belong together."""
    values = recipe()
    del values["evaluate"]
    sparring.train(values, data=holes(), out=tmp_path / "run")
    with Image.open(tmp_path / "run" / "samples" / "00000001" / "preview.png") as shown:
        assert shown.height % (CELL + SEPARATOR) == SEPARATOR
