"""Speech and text trained by two processes, against one alone.

What can be promised differs. Rows and latents are drawn for the whole batch: networks that treat each row by itself
train to the same weights as in one process, up to rounding. Batch normalisation sees a process's own rows, and dropout
and relaxed sequences are drawn for them: with these, two processes train another run than one does. Then the promise
is that both hold the same weights at the end, and that the run and its journal are complete.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch

from sparring.api import train
from tests.core.training.running import lines, steps_saved, tensors, train_together
from tests.domains.recipes import SGD, audio, text

ROWS_ALONE = ["audio without batch statistics", "imitation without dropout"]
WHOLE = ["audio as shipped", "text as shipped"]


class Together(NamedTuple):
    """The recipes, the folder of the runs of two processes, and what each process said of them."""

    recipes: dict[str, dict[str, Any]]
    folder: Path
    first: dict[str, Any]
    second: dict[str, Any]


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Together:
    folder = tmp_path_factory.mktemp("together")
    recipes = {
        # Adam divides by what may be near 0, and so magnifies rounding.
        "audio without batch statistics": audio(generator="mlp", optimizer=SGD),
        "audio as shipped": audio(),
        "imitation without dropout": text(folder, dropout=0.0, optimizer=SGD, adversarial=False),
        "text as shipped": text(folder),
    }
    (folder / "recipes.json").write_text(json.dumps(recipes), encoding="utf-8")
    script = Path(__file__).with_name("two_processes.py")
    return Together(recipes, folder, *train_together(script, folder, seconds=240))


@pytest.mark.parametrize("name", ROWS_ALONE)
def test_two_processes_agree_with_one(name: str, together: Together, tmp_path: Path) -> None:
    recipe = together.recipes[name]
    result = train(recipe, out=tmp_path / "alone")
    assert together.first[name]["step"] == result.step == 10
    roles = ["generator"] if len(recipe["stages"][0]["optimizers"]) == 1 else ["generator", "discriminator"]
    for role in roles:
        expected, found = tensors(tmp_path / "alone", role), tensors(together.folder / name, role)
        assert expected.keys() == found.keys()
        for key, value in expected.items():
            torch.testing.assert_close(found[key], value, rtol=1e-4, atol=1e-5)
    one, two = (
        [line for line in lines(run) if line["event"] == "log"] for run in (tmp_path / "alone", together.folder / name)
    )
    assert [line["step"] for line in one] == [line["step"] for line in two] == [3, 6, 9, 10]
    for expected_line, found_line in zip(one, two, strict=True):
        assert found_line["values"] == pytest.approx(expected_line["values"], rel=1e-3, abs=1e-5)


@pytest.mark.parametrize("name", [*ROWS_ALONE, *WHOLE])
def test_both_processes_hold_the_same_weights(name: str, together: Together) -> None:
    first, second = together.first[name], together.second[name]
    assert first["weights"] == second["weights"]
    assert {"generator", "discriminator"} <= first["weights"].keys()
    assert len(set(first["weights"].values())) == len(first["weights"])


@pytest.mark.parametrize("name", WHOLE)
def test_the_run_and_its_journal_are_complete(name: str, together: Together) -> None:
    recipe, folder = together.recipes[name], together.folder / name
    steps = sum(stage["steps"] for stage in recipe["stages"])
    for found in (together.first[name], together.second[name]):
        assert (found["status"], found["step"]) == ("finished", steps)
        assert "average of generator" in found["weights"]
    events = [(line["event"], line["step"]) for line in lines(folder)]
    assert [step for event, step in events if event == "evaluate"] == list(range(0, steps + 1, 10))
    ends = {10 * (index + 1) for index in range(len(recipe["stages"]))}
    assert [step for event, step in events if event == "log"] == sorted({*range(3, steps, 3), *ends})
    assert events[-1] == ("end", steps)
    for line in lines(folder):
        assert all(isinstance(value, float) for value in line.get("values", {}).values()), "no value is missing"
    assert steps_saved(folder)[-1] == steps
    assert {path.name for path in (folder / "final").iterdir()} == {
        *("generator.safetensors", "discriminator.safetensors", "config.json")
    }
    drawn = {path.name for path in (folder / "samples").iterdir() if path.is_dir()}
    assert {f"{step:08d}" for step in range(0, steps + 1, 10)} <= drawn
    assert json.loads((folder / "environment.json").read_text(encoding="utf-8"))["processes"] == 2
