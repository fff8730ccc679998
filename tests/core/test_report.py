from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from sparring.report.page import page, write_report
from sparring.report.record import read_run
from sparring.report.samples import MOST_FRAMES

VOID = {"meta", "img", "input", "br", "hr", "link"}
HOSTILE = "<script>alert('x')</script>\"'&$title`$a_1$"


class Checker(HTMLParser):
    """Hold HTML to what a browser needs: every element closed in turn, and no identifier twice."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.ids: list[str] = []
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.seen.append((tag, values))
        if "id" in values:
            self.ids.append(values["id"])
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def elements(self, tag: str) -> list[dict[str, str]]:
        return [values for name, values in self.seen if name == tag]


def checked(html: str) -> Checker:
    checker = Checker()
    checker.feed(html)
    checker.close()
    assert not checker.open
    assert len(checker.ids) == len(set(checker.ids))
    assert not re.search(r"https?:|\bsrc=\"(?!data:)|url\((?!#)|@import|xmlns", html)
    return checker


def log(step: int, stage: str, **values: float) -> dict[str, Any]:
    return {"event": "log", "step": step, "stage": stage, "values": values, "time": step / 10, "steps_per_second": 10.0}


def journal(name: str = "discriminator") -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = []
    for step in range(10, 201, 10):
        values = {f"{name}/adversarial": 1 / step, f"{name}/r1": 0.01, "generator/adversarial": 0.7}
        values |= {f"{name}/real_logit": 0.4, f"{name}/fake_logit": -0.3, "learning_rate/generator": 1e-3}
        lines.append(log(step, "imitate" if step <= 100 else "contend", **values))
        if step % 50 == 0:
            values = {"frechet": 100 / step, "share": step / 200}
            lines.append({"event": "evaluate", "step": step, "stage": "contend", "values": values, "time": step / 10})
    about = {"step": 100, "source": "collapse", "level": "bad", "finding": "they have collapsed", "since": 90}
    lines.append({"event": "verdict", **about, "remedy": "lower `optimizers.generator.lr`"})
    lines.append({"event": "verdict", **about, "level": "good", "finding": "no collapse", "remedy": "", "since": None})
    return lines


def make(folder: Path, *, name: str = "points/ring", lines: list[dict[str, Any]] | None = None) -> Path:
    stages = [{"name": "imitate", "steps": 100}, {"name": "contend", "steps": 100}]
    recipe = {"schema": 1, "name": name, "summary": f"A summary of {name}", "stages": stages}
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
    environment = {"sparring": "0.1.0", "seed": 0, "command": ["run", name], "plugins": [{"name": "core"}]}
    (folder / "environment.json").write_text(json.dumps(environment), encoding="utf-8")
    text = "".join(json.dumps(line) + "\n" for line in (journal() if lines is None else lines))
    (folder / "metrics.jsonl").write_text(text, encoding="utf-8")
    return folder


def picture(path: Path, side: int = 20) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (side, side), 128).save(path)


def finish(folder: Path) -> None:
    (folder / "final").mkdir()
    (folder / "final" / "config.json").write_text("{}", encoding="utf-8")


def test_a_whole_run_makes_one_page_of_its_own(tmp_path: Path) -> None:
    make(tmp_path)
    finish(tmp_path)
    picture(tmp_path / "samples/real.png")
    for step in (0, 100, 200):
        picture(tmp_path / f"samples/{step:08d}/preview.png", 20 if step < 200 else 1200)
    path = write_report(tmp_path)
    assert path == tmp_path / "report.html"
    assert not list(tmp_path.glob("*.partial"))
    html = path.read_text(encoding="utf-8")
    seen = checked(html)
    text = " ".join("".join(seen.text).split())
    assert "Finished: 200 steps in 20 s." in text
    assert "Good · collapse" in text
    assert "Everything that was noted (2)" in text
    assert "they have collapsed" in text
    assert "Generated samples, step 200" in text
    assert f"sparring generate {tmp_path} --count 64" in text
    assert "sparring run points/ring" in text
    # Real, last, the slider's, and three over time; each but the slider's, which its script fills, says what it shows.
    images = seen.elements("img")
    assert len(images) == 6
    assert sum(1 for image in images if image.get("alt")) == 5
    # Two metrics, two updates' losses, one critic's logits, the learning rates.
    assert len(seen.elements("svg")) == 6
    assert all(chart["aria-label"] for chart in seen.elements("svg"))
    assert "var(--curve-1)" in html
    assert "#0a0b" not in html


def test_names_and_texts_from_strangers_stay_text(tmp_path: Path) -> None:
    lines = journal(f"critic{HOSTILE}")
    lines[0]["stage"] = lines[-1]["finding"] = lines[-1]["remedy"] = lines[-1]["source"] = HOSTILE
    lines.append({"event": "evaluate", "step": 200, "stage": HOSTILE, "values": {HOSTILE: 1.0}, "time": 1})
    make(tmp_path, name=HOSTILE, lines=lines)
    for place in ("samples/real.txt", "samples/00000100/preview.txt", "samples/00000200/preview.txt"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text(f"a sentence\n{HOSTILE}\n</pre>", encoding="utf-8")
    seen = checked(write_report(tmp_path).read_text(encoding="utf-8"))
    assert len(seen.elements("script")) == 1
    assert len(seen.elements("title")) == 1
    assert "".join(seen.text).count("alert('x')") > 10
    assert "$title" in "".join(seen.text)


@pytest.mark.parametrize("kept", [0, 1, 37, 400, 2000])
def test_a_killed_run_still_has_a_report(tmp_path: Path, kept: int) -> None:
    make(tmp_path)
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(path.read_bytes()[:kept])
    picture(tmp_path / "samples/00000000/preview.png")
    (tmp_path / "samples/00000010").mkdir()
    text = "".join(checked(write_report(tmp_path).read_text(encoding="utf-8")).text)
    assert ("Nothing has been recorded yet." if kept < 100 else "Not finished: the last record") in text
    assert f"sparring resume {tmp_path}" in text


def test_an_empty_folder_and_broken_files_are_no_obstacle(tmp_path: Path) -> None:
    checked(write_report(tmp_path).read_text(encoding="utf-8"))
    (tmp_path / "recipe.yaml").write_text("stages: [{steps: many}, 3]\nname: [", encoding="utf-8")
    (tmp_path / "environment.json").write_text("{", encoding="utf-8")
    (tmp_path / "metrics.jsonl").write_text('3\n{"event": "log", "step": null, "values": 7}\n', encoding="utf-8")
    target = tmp_path / "samples/00000010/preview.png"
    target.parent.mkdir(parents=True)
    target.write_bytes(b"no picture")
    checked(write_report(tmp_path).read_text(encoding="utf-8"))
    (tmp_path / "recipe.yaml").write_text("stages: [{steps: many}, 3]\nname: {}\n", encoding="utf-8")
    checked(write_report(tmp_path).read_text(encoding="utf-8"))


def test_values_that_are_not_finite_are_shown_and_not_drawn(tmp_path: Path) -> None:
    lines = [*journal(), {"event": "evaluate", "step": 200, "stage": "", "values": {"frechet": "nan"}, "time": 21}]
    seen = checked(write_report(make(tmp_path, lines=lines)).read_text(encoding="utf-8"))
    assert "nan" in seen.text


def test_time_of_a_resumed_run_adds_up(tmp_path: Path) -> None:
    lines = [log(10, "a"), log(20, "a"), log(30, "a")]
    for line, moment in zip(lines, (5.0, 9.0, 2.0), strict=True):
        line["time"] = moment
    assert read_run(make(tmp_path, lines=lines)).seconds == 11.0


def test_an_end_with_a_reason_is_told(tmp_path: Path) -> None:
    end = {"event": "end", "step": 200, "time": 20, "reason": "frechet has not improved"}
    lines = [line for line in journal() if line["step"] <= 150]
    html = write_report(make(tmp_path, lines=[*lines, {**end, "step": 150}])).read_text(encoding="utf-8")
    assert "Ended after 150 of 200 steps and 20 s: frechet has not improved." in html


def test_the_best_value_is_marked_where_the_journal_tells_the_direction(tmp_path: Path) -> None:
    start = {"event": "start", "step": 0, "time": 0, "better": {"frechet": "lower"}}
    html = write_report(make(tmp_path, lines=[start, *journal()])).read_text(encoding="utf-8")
    assert html.count('<td class="best">') == 1
    assert '<td class="best">0.5</td>' in html


def test_a_long_run_keeps_the_page_small(tmp_path: Path) -> None:
    lines = [log(step, "imitate", **{"generator/adversarial": 1.0 / step}) for step in range(1, 5001)]
    make(tmp_path, lines=lines)
    for step in range(0, 1000, 10):
        picture(tmp_path / f"samples/{step:08d}/preview.png", 600)
    html = write_report(tmp_path).read_text(encoding="utf-8")
    seen = checked(html)
    assert len(seen.elements("img")) == MOST_FRAMES + 2
    assert len(html) < 400_000


def test_sounds_become_players(tmp_path: Path) -> None:
    make(tmp_path)
    for place in ("samples/real/0.wav", "samples/00000200/0.wav", "samples/00000200/1.wav"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_bytes(b"RIFF")
    players = checked(write_report(tmp_path).read_text(encoding="utf-8")).elements("audio")
    assert len(players) == 3
    assert all(player["src"].startswith("data:audio/wav;base64,") for player in players)


def test_players_name_the_class_that_was_asked_for(tmp_path: Path) -> None:
    make(tmp_path)
    for place in ("real/00000-ice & tea.wav", "00000200/00000-seven.wav", "00000200/00001-one-loud.wav"):
        (tmp_path / "samples" / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "samples" / place).write_bytes(b"RIFF")
    html = write_report(tmp_path).read_text(encoding="utf-8")
    assert len(checked(html).elements("audio")) == 3
    for label in ("ice &amp; tea", "seven", "one-loud"):
        assert f"<b>{label}</b>" in html
    assert "the class that was asked for" in html


def test_captions_say_what_the_samples_are(tmp_path: Path) -> None:
    make(tmp_path)
    picture(tmp_path / "samples/real.png")
    picture(tmp_path / "samples/00000200/preview.png")
    environment = json.loads((tmp_path / "environment.json").read_text(encoding="utf-8"))
    (tmp_path / "environment.json").write_text(json.dumps({**environment, "samples": "spectrograms"}), encoding="utf-8")
    seen = checked(write_report(tmp_path).read_text(encoding="utf-8"))
    assert "Real spectrograms" in seen.text
    assert "Generated spectrograms, step 200" in seen.text
    assert {"Real spectrograms", "Generated spectrograms, step 200"} <= {one["alt"] for one in seen.elements("img")}


def test_real_sentences_stand_beside_generated_ones(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "samples/00000200").mkdir(parents=True)
    (tmp_path / "samples/real.txt").write_text("1  a real sentence\n", encoding="utf-8")
    (tmp_path / "samples/00000200/preview.txt").write_text("1  a generated one\n", encoding="utf-8")
    html = write_report(tmp_path).read_text(encoding="utf-8")
    beside = html[html.index("Real beside generated") :]
    assert beside.index("a real sentence") < beside.index("a generated one")


def test_where_the_best_weights_are_kept_their_step_figures_and_samples_are_shown(tmp_path: Path) -> None:
    make(tmp_path)
    recipe = yaml.safe_load((tmp_path / "recipe.yaml").read_text(encoding="utf-8"))
    kept = {**recipe, "checkpoint": {"every": 50, "keep": {"best": "frechet"}}}
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(kept), encoding="utf-8")
    for step in (100, 150, 200):
        picture(tmp_path / f"samples/{step:08d}/preview.png")
    finish(tmp_path)
    (tmp_path / "final" / "config.json").write_text('{"step": 150}', encoding="utf-8")
    text = " ".join("".join(checked(write_report(tmp_path).read_text(encoding="utf-8")).text).split())
    assert "The weights in final/ are those of step 150, the best by frechet, 0.6667; the figures here are" in text
    assert "frechet0.66672 at step 50" in text, "the figure on top is that of the weights that were kept"
    assert "Generated samples, step 150" in text
    (tmp_path / "final" / "config.json").write_text('{"step": 200}', encoding="utf-8")
    assert "are the last ones, the best by frechet, 0.5" in write_report(tmp_path).read_text(encoding="utf-8")


def test_several_runs_share_a_page(tmp_path: Path) -> None:
    runs = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        runs.append(read_run(make(tmp_path / name, name=name)))
    assert len(checked(page(runs)).elements("h1")) == 2


def test_the_same_run_gives_the_same_page(tmp_path: Path) -> None:
    make(tmp_path)
    first = write_report(tmp_path).read_bytes()
    assert write_report(tmp_path).read_bytes() == first
