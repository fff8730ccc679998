"""Training, resuming, drawing and scoring from the command line, with a GAN that takes seconds."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sparring.cli import demo, main
from sparring.cli import run as run_commands
from sparring.recipes import source
from tests.core.fake_distributions import Site, installed

TOY = """
schema: 1
name: toys/ring
data: {use: points, labels: true, modes: 4, count: 64}
networks:
  generator: {use: mlp, width: 8}
  discriminator: {use: mlp, width: 8}
stages:
  - name: contend
    objective: {use: adversarial, loss: non-saturating}
    steps: 4
    batch: 8
    optimizers: {generator: {use: adam}, discriminator: {use: adam}}
evaluate: {every: 4, count: 64, metrics: [{use: modes}]}
checkpoint: {every: 2}
samples: {every: 4, count: 8}
log: {every: 2}
"""
STOPPER = """
from sparring import Plugin, hookimpl

plugin = Plugin("brake")

@plugin.callback("stop")
class Stop:
    def __init__(self, step: int) -> None:
        self.step = step

    @hookimpl
    def sparring_update_end(self, run):
        if run.step == self.step:
            run.request_stop("far enough")
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.chdir(tmp_path)
    for found in installed(tmp_path, monkeypatch):
        found.add_recipe("toys/ring", TOY)
        yield found


def call(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> tuple[str, str]:
    capsys.readouterr()
    assert main(words) == code, capsys.readouterr()
    out, err = capsys.readouterr()
    return out, err


def test_run_then_all_that_follows(site: Site, capsys: pytest.CaptureFixture[str]):
    out, err = call(capsys, "run", "toys/ring")
    folder = "runs/toys-ring"
    assert "modes" in out
    assert "finished at step 4" in err
    assert folder in err

    _, err = call(capsys, "run", "toys/ring", code=1)
    assert f"sparring resume {folder}" in err
    assert "--out" in err

    call(capsys, "generate", folder, "--count", "5", "--condition", "label=3")
    assert list(Path(folder, "generated").iterdir())
    _, err = call(capsys, "generate", folder, code=1)
    assert "not empty" in err
    out, _ = call(capsys, "generate", folder, "--count", "5", "--out", "again", "--condition", "label=3", "--json")
    found = json.loads(out)
    assert (found["count"], found["seed"]) == (5, 0)
    for file in found["files"]:
        assert Path(file).read_bytes() == Path(folder, "generated", Path(file).name).read_bytes()

    out, _ = call(capsys, "evaluate", folder, "--json")
    assert "modes" in json.loads(out)
    call(capsys, "evaluate", folder)
    out, _ = call(capsys, "report", folder)
    assert out == f"report: {folder}/report.html\n"

    out, _ = call(capsys, "resume", folder, "stages.0.steps=+2", "--json")
    result = json.loads(out)
    assert (result["status"], result["step"], result["folder"]) == ("finished", 6, folder)
    call(capsys, "resume", folder, "--from", "2", "--out", "branch", "stages.0.steps=3")
    assert Path("branch/final/generator.safetensors").is_file()


def test_bad_conditions_are_reported_at_once_with_the_names(site: Site, capsys: pytest.CaptureFixture[str]):
    call(capsys, "run", "toys/ring", "--out", "run")
    wrong = [word for text in ("label=nine", "lable=3", "label") for word in ("--condition", text)]
    _, err = call(capsys, "generate", "run", *wrong, code=1)
    assert "3 mistakes" in err
    assert "0, 1, 2, 3" in err
    assert "use one of: label" in err


def test_run_reports_as_json(site: Site, capsys: pytest.CaptureFixture[str]):
    out, err = call(capsys, "run", "toys/ring", "stages.0.steps=2", "evaluate=", "--out", "run", "--json")
    assert json.loads(out) == {"folder": "run", "step": 2, "status": "finished", "reason": "", "metrics": {}}
    assert "finished" in err


def test_callback_stops_with_its_reason_and_exit_code_0(site: Site, capsys: pytest.CaptureFixture[str], tmp_path: Path):
    (tmp_path / "brake.py").write_text(STOPPER)
    words = ("run", "toys/ring", "callbacks=[{use: brake/stop, step: 1}]", "--plugin", "brake.py", "--out", "run")
    _, err = call(capsys, *words)
    assert "far enough" in err


def test_try_measures(site: Site, capsys: pytest.CaptureFixture[str], tmp_path: Path):
    out, _ = call(capsys, "check", "toys/ring", "--try", "--json")
    trial = json.loads(out)["trial"]
    assert trial["steps_per_second"]["contend"] > 0
    assert trial["checkpoint_bytes"] > 0
    out, _ = call(capsys, "check", "toys/ring", "--try")
    assert "peak memory" in out
    assert not (tmp_path / "runs").exists()


def interrupt_after_steps(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Start a command, press Ctrl-C once its run has saved a checkpoint after the first, and wait for its end."""
    process = subprocess.Popen(
        [sys.executable, "-m", "sparring", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    limit = time.monotonic() + 60
    while not (folder / "checkpoints" / "00000002").is_dir() and time.monotonic() < limit and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    return subprocess.CompletedProcess(words, process.returncode, out, err)


def test_ctrl_c_says_how_to_go_on(site: Site, tmp_path: Path):
    done = interrupt_after_steps(tmp_path / "run", "run", "toys/ring", "stages.0.steps=100000", "--out", "run")
    assert done.returncode == 130, done.stderr
    assert "`sparring resume run` goes on" in done.stderr
    assert "Traceback" not in done.stderr


def test_demo_trains_resumes_and_knows_that_it_is_done(
    site: Site, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setattr(demo, "RECIPES", {"one": "toys/ring", "other": "toys/ring", "absent": "toys/none"})
    out, err = call(capsys, "demo")
    assert out.endswith("report: runs/demo/report.html\n")
    assert "training 2 recipes in runs/demo" in err
    assert Path("runs/demo/report.html").read_text(encoding="utf-8").count("<h1>toys/ring</h1>") == 2
    out, err = call(capsys, "demo")
    assert out == "report: runs/demo/report.html\n"
    assert "trained already" in err
    # As an interrupted run leaves it: no final weights yet.
    shutil.rmtree(tmp_path / "runs/demo/other/final")
    out, err = call(capsys, "demo")
    assert "runs/demo/other holds a run that was stopped; going on with it" in err
    assert Path("runs/demo/other/final/generator.safetensors").is_file()


def test_the_demo_without_a_plugin_says_what_to_install(
    site: Site, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(demo, "RECIPES", {"absent": "toys/none"})
    assert main(["demo"]) == 1
    assert "sparring-image" in capsys.readouterr().err


def test_the_demo_trains_recipes_that_ship():
    assert demo.RECIPES
    for name in demo.RECIPES.values():
        shipped = Path(__file__).parents[2] / "recipes" / f"{name}.yaml"
        assert source.read(shipped)["name"] == name


def test_only_the_first_of_several_processes_speaks(
    site: Site, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    from sparring.interfaces.trainer import Result

    monkeypatch.setenv("RANK", "1")
    run_commands.conclude(Result(tmp_path, 1, "finished", "", {"modes": 1.0}), as_json=True)
    assert capsys.readouterr() == ("", "")
