"""Two processes that train together, against one alone: the same data, gradients and weights; and none ever waits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch

from sparring.api import resume
from sparring.training import checkpoint
from tests.core.training.running import HERE, PARTS, lines, steps_saved, tensors, train_together
from tests.core.training.two_processes import CASES, STEPS, outcome

Outcome = dict[str, Any]


class Together(NamedTuple):
    """The folder of the cases that two processes ran, and what each said of them."""

    folder: Path
    first: dict[str, Outcome]
    second: dict[str, Outcome]


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Together:
    folder = tmp_path_factory.mktemp("together")
    return Together(folder, *train_together(HERE / "two_processes.py", folder, seconds=180))


def alone(name: str, folder: Path) -> Outcome:
    recipe = json.loads(json.dumps(CASES[name]).replace("FOLDER", str(folder)))
    return outcome(recipe, folder / "alone")


@pytest.mark.parametrize("name", ["sgd", "accumulated", "translated"])
def test_the_first_gradients_agree(name: str, together: Together, tmp_path: Path) -> None:
    expected = alone(name, tmp_path)["gradients"]
    assert len(expected) >= 10
    for found in (together.first, together.second):
        gradients = found[name]["gradients"]
        assert gradients.keys() == expected.keys()
        for place, values in expected.items():
            now, before = torch.tensor(gradients[place]), torch.tensor(values)
            assert float((now - before).norm()) <= 1e-5 * float(before.norm()) + 1e-9, place


@pytest.mark.parametrize(("name", "steps"), [("sgd", STEPS), ("accumulated", 10), ("translated", 10)])
def test_the_weights_agree(name: str, steps: int, together: Together, tmp_path: Path) -> None:
    assert alone(name, tmp_path)["step"] == together.first[name]["step"] == steps
    for role in ("generator", "discriminator"):
        expected, found = tensors(tmp_path / "alone", role), tensors(together.folder / name, role)
        assert expected.keys() == found.keys()
        for key, value in expected.items():
            torch.testing.assert_close(found[key], value, rtol=1e-4, atol=1e-5)


def test_every_process_has_the_history_of_the_whole_batch(together: Together, tmp_path: Path) -> None:
    alone("translated", tmp_path)
    found, expected = (
        checkpoint.read_state(checkpoint.listed(folder)[-1])["objective"]
        for folder in (together.folder / "translated", tmp_path / "alone")
    )
    for direction in ("forward", "backward"):
        assert expected[direction]["kept"].shape == (20, 2)
        torch.testing.assert_close(found[direction]["kept"], expected[direction]["kept"], rtol=1e-4, atol=1e-5)


def test_the_losses_that_are_logged_agree(together: Together, tmp_path: Path) -> None:
    alone("sgd", tmp_path)
    one, two = (
        [line for line in lines(run) if line["event"] == "log"] for run in (tmp_path / "alone", together.folder / "sgd")
    )
    assert len(one) == len(two) > 10
    for expected, found in zip(one, two, strict=True):
        assert found["values"] == pytest.approx(expected["values"], rel=1e-3, abs=1e-5)


def test_the_rows_that_are_drawn_are_the_same(together: Together, tmp_path: Path) -> None:
    alone("rows", tmp_path)

    def rows(file: Path) -> list[list[int]]:
        return [json.loads(line) for line in file.read_text().splitlines()]

    whole = rows(tmp_path / "rows-1-0.jsonl")
    first, second = (rows(together.folder / f"rows-2-{rank}.jsonl") for rank in (0, 1))
    assert len(whole) == len(first) == len(second) == 20
    assert all(len(part) == 4 for part in first + second)
    assert [one + other for one, other in zip(first, second, strict=True)] == whole


def test_a_process_that_lacks_a_gradient_does_not_make_the_other_wait(together: Together) -> None:
    for found in (together.first, together.second):
        assert found["lopsided"]["status"] == "finished"
        gradients = found["lopsided"]["gradients"]
        assert any(gradients["discriminator: discriminator.extra.weight"]), "it counts as zero where it lacks"
        assert "discriminator: discriminator.never.weight" not in gradients, "it stays absent where all lack it"
    assert together.first["lopsided"]["gradients"] == together.second["lopsided"]["gradients"]


def test_logging_evaluating_drawing_and_saving_may_fall_on_different_steps(together: Together) -> None:
    assert together.first["out of step"]["status"] == together.second["out of step"]["status"] == "finished"
    events = [(line["event"], line["step"]) for line in lines(together.folder / "out of step")]
    assert [step for event, step in events if event == "evaluate"] == [0, 2, 4, 6, 8, 10]
    assert [step for event, step in events if event == "log"] == [5, 10]


def test_what_is_no_number_in_one_process_stops_both(together: Together) -> None:
    for found in (together.first, together.second):
        failed = found["spoiled on the second"]
        assert failed["kind"] == "TrainingError"
        assert "term 'spoiled'" in failed["error"]
        assert "update 'discriminator'" in failed["error"]
        assert "step 4" in failed["error"]
    assert steps_saved(together.folder / "spoiled on the second") == [0, 4]


def test_a_checkpoint_is_written_once(together: Together) -> None:
    folder = together.folder / "sgd"
    assert steps_saved(folder) == [44, 48, 50]
    assert not [path for path in folder.rglob("*") if ".unfinished" in path.name]
    assert [line["step"] for line in lines(folder) if line["event"] == "log"] == [*range(3, STEPS, 3), STEPS]
    assert json.loads((folder / "environment.json").read_text())["processes"] == 2


def test_every_process_learns_how_the_run_ended(together: Together) -> None:
    for found in (together.first, together.second):
        assert (found["asked to end"]["status"], found["asked to end"]["step"]) == ("finished", 6)
        # One process heard of Ctrl-C; both stop, at the next logging step.
        assert (found["stopped"]["status"], found["stopped"]["step"]) == ("stopped", 6)
        assert found["extended"] == {"status": "finished", "step": 13}


def test_a_batch_that_the_processes_cannot_share_is_refused(together: Together) -> None:
    for found in (together.first, together.second):
        failed = found["uneven batch"]
        assert failed["kind"] in ("SparringError", "RecipeError")
        assert "a batch of 9 rows cannot be cut into 2 processes" in failed["error"]
        assert "stages.0.batch" in failed["error"]
        assert "multiple of 2" in failed["error"]


def test_a_run_of_two_processes_goes_on_in_one(together: Together, tmp_path: Path) -> None:
    branch = tmp_path / "branch"
    result = resume(together.folder / "sgd", step=44, out=branch, plugins=[PARTS])
    assert result.step == STEPS
    for key, value in tensors(together.folder / "sgd", "generator").items():
        torch.testing.assert_close(tensors(branch, "generator")[key], value, rtol=1e-4, atol=1e-5)
