"""Likelihood, a critic and a reward in one recipe: killed in each stage, and trained by two processes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from sparring.api import train
from tests.core.training.running import (
    PARTS,
    ROOT,
    assert_same_run,
    lines,
    tensors,
    train_together,
    write_recipe,
)
from tests.domains.test_kill import SLOW, kill_in_every_stage
from tests.reinforce.small import chain

STEPS = 48


def test_killed_in_each_of_three_stages_and_resumed_equals_unbroken(tmp_path: Path) -> None:
    recipe = chain(tmp_path, steps=STEPS) | SLOW
    train(recipe, out=tmp_path / "unbroken", plugins=[PARTS])
    folder = tmp_path / "killed"
    kill_in_every_stage(write_recipe(tmp_path, recipe), folder, [STEPS] * 3)
    assert_same_run(folder, tmp_path / "unbroken")


def test_two_processes_train_what_one_trains_in_two_parts(tmp_path: Path) -> None:
    """Sampled and relaxed sequences are drawn for the rows of a process, or of a part of the batch: the same ones."""
    recipe = chain(tmp_path, steps=6)
    for stage in recipe["stages"]:
        # Adam divides by what may be near 0, and so magnifies rounding.
        stage["optimizers"] = {role: {"use": "sgd", "lr": 0.05} for role in stage["optimizers"]}
    (tmp_path / "recipes.json").write_text(json.dumps({"together": recipe}), encoding="utf-8")
    first, second = train_together(ROOT / "tests" / "domains" / "two_processes.py", tmp_path, seconds=240)
    assert first == second
    assert first["together"]["step"] == 18

    for stage in recipe["stages"]:
        stage["accumulate"] = 2
    train(recipe, out=tmp_path / "alone")
    for role in ("generator", "discriminator"):
        expected, found = tensors(tmp_path / "alone", role), tensors(tmp_path / "together", role)
        for name, value in expected.items():
            torch.testing.assert_close(found[name], value, rtol=1e-4, atol=1e-5)
    one, two = (_values(tmp_path / name) for name in ("alone", "together"))
    assert one.keys() == two.keys()
    assert any("reward/real" in name for _, name in one), "the last stage rewarded"
    assert two == pytest.approx(one, rel=1e-3, abs=1e-4)


def _values(folder: Path) -> dict[tuple[int, str], Any]:
    logged = [line for line in lines(folder) if line["event"] == "log"]
    return {(line["step"], name): value for line in logged for name, value in line["values"].items()}
