"""What is wrong is said in one message, with its place and what to do, and costs nothing that was saved."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from sparring import hookimpl
from sparring.api import resume, train
from sparring.cli import main
from sparring.errors import CheckpointError, DataError, RecipeError, SparringError, TrainingError
from sparring.training import checkpoint
from tests.core.training.running import (
    EVALUATE,
    PARTS,
    SAMPLES,
    Stop,
    assert_same_run,
    call,
    contents,
    environment,
    program,
    steps_saved,
    tiny,
    weights,
    write_recipe,
)

Say = Callable[..., str]


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Say:
    """Run the program where it has to refuse, and return its message."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SPARRING_TRACEBACK", raising=False)

    def refused(*words: str | Path) -> str:
        code = main([*map(str, words), "--plugin", str(PARTS)])
        captured = capsys.readouterr()
        assert code == 1, captured.err
        assert captured.err.count("error: ") == 1, captured.err
        assert "Traceback" not in captured.err + captured.out
        # Where a finding says what should be there, that is what to do.
        assert "what to do: " in captured.err or "should " in captured.err or "must be " in captured.err
        return captured.err[captured.err.index("error: ") :]

    return refused


# ---- values that are not finite ----


def test_a_value_that_is_no_number_stops_the_run(tmp_path: Path) -> None:
    recipe = tiny({"terms": [{"use": "parts/spoiled", "at": 5}]}, log={"every": 3})
    done = call("run", write_recipe(tmp_path, recipe), "--out", tmp_path / "run", "--plugin", PARTS)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    for part in ("the term 'spoiled' became nan in step 5", "stage 'contend'", "update 'discriminator'", "what to do:"):
        assert part in done.stderr
    assert "learning rate" in done.stderr
    # What is saved is from before the damage, and no worse for it.
    assert steps_saved(tmp_path / "run") == [0, 4]
    assert not (tmp_path / "run" / "final").exists()
    train(tiny({"terms": [{"use": "parts/spoiled", "at": 99}], "steps": 4}), out=tmp_path / "sound", plugins=[PARTS])
    for name in ("generator.safetensors", "discriminator.safetensors"):
        saved = tmp_path / "run" / "checkpoints" / "00000004" / name
        assert saved.read_bytes() == (tmp_path / "sound" / "final" / name).read_bytes()


def test_nothing_that_is_no_number_is_ever_saved(tmp_path: Path) -> None:
    """A checkpoint that is due in the very step of the damage reads the values first."""
    recipe = tiny({"terms": [{"use": "parts/spoiled", "at": 3}]}, log={"every": 100}, checkpoint={"every": 4})
    with pytest.raises(TrainingError, match="step 3"):
        train(recipe, out=tmp_path / "run", plugins=[PARTS])
    assert steps_saved(tmp_path / "run") == [0]


# ---- the disk ----


def test_a_write_that_fails_costs_nothing(tmp_path: Path) -> None:
    """No file may pass a size that the first checkpoint keeps to, and later ones, which hold Adam's state, do not."""
    recipe = tiny(
        samples=SAMPLES,
        evaluate=EVALUATE,
        networks={"generator": {"use": "mlp", "width": 48}, "discriminator": {"use": "mlp", "width": 48}},
    )
    train(recipe, out=tmp_path / "unbroken")
    file, folder = write_recipe(tmp_path, recipe), tmp_path / "run"
    done = subprocess.run(
        program("run", file, "--out", folder),
        capture_output=True,
        text=True,
        env=environment(),
        timeout=120,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000)),
    )
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert "the last good checkpoint is 00000000" in done.stderr
    assert f"sparring resume {folder}" in done.stderr
    assert steps_saved(folder) == [0]
    resume(folder)
    assert_same_run(folder, tmp_path / "unbroken")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one megabyte, where this machine lets us have one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], capture_output=True, check=False)
    if made.returncode:
        pytest.skip("a disk cannot be mounted here")
    try:
        yield disk
    finally:
        subprocess.run(["umount", disk], check=True)


class Fill:
    """Fill the disk to its last byte at an event."""

    def __init__(self, disk: Path, event: str) -> None:
        self.file, self.event = disk / "filler", event

    def fill(self) -> None:
        with self.file.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(512))
            except OSError:
                pass

    @hookimpl
    def sparring_update_end(self, run: Any) -> None:
        if self.event == "step" and run.step == 6:
            self.fill()

    @hookimpl
    def sparring_stage_end(self) -> None:
        if self.event == "stage end":
            self.fill()

    @hookimpl
    def sparring_evaluate(self, run: Any) -> None:
        if self.event == "evaluation" and run.step == 5:
            self.fill()


@pytest.mark.parametrize("event", ["step", "stage end", "evaluation"])
def test_a_full_disk_costs_nothing(event: str, small_disk: Path, tmp_path: Path) -> None:
    recipe = tiny(samples=SAMPLES, evaluate=EVALUATE)
    train(recipe, out=tmp_path / "unbroken")
    folder = small_disk / "run"
    with pytest.raises(CheckpointError, match="the disk is full; the last good checkpoint is") as caught:
        train(recipe, out=folder, listeners=[Fill(small_disk, event)])
    assert "free some space" in caught.value.remedy
    saved = steps_saved(folder)
    with pytest.raises(CheckpointError, match="the disk is full"):
        resume(folder, overrides=["stages.0.steps=+5"])
    assert steps_saved(folder) == saved
    (small_disk / "filler").unlink()
    resume(folder)
    assert_same_run(folder, tmp_path / "unbroken")


def test_checkpoints_that_fill_the_disk(small_disk: Path, tmp_path: Path) -> None:
    recipe = tiny({"steps": 60}, checkpoint={"every": 1, "keep": 100})
    train(recipe, out=tmp_path / "unbroken")
    folder = small_disk / "run"
    with pytest.raises(CheckpointError, match="the disk is full"):
        train(recipe, out=folder)
    saved = steps_saved(folder)
    assert len(saved) > 5
    for path in checkpoint.listed(folder):
        checkpoint.read_manifest(path)  # every one that has its name is whole
    subprocess.run(["mount", "-o", "remount,size=16m", small_disk], check=True)
    resume(folder)
    assert_same_run(folder, tmp_path / "unbroken")


# ---- folders ----


def test_a_folder_that_exists_is_left_alone(refused: Say, tmp_path: Path) -> None:
    file = write_recipe(tmp_path, tiny())
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("years of work")
    assert "exists" in refused("run", file, "--out", tmp_path / "out")
    (tmp_path / "file").touch()
    assert "exists" in refused("run", file, "--out", tmp_path / "file")
    assert contents(tmp_path / "out") == {"thesis.txt": b"years of work"}


def test_a_folder_that_is_no_run(refused: Say, tmp_path: Path) -> None:
    assert "no run" in refused("resume", tmp_path)
    assert "there is no folder" in refused("resume", tmp_path / "nowhere")


def test_a_recipe_that_cannot_be_built_leaves_no_folder(refused: Say, tmp_path: Path) -> None:
    networks = {**tiny()["networks"], "generator": {"use": "mlp", "depth": 0}}
    message = refused("run", write_recipe(tmp_path, tiny(networks=networks)), "--out", tmp_path / "run")
    assert "networks.generator" in message
    assert "depth" in message
    assert not (tmp_path / "run").exists()


# ---- checkpoints ----


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was stopped at step 6; tests change copies of it."""
    folder = tmp_path_factory.mktemp("stopped") / "run"
    train(tiny({"ema": {"generator": 0.9}}), out=folder, listeners=[Stop(6)])
    return folder


@pytest.fixture
def copied(stopped: Path, tmp_path: Path) -> Path:
    shutil.copytree(stopped, tmp_path / "run")
    return tmp_path / "run"


FILES = ["manifest.json", "state.pt", "generator.safetensors", "generator.average.safetensors"]
assert FILES


@pytest.mark.parametrize("name", [*FILES, "discriminator.safetensors"])
@pytest.mark.parametrize("kind", ["cut", "empty", "missing", "changed"])
def test_a_damaged_checkpoint_is_found_out(name: str, kind: str, copied: Path, refused: Say) -> None:
    path = copied / "checkpoints" / "00000006"
    file = path / name
    data = file.read_bytes()
    if kind == "missing":
        file.unlink()
    else:
        changed = data[:-1] + bytes([data[-1] ^ 1])
        file.write_bytes({"cut": data[: len(data) // 2], "empty": b"", "changed": changed}[kind])
    message = refused("resume", copied)
    assert "the checkpoint is damaged" in message
    assert str(path) in message
    assert name in message
    # The remedy works.
    shutil.rmtree(path)
    assert resume(copied).status == "finished"


def reseal(path: Path) -> None:
    """Make a checkpoint's manifest agree with its files, as somebody who means harm would."""
    manifest = json.loads((path / "manifest.json").read_text())
    for name in manifest["files"]:
        data = (path / name).read_bytes()
        manifest["files"][name] = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    (path / "manifest.json").write_text(json.dumps(manifest))


class Hostile:
    """What does harm when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> Any:
        return (Path.touch, (self.target,))


@pytest.mark.parametrize("form", ["torch", "pickle", "legacy"])
def test_a_hostile_pickle_executes_nothing(form: str, copied: Path, refused: Say, tmp_path: Path) -> None:
    path, target = copied / "checkpoints" / "00000006", tmp_path / "touched"
    if form == "pickle":
        (path / "state.pt").write_bytes(pickle.dumps(Hostile(target), protocol=2))
    else:
        torch.save({"callbacks": Hostile(target)}, path / "state.pt", _use_new_zipfile_serialization=form == "torch")
    reseal(path)
    message = refused("resume", copied)
    assert "cannot be read safely" in message
    assert str(path) in message
    assert not target.exists()
    target.touch()  # the harm is real, were it read carelessly
    target.unlink()
    torch.load(path / "state.pt", weights_only=False) if form != "pickle" else pickle.loads(
        (path / "state.pt").read_bytes()
    )
    assert target.exists()


@pytest.mark.parametrize("state", [[], {}, {"callbacks": 3}, {"callbacks": {}, "ledger": [], "optimizers": {}}])
def test_state_of_another_kind_is_refused(state: Any, copied: Path, refused: Say) -> None:
    path = copied / "checkpoints" / "00000006"
    torch.save(state, path / "state.pt")
    reseal(path)
    refused("resume", copied)


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "3",
        "{}",
        '{"step": 6}',
        '{"step": 6, "stage": 0, "stage_step": 6, "journal": 0, "identity": "", "files": {"state.pt": 3}}',
    ],
)
def test_a_manifest_of_another_kind_is_refused(text: str, copied: Path, refused: Say) -> None:
    path = copied / "checkpoints" / "00000006"
    (path / "manifest.json").write_text(text)
    assert str(path) in refused("resume", copied)


def test_a_checkpoint_of_another_recipe_is_refused(copied: Path, refused: Say, tmp_path: Path) -> None:
    networks = {**tiny()["networks"], "generator": {"use": "mlp", "latent_dim": 4, "width": 20}}
    train(tiny(networks=networks), out=tmp_path / "other", listeners=[Stop(6)])
    path = copied / "checkpoints" / "00000006"
    shutil.rmtree(path)
    shutil.copytree(tmp_path / "other" / "checkpoints" / "00000006", path)
    message = refused("resume", copied)
    assert "belongs to another recipe" in message
    assert str(path) in message
    # A forged fingerprint gets no further.
    manifest = json.loads((path / "manifest.json").read_text())
    own = json.loads((copied / "checkpoints" / "00000004" / "manifest.json").read_text())
    (path / "manifest.json").write_text(json.dumps({**manifest, "identity": own["identity"]}))
    message = refused("resume", copied)
    assert "do not fit the network 'generator'" in message
    assert "size mismatch" in message


@pytest.mark.parametrize(
    "data",
    [b"", b"\xff" * 64, (2**62).to_bytes(8, "little") + b"{}", (2).to_bytes(8, "little") + b"{}x", pickle.dumps([1])],
    ids=["empty", "garbage", "endless header", "surplus", "pickle"],
)
def test_hostile_weights_are_refused(data: bytes, refused: Say, tmp_path: Path) -> None:
    file = tmp_path / "hostile.safetensors"
    file.write_bytes(data)
    recipe = tiny()
    recipe["networks"]["generator"]["init"] = {"from": str(file)}
    message = refused("run", write_recipe(tmp_path, recipe), "--out", tmp_path / "run")
    assert "hostile.safetensors" in message
    assert not (tmp_path / "run").exists()


# ---- recipes ----


@pytest.mark.parametrize(
    "text",
    [
        "schema: 1\nname: !!python/object/apply:os.system ['touch touched']\n",
        "schema: 1\nname: !!python/object/new:pathlib.Path ['touched']\n",
        "!!python/object/apply:pathlib.Path.touch [touched]\n",
    ],
)
def test_a_hostile_recipe_executes_nothing(text: str, refused: Say, tmp_path: Path) -> None:
    file = tmp_path / "hostile.yaml"
    file.write_text(text)
    message = refused("run", file)
    assert "hostile.yaml, line" in message
    assert not (tmp_path / "touched").exists()


def test_a_hostile_recipe_of_a_run_executes_nothing(copied: Path, refused: Say, tmp_path: Path) -> None:
    (copied / "recipe.yaml").write_text("name: !!python/object/apply:os.system ['touch touched']\n")
    assert "recipe.yaml, line 1" in refused("resume", copied)
    assert "not YAML" in refused("run", "points/ring", "name=!!python/object/apply:os.system [touch touched]")
    assert not (tmp_path / "touched").exists()


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("- a\n- b\n", "mapping"),
        ("a: [1\nb: 2\n", "not YAML"),
        ("seed: 1\nseed: 2\n", "'seed' is written twice"),
        ("\tname: x\n", "not YAML"),
        ("", "mapping"),
    ],
)
def test_a_file_that_is_no_recipe(text: str, what: str, refused: Say, tmp_path: Path) -> None:
    file = tmp_path / "odd.yaml"
    file.write_text(text)
    message = refused("run", file)
    assert what in message
    assert "odd.yaml" in message


def test_a_recipe_that_is_not_text(refused: Say, tmp_path: Path) -> None:
    (tmp_path / "odd.yaml").write_bytes(b"name: \xff\xfe")
    assert "UTF-8" in refused("run", tmp_path / "odd.yaml")
    assert "did you mean 'points/ring'" in refused("run", "points/rin")


def test_every_mistake_of_a_recipe_at_once(refused: Say, tmp_path: Path) -> None:
    recipe = tiny({"batch": "many", "terms": [{"use": "r3", "every": 0}]}, seed=-1, need=["text"])
    recipe["networks"]["generator"] = {"use": "mpl", "init": "kaimin"}
    recipe["networks"]["discriminator"]["widht"] = 8
    recipe["stages"][0]["optimizers"]["generator"]["lr"] = "fast"
    recipe["data"]["arrangement"] = "square"
    message = refused("run", write_recipe(tmp_path, recipe), "--out", tmp_path / "run")
    expected = {
        "seed": "-1",
        "need": "did you mean 'needs'",
        "networks.generator.use": "did you mean 'mlp'",
        "networks.generator.init.use": "did you mean 'kaiming'",
        "networks.discriminator.widht": "did you mean 'width'",
        "stages.0.batch": "many",
        "stages.0.terms.0.every": "greater than or equal to 1",
        "stages.0.optimizers.generator.lr": "fast",
        "data.arrangement": "'ring', 'grid' or 'spiral'",
    }
    for place, what in expected.items():
        line = next((line for line in message.splitlines() if line.startswith(f"  {place}: ")), None)
        assert line is not None, f"{place} in\n{message}"
        assert what in line, line
    assert not (tmp_path / "run").exists()


def changed(path: str, value: Any) -> dict[str, Any]:
    """Return a recipe with one value changed; None takes the key out."""
    recipe = tiny(evaluate=EVALUATE)
    *steps, last = path.split("/")
    holder: Any = recipe
    for step in steps:
        holder = holder[int(step)] if isinstance(holder, list) else holder[step]
    if value is None:
        del holder[last]
    else:
        holder[last] = value
    return recipe


MISTAKES: list[tuple[str, Any, str, str]] = [
    ("stages/0/optimizers/generator", None, "stages.0.optimizers", "'generator' is trained but has no optimiser"),
    ("stages/0/optimizers/critic", {"use": "sgd"}, "stages.0.optimizers.critic", "there is no network 'critic'"),
    ("stages/0/objective", {"use": "adversarial", "loss": "hinge", "generator": "g"}, "stages.0", "'g'"),
    ("stages/0/objective", {"use": "adversarial"}, "stages.0.objective.loss", "required"),
    (
        "stages/0/objective",
        {"use": "adversarial", "loss": "hing"},
        "stages.0.objective.loss.use",
        "did you mean 'hinge'",
    ),
    (
        "stages/0/objective",
        {"use": "likelihood"},
        "stages.0.optimizers.discriminator",
        "no update of this stage trains it",
    ),
    ("stages/0/accumulate", 3, "stages.0.accumulate", "8 rows cannot be cut into 3 parts"),
    ("stages/0/steps", 0, "stages.0.steps", "greater than or equal to 1"),
    ("stages/0/ema", {"generator": 1.5}, "stages.0.ema.generator", "between 0 and 1"),
    ("stages/0/ema", {"critic": 0.9}, "stages.0.ema.critic", "no network 'critic'"),
    ("stages/0/constraints", {"critic": ["weight-clip"]}, "stages.0.constraints.critic", "no network 'critic'"),
    ("stages/0/terms", [{"use": "r1"}, {"use": "r1"}], "stages.0.terms.1", "two terms are called 'r1'"),
    ("stages/0/name", "two words", "stages.0.name", "pattern"),
    ("needs", ["spech"], "needs.0", "no plugin 'spech' is installed"),
    ("data", {"use": "parts/empty"}, "data", "the data are empty"),
    ("data", {"use": "points", "count": 2, "modes": 4}, "data", "count must be at least modes"),
    ("data", {"use": "pionts"}, "data.use", "did you mean 'points'"),
    ("checkpoint/keep", {"best": "mode"}, "checkpoint.keep.best", "'mode' is not the main value of a metric"),
    ("checkpoint/keep", {"best": "high_quality"}, "checkpoint.keep.best", "use one of: modes"),
    ("checkpoint/keep", 0, "checkpoint.keep", "greater than or equal to 1"),
    ("evaluate/split", "validation", "evaluate.split", "no split 'validation'"),
    ("evaluate/metrics", [{"use": "mode"}], "evaluate.metrics.0.use", "did you mean 'modes'"),
    ("device", "tpu9", "device", "'tpu9' is not a device"),
    ("device", "cuda", "device", "no GPU"),
    ("schema", 2, "schema", "1"),
    ("networks/generator/init", {"from": "nowhere"}, "networks.generator.init", "'nowhere' does not exist"),
    ("networks/generator/init", {"frm": "nowhere"}, "networks.generator.init.frm", "did you mean 'from'"),
    ("callbacks", [{"use": "convergence", "metric": 3}], "callbacks.0.metric", "string"),
    ("trainer", "stagd", "trainer.use", "did you mean 'staged'"),
]
assert MISTAKES


@pytest.mark.parametrize(("path", "value", "where", "what"), MISTAKES, ids=[f"{one[0]}={one[1]}" for one in MISTAKES])
def test_a_mistake_has_a_place_and_a_remedy(
    path: str, value: Any, where: str, what: str, refused: Say, tmp_path: Path
) -> None:
    if value == "cuda" and torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    message = refused("run", write_recipe(tmp_path, changed(path, value)), "--out", tmp_path / "run")
    assert f"{where}: " in message or f"where: {where}\n" in message, message
    assert what in message
    if not where.startswith(("checkpoint.keep.best", "evaluate.split")):  # known when metrics are first computed
        assert not (tmp_path / "run").exists(), "a recipe that is refused leaves no folder behind"


def test_the_mistakes_of_a_later_stage_show_before_the_first_is_trained(refused: Say, tmp_path: Path) -> None:
    first, second, third = (tiny({"name": name})["stages"][0] for name in ("first", "second", "third"))
    del second["optimizers"]["generator"]
    third["schedules"] = {"terms.r1.weight": {"use": "constant", "value": 1.0}}
    message = refused("run", write_recipe(tmp_path, tiny(stages=[first, second, third])), "--out", tmp_path / "run")
    assert "stages.1.optimizers: 'generator' is trained but has no optimiser" in message
    assert "stages.2.schedules.terms.r1.weight: " in message
    assert not (tmp_path / "run").exists()


def test_a_broken_plugin_stops_only_what_needs_it(refused: Say, tmp_path: Path) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text("from sparring import Plugin\nplugin = Plugin('broken')\nraise RuntimeError('half-way')\n")
    recipe = tiny(needs=["broken"])
    message = refused("run", write_recipe(tmp_path, recipe), "--out", tmp_path / "run", "--plugin", broken)
    assert "needs.0" in message
    assert "half-way" in message
    assert train(tiny(), out=tmp_path / "other", plugins=[broken]).status == "finished"


def test_data_smaller_than_a_batch_will_do(tmp_path: Path) -> None:
    recipe = tiny({"batch": 64}, data={"use": "points", "count": 4, "modes": 4}, samples={"every": 5, "count": 50})
    assert train(recipe, out=tmp_path / "run").status == "finished"


def test_a_stream_that_ends_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="ended") as caught:
        train(tiny(data={"use": "parts/stream", "end": 7}), out=tmp_path / "run", plugins=[PARTS])
    assert "batches" in caught.value.remedy
    assert steps_saved(tmp_path / "run") == [0]


# ---- overrides ----


@pytest.mark.parametrize(
    ("override", "what"),
    [
        ("stages.1.steps=3", "stages.1: there is no item '1'"),
        ("stages.0.steps", "is not an override"),
        ("stages.0.steps=soon", "stages.0.steps"),
        ("seed.x=3", "seed.x: 'seed' is a single value"),
        ("stages.0.stpes=3", "did you mean 'steps'"),
        ("name=[1", "name: its value is not YAML"),
    ],
)
def test_an_override_that_is_wrong(override: str, what: str, refused: Say, tmp_path: Path) -> None:
    assert what in refused("run", write_recipe(tmp_path, tiny()), override, "--out", tmp_path / "run")


def test_an_override_may_reach_into_a_schedule(tmp_path: Path) -> None:
    schedules = {"optimizers.generator.lr": {"use": "linear", "start": 0.1, "end": 0.0}}
    train(
        tiny({"schedules": schedules}),
        out=tmp_path / "run",
        overrides=["stages.0.schedules.optimizers.generator.lr.start=0.3", "stages.0.optimizers.discriminator.lr=1e-3"],
    )
    stage = yaml.safe_load((tmp_path / "run" / "recipe.yaml").read_text())["stages"][0]
    assert stage["schedules"] == {"optimizers.generator.lr": {"use": "linear", "start": 0.3, "end": 0.0}}
    assert stage["optimizers"]["discriminator"]["lr"] == 1e-3


def test_a_recipe_survives_its_own_file(tmp_path: Path) -> None:
    """Words that look like numbers to a recipe's reader are written so that they stay words."""
    recipe = tiny(name="1e3", summary="2E-5", data={"use": "points", "count": 128, "modes": 4, "spread": 1e-7})
    train(recipe, out=tmp_path / "run", listeners=[Stop(5)])
    assert resume(tmp_path / "run").status == "finished"


def test_values_that_yaml_does_not_know_are_reported(tmp_path: Path) -> None:
    recipe = tiny(seed=object())
    with pytest.raises(SparringError) as caught:
        train(recipe, out=tmp_path / "run")
    assert "seed" in str(caught.value)
    recipe = tiny()
    recipe["stages"][0]["optimizers"]["generator"]["betas"] = (0.5, 0.9)
    assert train(recipe, out=tmp_path / "tuple").status == "finished"


# ---- the program, as it is called ----


def test_the_program_refuses_in_one_message(tmp_path: Path) -> None:
    file = write_recipe(tmp_path, tiny(seed="x", nmae="y"))
    done = call("run", file, "--out", tmp_path / "run", "--json", cwd=tmp_path)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "seed: " in done.stderr
    problems = json.loads(done.stdout)["error"]["problems"]
    assert {problem["where"] for problem in problems} >= {"seed", "nmae"}


def test_a_folder_that_may_not_be_written(refused: Say, tmp_path: Path) -> None:
    file = write_recipe(tmp_path, tiny())
    (tmp_path / "plain-file").touch()
    refused("run", file, "--out", tmp_path / "plain-file" / "run")
    if os.geteuid() == 0:
        return  # everything may be written
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    refused("run", file, "--out", locked / "run")


def test_errors_are_of_the_kinds_that_are_documented() -> None:
    for kind in (CheckpointError, DataError, RecipeError, TrainingError):
        assert issubclass(kind, SparringError)
    assert weights


def test_an_objective_of_sequences_refuses_another_generator(tmp_path: Path) -> None:
    imitate = {"objective": {"use": "likelihood"}, "optimizers": {"generator": {"use": "adam"}}}
    with pytest.raises(RecipeError) as caught:
        train(tiny(imitate), out=tmp_path / "run")
    assert "stages.0.objective: 'likelihood' needs a generator of sequences, and 'generator' is a MLPGen" in str(
        caught.value
    )
    assert not (tmp_path / "run").exists()
