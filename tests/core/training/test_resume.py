"""A run that is stopped, killed, extended or branched ends as one that never was."""

from __future__ import annotations

import itertools
import json
import random
import signal
import subprocess
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from sparring.api import resume, train
from sparring.errors import CheckpointError, RecipeError, SparringError
from sparring.training import checkpoint
from tests.core.training.running import (
    EVALUATE,
    PARTS,
    SAMPLES,
    Crash,
    CrashAt,
    CrashBetweenStages,
    Stop,
    Watch,
    assert_same_run,
    call,
    contents,
    environment,
    last_state,
    lines,
    program,
    steps_saved,
    tensors,
    tiny,
    weights,
    write_recipe,
)

ADAM = {"use": "adam", "lr": 0.01, "betas": [0.0, 0.9]}
DROPOUT = {"generator": {"use": "parts/dropout"}, "discriminator": {"use": "parts/dropout"}}
SGD = {"use": "sgd", "lr": 0.05, "momentum": 0.9, "nesterov": True}
LAZY = [{"use": "r1", "gamma": 0.5, "every": 4}]
SCHEDULES = {
    "optimizers.generator.lr": {"use": "cosine", "start": 0.02, "end": 0.001, "warmup": 2},
    "optimizers.discriminator.lr": {"use": "exponential", "start": 0.02, "end": 0.001},
    "terms.r1.weight": {"use": "linear", "start": 1.0, "end": 0.1},
}


def two_stages() -> list[dict[str, Any]]:
    """The first keeps an average, and the second says nothing of it."""
    first = tiny({"name": "first", "steps": 6, "ema": {"generator": 0.9}})["stages"][0]
    second = tiny({"name": "second", "steps": 6, "batch": 4, "terms": LAZY})["stages"][0]
    return [first, second]


CASES: dict[str, dict[str, Any]] = {
    "plain": tiny(evaluate=EVALUATE, samples=SAMPLES),
    "dropout and batch statistics": tiny(networks=DROPOUT, samples=SAMPLES),
    "average with a ramp": tiny({"ema": {"generator": {"half_life": 60, "ramp": 0.2}}}, samples=SAMPLES),
    "lazy r1": tiny({"terms": LAZY, "optimizers": {"generator": ADAM, "discriminator": ADAM}}),
    "schedules": tiny({"terms": LAZY, "schedules": SCHEDULES}),
    "sgd with momentum": tiny({"optimizers": {"generator": SGD, "discriminator": SGD}}),
    "accumulated": tiny({"accumulate": 2, "terms": LAZY}, networks=DROPOUT),
    "bf16": tiny(precision="bf16"),
    "two stages": tiny(stages=two_stages(), evaluate=EVALUATE, samples=SAMPLES),
    "stream": tiny({"accumulate": 2}, data={"use": "parts/stream"}, samples=SAMPLES),
    "read ahead": tiny(data={"use": "parts/read-ahead"}, samples=SAMPLES),
    "several critic steps": tiny(
        {"objective": {"use": "adversarial", "loss": "hinge", "discriminator_steps": 2, "reuse_fake": True}}
    ),
    "clipped": tiny(
        {
            "constraints": {"discriminator": [{"use": "weight-clip", "limit": 0.1}]},
            "optimizers": {"generator": {**ADAM, "clip": 0.1}, "discriminator": {**ADAM, "clip": 0.1}},
        }
    ),
    "a term with state": tiny({"terms": [{"use": "parts/counting"}]}),
    # Weights that a term or a metric draws for itself, and no checkpoint holds, are drawn again.
    "a term with weights of its own": tiny(
        {"terms": [{"use": "parts/random-features"}]}, evaluate={**EVALUATE, "metrics": [{"use": "parts/random-score"}]}
    ),
}
assert CASES


@pytest.mark.parametrize("case", CASES)
def test_stopped_and_resumed_equals_unbroken(case: str, tmp_path: Path) -> None:
    recipe = CASES[case]
    train(recipe, out=tmp_path / "unbroken", plugins=[PARTS])
    steps = sum(stage["steps"] for stage in recipe["stages"])
    # In the midst of a logging interval; at the last step; and twice, once at a stage's end where there are two.
    for number, places in enumerate([(2,), (steps,), (5, 7), (6,)]):
        folder = tmp_path / f"broken{number}"
        stopped = train(recipe, out=folder, plugins=[PARTS], listeners=[Stop(places[0])])
        assert (stopped.status, stopped.reason, stopped.step) == ("stopped", "interrupted", places[0])
        assert not (folder / "final").exists()
        for place in places[1:]:
            stopped = resume(folder, plugins=[PARTS], listeners=[Stop(place)])
            assert (stopped.status, stopped.step) == ("stopped", place)
        result = resume(folder, plugins=[PARTS])
        assert (result.status, result.step) == ("finished", steps)
        assert_same_run(folder, tmp_path / "unbroken")


@pytest.mark.parametrize("case", ["two stages", "stream", "read ahead"])
def test_crashed_and_resumed_equals_unbroken(case: str, tmp_path: Path) -> None:
    recipe = CASES[case]
    train(recipe, out=tmp_path / "unbroken", plugins=[PARTS])
    for step in (1, 7):
        folder = tmp_path / f"crashed{step}"
        with pytest.raises(Crash):
            train(recipe, out=folder, plugins=[PARTS], listeners=[CrashAt(step)])
        assert steps_saved(folder)[0] == 0, "there is a checkpoint before the first step"
        resume(folder, plugins=[PARTS])
        assert_same_run(folder, tmp_path / "unbroken")


@pytest.mark.parametrize("leaving", [True, False])
def test_crashed_between_stages_and_resumed_equals_unbroken(leaving: bool, tmp_path: Path) -> None:
    recipe = CASES["two stages"]
    train(recipe, out=tmp_path / "unbroken", plugins=[PARTS])
    with pytest.raises(Crash):
        train(recipe, out=tmp_path / "crashed", plugins=[PARTS], listeners=[CrashBetweenStages(leaving=leaving)])
    assert steps_saved(tmp_path / "crashed")[-1] == 6
    resume(tmp_path / "crashed", plugins=[PARTS])
    assert_same_run(tmp_path / "crashed", tmp_path / "unbroken")


def test_killed_before_the_first_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "run"

    def fail(*arguments: Any, **options: Any) -> Path:
        raise Crash

    monkeypatch.setattr(checkpoint, "save", fail)
    with pytest.raises(Crash):
        train(tiny(samples=SAMPLES), out=folder)
    monkeypatch.undo()
    with pytest.raises(CheckpointError, match="no checkpoint"):
        resume(folder, out=tmp_path / "branch")
    assert resume(folder, overrides=["stages.0.steps=+2"], listeners=[Stop(5)]).step == 5
    assert resume(folder).step == 12, "the longer run is remembered"
    train(tiny({"steps": 12}, samples=SAMPLES), out=tmp_path / "unbroken")
    assert_same_run(folder, tmp_path / "unbroken")


def test_the_correction_for_lazy_updates_survives(tmp_path: Path) -> None:
    train(CASES["lazy r1"], out=tmp_path / "run", listeners=[Stop(5)])
    seen: list[dict[str, Any]] = []

    def keep(run: Any, update: Any, terms: Any) -> None:
        seen.append(dict(run.stage.optimizers["discriminator"].param_groups[0]))

    resume(tmp_path / "run", listeners=[Watch(keep)])
    assert seen
    for group in seen:
        assert group["lr"] == pytest.approx(0.01 * 4 / 5)
        assert group["betas"] == pytest.approx((0.0, 0.9 ** (4 / 5)))


def test_a_finished_run_resumes_to_itself(tmp_path: Path) -> None:
    first = train(CASES["plain"], out=tmp_path / "run")
    before = lines(tmp_path / "run"), weights(tmp_path / "run")
    again = resume(tmp_path / "run")
    assert (lines(tmp_path / "run"), weights(tmp_path / "run")) == before
    assert (again.step, again.status, again.metrics) == (first.step, first.status, first.metrics)


def test_the_last_evaluation_is_known_after_a_resume(tmp_path: Path) -> None:
    recipe = tiny(evaluate=EVALUATE, callbacks=[{"use": "parts/stop", "at": 9}])
    whole = train(recipe, out=tmp_path / "whole", plugins=[PARTS])
    train(recipe, out=tmp_path / "broken", plugins=[PARTS], listeners=[Stop(7)])
    result = resume(tmp_path / "broken", plugins=[PARTS])
    assert whole.metrics
    assert (result.status, result.reason, result.metrics) == ("finished", "enough", whole.metrics)


# ---- real kills ----


def test_killed_at_random_and_resumed_equals_unbroken(tmp_path: Path) -> None:
    recipe = tiny(
        {"steps": 120, "terms": LAZY, "ema": {"generator": 0.9}},
        networks=DROPOUT,
        checkpoint={"every": 3, "keep": 2},
        evaluate={**EVALUATE, "every": 7},
        samples={**SAMPLES, "every": 10},
        callbacks=[{"use": "parts/slow"}],
    )
    train(recipe, out=tmp_path / "unbroken", plugins=[PARTS])
    file, folder = write_recipe(tmp_path, recipe), tmp_path / "killed"
    moments = random.Random(0)
    for attempt in range(3):
        words = ["run", file, "--out", folder] if attempt == 0 else ["resume", folder]
        before = steps_saved(folder)[-1] if attempt else -1
        saved_anew = partial(_has_saved_after, folder, before)
        process = subprocess.Popen(
            program(*words, "--plugin", PARTS), env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        # Wait until it has trained and saved something new, then strike at any moment of the next half second.
        _wait_for(saved_anew, process)
        time.sleep(moments.uniform(0.0, 0.5))
        process.send_signal(signal.SIGKILL)
        assert process.wait(30) == -signal.SIGKILL, "the run ended before it could be killed"
    assert steps_saved(folder)[-1] < 120
    resume(folder, plugins=[PARTS])
    assert_same_run(folder, tmp_path / "unbroken")
    assert not [path for path in folder.rglob("*") if ".unfinished" in path.name], "no rubbish is left"


def _has_saved_after(folder: Path, step: int) -> bool:
    try:
        return any(saved > step for saved in steps_saved(folder))
    except OSError:  # not there yet
        return False


def _wait_for(condition: Any, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert process.poll() is None, "the run ended early"
        assert time.monotonic() < deadline, "the run did not get on"
        time.sleep(0.01)


@pytest.mark.parametrize("renames", [0, 1, 2])
def test_killed_while_final_weights_are_put_in_place(
    renames: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    train(tiny(), out=folder)
    before = weights(folder)
    done = itertools.count()
    rename = Path.rename

    def fail(self: Path, target: Path) -> Path:
        if next(done) == renames:
            raise Crash
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(Crash):
        resume(folder, overrides=["stages.0.steps=+2"])
    monkeypatch.undo()
    resume(folder)
    assert weights(folder) != before
    train(tiny({"steps": 12}), out=tmp_path / "long")
    assert weights(folder) == weights(tmp_path / "long")


# ---- extending ----


def test_an_extended_run_equals_a_longer_one(tmp_path: Path) -> None:
    short, long = tiny({"terms": LAZY}), tiny({"terms": LAZY, "steps": 17})
    train(short, out=tmp_path / "run")
    train(long, out=tmp_path / "long")
    result = resume(tmp_path / "run", overrides=["stages.0.steps=+7"])
    assert result.step == 17
    assert weights(tmp_path / "run") == weights(tmp_path / "long")
    # The extended run logged once more, where it would have ended.
    extended = [line["step"] for line in lines(tmp_path / "run") if line["event"] == "log"]
    assert sorted({*extended} - {10}) == [line["step"] for line in lines(tmp_path / "long") if line["event"] == "log"]
    # What was asked for is remembered: no second extension happens by itself.
    assert resume(tmp_path / "run").step == 17


def test_a_run_cannot_be_shortened(tmp_path: Path) -> None:
    train(tiny(), out=tmp_path / "run")
    before = contents(tmp_path / "run")
    with pytest.raises(RecipeError, match=r"stages.0.steps.*10 steps are done already") as caught:
        resume(tmp_path / "run", overrides=["stages.0.steps=5"])
    assert "--from" in str(caught.value)
    assert contents(tmp_path / "run") == before


def test_a_stage_that_is_over_cannot_be_extended(tmp_path: Path) -> None:
    recipe = tiny(stages=two_stages())
    train(recipe, out=tmp_path / "run")
    before = contents(tmp_path / "run")
    with pytest.raises(RecipeError, match=r"stages\.0\.steps") as caught:
        resume(tmp_path / "run", overrides=["stages.0.steps=+4"])
    assert "--from" in str(caught.value)
    assert contents(tmp_path / "run") == before
    assert resume(tmp_path / "run", overrides=["stages.1.steps=+4"]).step == 16


REFUSED = {
    "seed=4": "seed",
    "stages.0.batch=16": "stages.0.batch",
    "stages.0.optimizers.generator.lr=0.5": "stages.0.optimizers.generator.lr",
    "networks.generator.width=24": "networks.generator.width",
    "data.modes=8": "data.modes",
    "data.count=64": "data.count",
    "precision=bf16": "precision",
}
assert REFUSED


@pytest.mark.parametrize("change", REFUSED)
def test_what_may_not_change_is_refused(change: str, stopped: Path) -> None:
    before = contents(stopped)
    with pytest.raises(RecipeError) as caught:
        resume(stopped, overrides=[change])
    message = str(caught.value)
    assert REFUSED[change] in message
    assert "--from STEP --out NEW" in message
    assert contents(stopped) == before


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was stopped at step 6; no test changes it."""
    folder = tmp_path_factory.mktemp("stopped") / "run"
    train(tiny({"terms": LAZY}, samples=SAMPLES), out=folder, listeners=[Stop(6)])
    return folder


# ---- branching ----


def test_a_branch_equals_the_original_and_leaves_it_alone(stopped: Path, tmp_path: Path) -> None:
    before = contents(stopped)
    assert steps_saved(stopped) == [0, 4, 6]
    resume(stopped, step=4, out=tmp_path / "branch")
    assert contents(stopped) == before
    train(tiny({"terms": LAZY}, samples=SAMPLES), out=tmp_path / "unbroken")
    assert_same_run(tmp_path / "branch", tmp_path / "unbroken")
    # The branch stands on its own.
    assert resume(tmp_path / "branch").step == 10


def test_a_branch_may_change_what_a_resumed_run_may_not(stopped: Path, tmp_path: Path) -> None:
    changed = ["stages.0.optimizers.discriminator.lr=0.002", "stages.0.optimizers.discriminator.betas=[0.3, 0.8]"]
    resume(stopped, out=tmp_path / "branch", overrides=[*changed, "stages.0.batch=16"])
    # 4/5 is the correction for the lazy penalty.
    group = last_state(tmp_path / "branch")["optimizers"]["discriminator"]["param_groups"][0]
    assert group["lr"] == pytest.approx(0.002 * 4 / 5)
    assert group["betas"] == pytest.approx((0.3 ** (4 / 5), 0.8 ** (4 / 5)))


def test_a_branch_needs_a_step_that_is_there_and_a_folder_that_is_not(stopped: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no checkpoint of step 5") as caught:
        resume(stopped, step=5, out=tmp_path / "branch")
    assert "0, 4, 6" in caught.value.remedy
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "file").touch()
    with pytest.raises(CheckpointError, match="exists"):
        resume(stopped, step=4, out=tmp_path / "there")
    before = contents(stopped)
    with pytest.raises(SparringError) as refused:
        resume(stopped, step=4)
    assert "out" in refused.value.remedy
    assert contents(stopped) == before


# ---- what is kept ----


def test_old_checkpoints_are_pruned(tmp_path: Path) -> None:
    train(tiny(checkpoint={"every": 2, "keep": 2}), out=tmp_path / "run")
    assert steps_saved(tmp_path / "run") == [8, 10]


def best_recipe() -> dict[str, Any]:
    return tiny(
        {"steps": 12, "ema": {"generator": 0.5}},
        evaluate={**EVALUATE, "every": 2},
        checkpoint={"every": 100, "keep": {"best": "modes"}},
    )


@pytest.mark.parametrize("broken", [False, True])
def test_the_final_weights_are_those_of_the_best_checkpoint(
    broken: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sparring.metrics.modes import Modes

    values = iter([0.0, 2.0, 3.0, 5.0, 4.0, 5.0, 1.0])
    monkeypatch.setattr(Modes, "compute", lambda self: {"modes": next(values)})
    folder = tmp_path / "run"
    if broken:
        train(best_recipe(), out=folder, listeners=[Stop(7)])
        resume(folder)
    else:
        train(best_recipe(), out=folder)
    best = 10  # the later of two that are equally good
    saved = folder / "checkpoints" / f"{best:08d}"
    assert steps_saved(folder) == [best, 12]
    assert weights(folder)["generator.safetensors"] == (saved / "generator.average.safetensors").read_bytes()
    assert weights(folder)["discriminator.safetensors"] == (saved / "discriminator.safetensors").read_bytes()
    assert json.loads((folder / "final" / "config.json").read_text())["step"] == best


def test_a_score_that_is_no_number_is_not_the_best(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sparring.metrics.modes import Modes

    values = iter([float("nan"), 2.0, 3.0, 1.0, float("nan"), 1.0, 1.0])
    monkeypatch.setattr(Modes, "compute", lambda self: {"modes": next(values)})
    train(best_recipe(), out=tmp_path / "run")
    assert json.loads((tmp_path / "run" / "final" / "config.json").read_text())["step"] == 4


# ---- beside one another ----


def test_resuming_a_run_that_is_being_trained_changes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    refused: list[str] = []

    def intrude(run: Any, update: Any, terms: Any) -> None:
        if run.step == 7 and not refused:
            before = contents(folder)
            with pytest.raises(CheckpointError, match="another program is training in this folder"):
                resume(folder, overrides=["stages.0.steps=+5"])
            assert contents(folder) == before
            refused.append("once")

    train(tiny(), out=folder, listeners=[Watch(intrude)])
    assert refused
    train(tiny(), out=tmp_path / "alone")
    assert_same_run(folder, tmp_path / "alone")


def test_the_thread_count_is_restored(tmp_path: Path) -> None:
    recipe = tiny()
    del recipe["threads"]
    train(recipe, out=tmp_path / "run", listeners=[Stop(5)])
    file = tmp_path / "run" / "environment.json"
    assert json.loads(file.read_text())["threads"] == 1
    done = call("resume", tmp_path / "run", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    train(recipe, out=tmp_path / "unbroken")
    assert_same_run(tmp_path / "run", tmp_path / "unbroken")


def test_a_pruned_or_removed_checkpoint_leaves_the_one_before(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    train(tiny({"terms": LAZY}), out=folder)
    checkpoint.prune(folder, 3)
    for path in checkpoint.listed(folder)[1:]:
        for file in path.iterdir():
            file.unlink()
        path.rmdir()
    before = weights(folder)
    resume(folder)
    assert weights(folder) == before
    assert tensors(folder, "generator")


def test_a_run_killed_while_it_deletes_a_checkpoint_lists_no_half_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(tiny(), out=tmp_path / "run")
    before = checkpoint.listed(tmp_path / "run")

    def killed(path: Path, ignore_errors: bool = False) -> None:
        if path.exists():
            (path / checkpoint.MANIFEST).unlink()
            raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint.shutil, "rmtree", killed)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.prune(tmp_path / "run", 1)
    monkeypatch.undo()
    assert checkpoint.listed(tmp_path / "run") == before[1:]
    for path in checkpoint.listed(tmp_path / "run"):
        checkpoint.read_manifest(path)
    checkpoint.prune(tmp_path / "run", 1)
    assert checkpoint.listed(tmp_path / "run") == before[-1:]
