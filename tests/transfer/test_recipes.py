"""The shipped recipes of transfer have no mistakes, start from what they say, and train two steps of each stage."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

import sparring
from sparring.plugins.registry import Registry
from sparring.recipes.check import resolve
from sparring.training.checkpoint import write_weights
from sparring_image.networks.dcgan import DCGANGenerator
from sparring_image.spaces import ImageSpace
from tests.audio.files import fill
from tests.image.files import write_emoji, write_fashion, write_mnist
from tests.text.corpora import SENTENCES, write
from tests.text.pretrained_models import source

FOLDER = Path(__file__).parents[2] / "recipes" / "transfer"
RECIPES = sorted(path.stem for path in FOLDER.glob("*.yaml"))
MEL = {"window": 256, "hop": 64, "mels": 20, "frames": 16, "highest": 4000, "sample_rate": 8000}


@pytest.fixture(autouse=True)
def no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sparring.api.write_report", lambda folder: folder / "report.html")


def values_of(name: str, folder: str = "transfer") -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((FOLDER.parent / folder / f"{name}.yaml").read_text(encoding="utf-8"))
    return found


def trained(values: dict[str, Any], out: Path) -> list[str]:
    """Train two steps of each stage, and return what was said of the first weights."""
    values["log"] = {"every": 1}
    values["checkpoint"]["every"] = 2
    values["samples"] |= {"every": 2, "count": 4}
    for stage in values["stages"]:
        stage |= {"steps": 2, "batch": 4}
    if "evaluate" in values:
        values["evaluate"] |= {"every": 4, "count": 12}
    assert sparring.train(values, out=out).status == "finished"
    said: list[str] = json.loads((out / "environment.json").read_text())["first weights"]
    return said


def digits(name: str, folder: Path) -> dict[str, Any]:
    """Return a recipe of digits with few of them, and a classifier that learns for a moment."""
    values = values_of(name)
    of = {"use": "image/mnist-5000", "path": str(folder / "mnist")}
    values["data"]["of"] = of
    if "per_class" in values["data"]:
        values["data"]["per_class"] = 3
    values["evaluate"]["metrics"] = [
        {"use": "frechet", "encoder": {"use": "image/classifier", "labelled": of, "steps": 2, "width": 2}}
    ]
    for network in values["networks"].values():
        network["width"] = 2
        if "init" in network:
            network["init"]["from"] = str(folder / "source")
    return values


def few_shot(folder: Path) -> list[str]:
    write_mnist(folder / "mnist", 400)
    assert trained(digits("digits-source", folder), folder / "source") == []
    return trained(digits("digits-few-shot", folder), folder / "run")


def outlines(folder: Path) -> list[str]:
    write_fashion(folder / "fashion")
    write_emoji(folder / "emoji")
    first, then = values_of("fast-fashion", "image"), values_of("fashion-to-outlines")
    first["data"]["path"] = str(folder / "fashion")
    del first["evaluate"]
    then["data"] |= {"classes": ["Animals", "People"], "per_class": 2}
    then["data"]["of"]["of"]["path"] = str(folder / "emoji")
    for values in (first, then):
        for network in values["networks"].values():
            network["width"] = 2
            if "init" in network:
                network["init"]["from"] = str(folder / "source")
    trained(first, folder / "source")
    return trained(then, folder / "run")


def faces(folder: Path) -> list[str]:
    values = values_of("faces-to-emoji")
    write_emoji(folder / "emoji")
    values["data"]["of"]["path"] = str(folder / "emoji")
    values["data"]["classes"] = ["Animals", "People"]
    values["networks"]["generator"] |= {"width": 2, "init": {"from": str(folder / "faces.safetensors")}}
    values["networks"]["discriminator"]["width"] = 2
    values["evaluate"]["metrics"] = [{"use": "kernel-distance", "encoder": "image/random-features"}]
    published = DCGANGenerator(ImageSpace(3, 64, 64), {}, latent_dim=100, width=2, start=4)
    write_weights(published, folder / "faces.safetensors")
    return trained(values, folder / "run")


def language(folder: Path) -> list[str]:
    values = values_of("lm-bible")
    lines = str(write(folder / "lines.txt", SENTENCES))
    values["data"] = {"use": "text/lines", "path": lines, "tokens": source("llama"), "length": 12}
    values["networks"]["generator"]["pretrained"] = source("llama")
    values["networks"]["discriminator"]["width"] = 4
    values["evaluate"]["metrics"] = [{"use": "text/distinct"}]
    return trained(values, folder / "run")


def vocoder(folder: Path) -> list[str]:
    fill(folder / "sounds", 8)
    waveform = {"use": "audio/waveform", "sample_rate": 8000, "length": 1024}
    of = {"use": "audio/recordings", "path": str(folder / "sounds"), "space": waveform, "held_out": 0.25}
    found = []
    for name, values in (
        ("source", values_of("istft-vocoder-small", "audio")),
        ("run", values_of("vocoder-speaker")),
    ):
        values["data"] |= {"of": of, "mel": {"use": "audio/mel", **MEL}}
        values["networks"]["generator"] |= {"width": 8, "blocks": 1}
        values["networks"]["discriminator"]["of"] = [{"use": "audio/multi-period", "width": 1, "periods": [2]}]
        for network in values["networks"].values():
            if "init" in network:
                network["init"]["from"] = str(folder / "source")
        for stage in values["stages"]:
            for term in stage["terms"]:
                if term["use"] == "audio/mel-l1":
                    term |= {"windows": [256], "mels": 20}
            for schedule in stage.get("schedules", {}).values():
                schedule.pop("warmup", None)
        found = trained(values, folder / name)
    return found


TRAINED: Mapping[str, tuple[Callable[[Path], list[str]], str]] = {
    "digits-few-shot": (few_shot, "discriminator: 2 parameters frozen by 'blocks.0.*'"),
    "fashion-to-outlines": (outlines, "discriminator: 2 parameters frozen by 'blocks.0.*'"),
    "faces-to-emoji": (faces, "generator: "),
    "lm-bible": (language, "generator: LoRA of rank 8 beside"),
    "vocoder-speaker": (vocoder, "generator: "),
}


def test_every_recipe_is_trained() -> None:
    assert set(RECIPES) == {*TRAINED, "digits-source"}


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_have_no_mistakes(name: str) -> None:
    assert resolve(values_of(name), Registry()).name == f"transfer/{name}"


@pytest.mark.parametrize("name", TRAINED)
def test_two_steps_of_each_stage(name: str, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    run, said = TRAINED[name]
    assert any(sentence.startswith(said) for sentence in run(tmp_path))
