"""The shipped recipes have no mistakes, train, and leave something to hear."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import soundfile
import torch
import yaml
from PIL import Image

import sparring_audio
from sparring import api
from sparring.builtin import plugin as core
from sparring.plugins.registry import Registry
from sparring.recipes.check import resolve

FOLDER = Path(__file__).parents[2] / "recipes" / "audio"
RECIPES = sorted(FOLDER.glob("*.yaml"))


@pytest.fixture
def registry() -> Registry:
    """The plugins of the checkout, whether or not they are installed."""
    registry = Registry()
    known = {record.name for record in registry.records}
    for plugin in (core, sparring_audio.plugin):
        if plugin.name not in known:
            registry.add(plugin)
    return registry


def test_there_are_recipes() -> None:
    assert {"spectrogram-numbers", "enhance-speech", "bandwidth-extension"} <= {path.stem for path in RECIPES}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_recipes_have_no_mistakes(path: Path, registry: Registry) -> None:
    values = yaml.safe_load(path.read_text())
    recipe = resolve(values, registry)
    assert recipe.name == f"audio/{path.stem}"
    assert recipe.needs == ["audio"]
    for stage in recipe.stages:
        for name, schedule in stage.schedules.items():
            # Where a rate or a gamma has a schedule, its own number must be the same one, or it would mislead.
            kind, owner, option = name.split(".")
            own = (
                stage.optimizers[owner].options
                if kind == "optimizers"
                else next(term.options for term in stage.terms if term.use == owner)
            )
            assert schedule.options["start"] == own[option]


WORDS = (
    "data.of={use: audio/spoken-numbers, variants: 12, space: {use: audio/waveform, sample_rate: 8000, length: 4000}}"
)
SHORT = [
    *("stages.0.steps=2", "stages.0.batch=3", "stages.1.steps=2", "stages.1.batch=3", "log.every=1"),
    *("evaluate.every=4", "evaluate.count=3", "samples.every=4", "samples.count=2", "checkpoint.every=2"),
]


def logged(folder: Path) -> set[str]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return {name for line in lines if line["event"] == "log" for name in line["values"]}


def test_the_enhancer_imitates_and_then_climbs_a_metric(tmp_path: Path) -> None:
    pytest.importorskip("pesq", reason="the extra `quality` is not installed")
    pytest.importorskip("pystoi", reason="the extra `quality` is not installed")
    changes = [WORDS, *SHORT, "networks.generator.width=4", "networks.generator.hidden=4"]
    changes += ["networks.discriminator.channels=2", "stages.1.objective.history=4", "checkpoint.every=1"]
    result = api.train(FOLDER / "enhance-speech.yaml", out=tmp_path / "run", overrides=changes)
    assert result.status == "finished"
    assert list(result.metrics)[:2] == ["pesq", "pesq_unscored"]
    assert "stoi" in result.metrics
    found = logged(tmp_path / "run")
    assert {"generator/multi-resolution-stft", "discriminator/past", "discriminator/given", "generator/score"} <= found
    trained = api.load(tmp_path / "run")
    made = trained.generate(2, condition={"noisy": torch.zeros(2, 1, 4000)})
    assert made.sample.shape == (2, 1, 4000)
    # From a checkpoint within the climb it ends as it did: the critic's history is part of the state.
    api.resume(tmp_path / "run", step=3, out=tmp_path / "again")
    for role in ("generator", "discriminator"):
        first, second = (tmp_path / one / "final" / f"{role}.safetensors" for one in ("run", "again"))
        assert first.read_bytes() == second.read_bytes()


def test_the_extender_imitates_and_then_contends(tmp_path: Path) -> None:
    pytest.importorskip("pesq", reason="the extra `quality` is not installed")
    changes = [WORDS, *SHORT, "data.rate=4000", "networks.generator.width=4", "networks.generator.depth=1"]
    changes += ["networks.discriminator.channels=2"]
    result = api.train(FOLDER / "bandwidth-extension.yaml", out=tmp_path / "run", overrides=changes)
    assert result.status == "finished"
    assert {"log_spectral_distance", "multi_resolution_stft", "mel_cepstral_distortion"} <= result.metrics.keys()
    assert {"discriminator/adversarial", "generator/feature-matching"} <= logged(tmp_path / "run")


def test_the_numbers_train_two_steps_and_leave_pictures_and_sounds(tmp_path: Path) -> None:
    changes = [
        *("stages.0.steps=2", "stages.0.batch=8", "data.variants=12", "log.every=1"),
        *("evaluate.every=2", "evaluate.count=20", "samples.every=2", "samples.count=8", "checkpoint.every=2"),
        "evaluate.metrics.0.encoder={use: audio/classifier, steps: 10}",
        "evaluate.metrics.1.encoder={use: audio/classifier, steps: 10}",
    ]
    result = api.train(FOLDER / "spectrogram-numbers.yaml", out=tmp_path / "run", overrides=changes)
    assert result.status == "finished"
    assert {"word_accuracy", "frechet", "spectral_distance", "loudness", "silence"} <= result.metrics.keys()
    for drawn in ("00000000", "00000002"):
        folder = tmp_path / "run" / "samples" / drawn
        with Image.open(folder / "preview.png") as picture:
            assert picture.width > 100
        sounds = sorted(folder.rglob("*.wav"))
        assert sounds
        assert soundfile.info(sounds[0]).samplerate == 8000
    assert list((tmp_path / "run" / "samples" / "real").glob("*.wav"))
    assert "<audio" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    environment = json.loads((tmp_path / "run" / "environment.json").read_text())
    assert environment["spaces"]["sample"]["use"] == "audio/log-mel"
    assert environment["spaces"]["sample"]["sample_rate"] == 8000
    trained = api.load(tmp_path / "run")
    batch = trained.generate(3, condition={"label": "seven"})
    assert batch.sample.shape == (3, 1, 64, 32)
    assert batch.condition["label"].tolist() == [7, 7, 7]
