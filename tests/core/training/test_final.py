"""A run that keeps its best weights says which step they are of, and whether they are averaged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sparring.api import train
from tests.core.training.running import EVALUATE, tiny


class Heard:
    """Keep the sentences that a run says."""

    def __init__(self) -> None:
        self.sentences: list[str] = []

    def show_note(self, level: str, source: str, finding: str, remedy: str) -> None:
        self.sentences.append(finding)


def two_stages() -> dict[str, Any]:
    """Only the second stage keeps an average."""
    first = tiny({"name": "first", "steps": 4})["stages"][0]
    second = tiny({"name": "second", "steps": 4, "ema": {"generator": 0.5}})["stages"][0]
    evaluate = {**EVALUATE, "every": 2}
    return tiny(stages=[first, second], evaluate=evaluate, checkpoint={"every": 100, "keep": {"best": "modes"}})


@pytest.mark.parametrize(
    ("scores", "step", "generator", "said"),
    [
        ([0.0, 1.0, 2.0, 9.0, 3.0, 8.0], 6, "average", "step 6, the best by modes: 9; at the last evaluation it was 3"),
        ([0.0, 9.0, 2.0, 1.0, 3.0, 8.0], 2, "live", "step 2, the best by modes: 9; at the last evaluation it was 3"),
        ([0.0, 1.0, 2.0, 1.0, 9.0, 8.0], 8, "average", "holds the last weights, which are the best by modes: 9"),
    ],
)
def test_a_run_says_which_weights_it_has_kept(
    scores: list[float], step: int, generator: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sparring.metrics.modes import Modes

    values = iter(scores)
    monkeypatch.setattr(Modes, "compute", lambda self: {"modes": next(values)})
    heard = Heard()
    result = train(two_stages(), out=tmp_path / "run", listeners=[heard])
    assert result.metrics == {"modes": scores[4]}
    config = json.loads((tmp_path / "run" / "final" / "config.json").read_text(encoding="utf-8"))
    assert config["step"] == step
    assert config["weights"] == {"generator": generator, "discriminator": "live"}
    (about,) = [sentence for sentence in heard.sentences if sentence.startswith("final/ holds")]
    assert about.endswith(said)


def test_a_run_that_keeps_the_last_weights_has_nothing_to_say_of_them(tmp_path: Path) -> None:
    heard = Heard()
    train(tiny(evaluate=EVALUATE), out=tmp_path / "run", listeners=[heard])
    assert not [sentence for sentence in heard.sentences if "final/" in sentence]
    assert json.loads((tmp_path / "run" / "final" / "config.json").read_text(encoding="utf-8"))["step"] == 10
