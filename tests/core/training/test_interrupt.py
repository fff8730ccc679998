"""Ctrl-C on a real process: it stops after the present step, saves, and the run goes on as if nothing had happened."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest

from sparring.api import resume, train
from sparring.training.interrupt import Interrupt
from tests.core.training.running import (
    EVALUATE,
    PARTS,
    Stop,
    assert_same_run,
    environment,
    logged,
    program,
    steps_saved,
    tiny,
    write_recipe,
)

STEPS = 200


@pytest.mark.parametrize(("number", "command"), [(signal.SIGINT, "run"), (signal.SIGTERM, "resume")])
def test_a_signal_stops_a_run_cleanly(number: signal.Signals, command: str, tmp_path: Path) -> None:
    recipe = tiny(
        {"steps": STEPS},
        callbacks=[{"use": "parts/slow"}],
        checkpoint={"every": 1000},
        log={"every": 7},
        evaluate={**EVALUATE, "every": 50},
    )
    train(recipe, out=tmp_path / "unbroken", plugins=[PARTS])
    folder = tmp_path / "run"
    words: list[str | Path] = ["run", write_recipe(tmp_path, recipe), "--out", folder]
    if command == "resume":
        train(recipe, out=folder, plugins=[PARTS], listeners=[Stop(10)])
        words = ["resume", folder]
    before = len(logged(folder)) if folder.exists() else 0
    process = subprocess.Popen(
        program(*words, "--plugin", PARTS, "--json"),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not folder.exists() or len(logged(folder)) < before + 2:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(number)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    assert "interrupted at step" in errors
    assert f"sparring resume {folder}" in errors
    result = json.loads(output)
    assert (result["status"], result["reason"]) == ("stopped", "interrupted")
    assert 0 < result["step"] < STEPS
    assert steps_saved(folder)[-1] == result["step"]
    assert not (folder / "final").exists()
    resume(folder, plugins=[PARTS])
    assert_same_run(folder, tmp_path / "unbroken")


def test_a_second_signal_stops_at_once() -> None:
    interrupt = Interrupt()
    with interrupt.listening():
        signal.raise_signal(signal.SIGINT)
        assert interrupt.asked
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_handlers_are_put_back() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with Interrupt().listening():
        assert signal.getsignal(signal.SIGINT) != before[0]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
