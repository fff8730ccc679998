"""Runs of speech and of text killed by the system, in every stage, and resumed: they end as one that never was."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from sparring.api import resume, train
from tests.core.training.running import (
    PARTS,
    assert_same_run,
    environment,
    lines,
    program,
    steps_saved,
    write_recipe,
)
from tests.domains.recipes import audio, text

STEPS = 48
SLOW: dict[str, Any] = {"callbacks": [{"use": "parts/slow", "seconds": 0.02}]}


def saved(folder: Path) -> int:
    """Return the last checkpoint's step, or -1."""
    try:
        return max(steps_saved(folder), default=-1)
    except OSError:  # not there yet, or renamed while it was read
        return -1


def kill(words: list[str | Path], folder: Path, *, after: int, moment: float) -> None:
    """Start the program, and kill it some time after it has saved a checkpoint that is later than a step."""
    process = subprocess.Popen(
        program(*words, "--plugin", PARTS), env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 120
        while saved(folder) <= after:
            assert process.poll() is None, "the run ended early"
            assert time.monotonic() < deadline, "the run did not get on"
            time.sleep(0.01)
        time.sleep(moment)
    finally:
        process.send_signal(signal.SIGKILL)
    assert process.wait(30) == -signal.SIGKILL, "the run ended before it could be killed"


def kill_in_every_stage(recipe: Path, folder: Path, stages: Sequence[int]) -> None:
    """Run a recipe, kill it in each of its stages, whose steps are given, and go on until it is finished."""
    moments, begun = random.Random(0), 0
    for steps in stages:
        words: list[str | Path] = ["resume", folder] if begun else ["run", recipe, "--out", folder]
        kill(words, folder, after=begun + 3, moment=moments.uniform(0.0, 0.3))
        assert begun < saved(folder) < begun + steps, "it was killed in this stage"
        assert not (folder / "final").exists()
        begun += steps
    assert resume(folder, plugins=[PARTS]).status == "finished"


@pytest.mark.parametrize("domain", ["audio", "text"])
def test_killed_in_every_stage_and_resumed_equals_unbroken(domain: str, tmp_path: Path) -> None:
    recipe = (audio(steps=STEPS) if domain == "audio" else text(tmp_path, steps=STEPS)) | SLOW
    recipe["checkpoint"]["every"] = 7  # each waits for the disk; they fall between logging and evaluating
    train(recipe, out=tmp_path / "unbroken", plugins=[PARTS])
    folder = tmp_path / "killed"
    kill_in_every_stage(write_recipe(tmp_path, recipe), folder, [STEPS] * len(recipe["stages"]))
    assert_same_run(folder, tmp_path / "unbroken")
    assert not [path for path in folder.rglob("*") if ".unfinished" in path.name], "no rubbish is left"
    assert len([line for line in lines(folder) if line["event"] == "log"]) == STEPS // 3 * len(recipe["stages"])
