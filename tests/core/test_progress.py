from __future__ import annotations

import io
import time
from pathlib import Path
from types import SimpleNamespace

import pluggy
import pytest
from rich.console import Console

from sparring.callbacks import progress
from sparring.callbacks.progress import Progress
from sparring.plugins.hookspecs import EventSpecs

LOSSES = {
    "discriminator/adversarial": 0.61,
    "generator/adversarial": 0.8,
    "discriminator/real_logit": 0.4,
    "learning_rate/generator": 0.001,
    "steps_per_second": 80.0,
}


def started(*, terminal: bool = False, width: int = 100) -> tuple[Progress, SimpleNamespace, io.StringIO]:
    output = io.StringIO()
    console = Console(file=output, force_terminal=terminal, width=width, highlight=False)
    stages = [SimpleNamespace(name="imitate", index=0, steps=100), SimpleNamespace(name="contend", index=1, steps=300)]
    recipe = SimpleNamespace(name="image/[bold]dcgan", stages=stages)
    run = SimpleNamespace(step=0, total_steps=400, recipe=recipe, device="cpu", folder=Path("runs/x"))
    shown = Progress(console)
    shown.sparring_run_start(run)
    shown.sparring_stage_start(run, stages[0])
    return shown, run, output


def test_its_hooks_are_the_specified_ones() -> None:
    manager = pluggy.PluginManager("sparring")
    manager.add_hookspecs(EventSpecs)
    manager.register(Progress(Console(file=io.StringIO())))
    manager.check_pending()


def test_plain_lines_tell_what_is_going_on(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: clock)
    shown, run, output = started()
    for step in range(10, 101, 10):
        run.step, clock = step, clock + 1.0
        shown.sparring_step_end(run, step, LOSSES)
    lines = output.getvalue().splitlines()
    assert lines[0] == "training image/[bold]dcgan: 400 steps in 2 stages on cpu, in runs/x"
    assert lines[1] == "stage 1 of 2: imitate, 100 steps"
    # The first logging step, and every five seconds after it.
    assert [line.split("/")[0] for line in lines[2:]] == ["step  10", "step  60"]
    assert "discriminator/adversarial 0.61, generator/adversarial 0.8, 80 steps/s, 0:00:39 left" in lines[2]
    assert "logit" not in output.getvalue()
    assert "learning_rate" not in output.getvalue()


def test_evaluations_come_at_once_beside_the_one_before() -> None:
    shown, _, output = started()
    shown.sparring_evaluate(100, {"frechet": 12.5})
    shown.sparring_evaluate(200, {"frechet": 3.25})
    assert "step 100/400  imitate  evaluation: frechet 12.5\n" in output.getvalue()
    assert "evaluation: frechet 3.25 (before: 12.5)" in output.getvalue()


def test_notes_are_shown_word_by_word() -> None:
    shown, _, output = started()
    shown.show_note("warning", "collapse", "samples [red]collapsed[/red]", "lower {use: r1} [x]")
    shown.show_note("note", "run", "2 files were skipped", "")
    assert "collapse (warning): samples [red]collapsed[/red]\n  what to try: lower {use: r1} [x]\n" in output.getvalue()
    assert "run: 2 files were skipped" in output.getvalue()


def test_a_long_line_is_not_broken_where_there_is_no_terminal() -> None:
    shown, _, output = started(width=40)
    shown.show_note("bad", "collapse", "word " * 30, "")
    assert max(len(line) for line in output.getvalue().splitlines()) > 100


def test_a_resumed_run_says_where_it_goes_on() -> None:
    shown, run, output = started()
    run.step = 120
    shown.sparring_run_start(run)
    assert "going on with image/[bold]dcgan at step 120" in output.getvalue()


def test_a_terminal_has_a_live_display() -> None:
    shown, run, output = started(terminal=True)
    run.step = 200
    shown.sparring_update_end(run)
    shown.sparring_step_end(run, 200, LOSSES)
    shown.sparring_evaluate(200, {"frechet": 3.25})
    shown.sparring_checkpoint(Path("checkpoints/00000150"))
    shown.show_note("bad", "collapse", "they have collapsed", "")
    shown.sparring_stage_end(run)
    shown.sparring_run_end()
    text = output.getvalue()
    for part in ("200/400", "80 steps/s", "frechet 3.25", "saved at", "150", "they have collapsed"):
        assert part in text
    assert shown._live is None
    shown.sparring_run_end()  # a run that failed before its start ends too


def test_a_long_run_of_losses_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "SHOWN", 2)
    shown, run, output = started()
    shown.sparring_step_end(run, 10, {f"a/{index}": float(index) for index in range(9)})
    assert "a/1 1," in output.getvalue()
    assert "a/2" not in output.getvalue()
