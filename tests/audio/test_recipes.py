"""The shipped recipes have no mistakes, train, and leave something to hear."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import soundfile
import torch
import yaml
from PIL import Image

import sparring_audio
from sparring import api
from sparring.builtin import plugin as core
from sparring.errors import DataError
from sparring.plugins.registry import Registry
from sparring.recipes.check import resolve
from sparring_audio.mels import MelSpace
from tests.audio.files import fill, fill_kits, write_voice
from tests.audio.speaking import write_speaker

QUICK = "{use: audio/classifier, steps: 5, width: 4}"
# Each recipe as it is, but for sizes, so that two steps take a second and nothing is fetched.
TINY: dict[str, list[str]] = {
    "gansynth-drums": [
        *("data.path={kits}", "data.space.window=32", "data.space.hop=8", "data.space.frames=32"),
        *("networks.generator.width=2", "networks.discriminator.discriminator.width=2"),
        *(f"evaluate.metrics.0.encoder={QUICK}", f"evaluate.metrics.1.encoder={QUICK}"),
    ],
    "own-recordings": [
        *("data.path={sounds}", "data.space.window=512", "data.space.hop=128", "data.space.mels=16"),
        *("data.space.frames=16", "networks.generator.width=2", "networks.discriminator.width=2"),
    ],
    "specgan-numbers": [
        *("data.variants=12", "data.space.window=32", "data.space.hop=16", "data.space.frames=32"),
        *("networks.generator.width=2", "networks.discriminator.width=2"),
        *(f"evaluate.metrics.0.encoder={QUICK}", f"evaluate.metrics.1.encoder={QUICK}"),
    ],
    "wavegan-drums": [
        *("data.path={kits}", "data.space.length=512"),
        *("networks.generator.width=2", "networks.discriminator.width=2"),
        *(f"evaluate.metrics.0.encoder={QUICK}", f"evaluate.metrics.1.encoder={QUICK}"),
    ],
}
SHORT = [
    *("stages.0.steps=2", "stages.0.batch=4", "log.every=1", "evaluate.every=2", "evaluate.count=20"),
    *("samples.every=2", "samples.count=4", "checkpoint.every=2"),
]
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
    named = {"conditional-numbers", "enhance-speech", "bandwidth-extension", *TINY}
    assert named <= {path.stem for path in RECIPES}


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
TWICE = [
    *("stages.0.steps=2", "stages.0.batch=3", "stages.1.steps=2", "stages.1.batch=3", "log.every=1"),
    *("evaluate.every=4", "evaluate.count=3", "samples.every=4", "samples.count=2", "checkpoint.every=2"),
]


def logged(folder: Path) -> set[str]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return {name for line in lines if line["event"] == "log" for name in line["values"]}


def test_the_enhancer_imitates_and_then_climbs_a_metric(tmp_path: Path) -> None:
    pytest.importorskip("pesq", reason="the extra `quality` is not installed")
    pytest.importorskip("pystoi", reason="the extra `quality` is not installed")
    changes = [WORDS, *TWICE, "networks.generator.width=4", "networks.generator.hidden=4"]
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
    changes = [WORDS, *TWICE, "data.rate=4000", "networks.generator.width=4", "networks.generator.depth=1"]
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
    result = api.train(FOLDER / "conditional-numbers.yaml", out=tmp_path / "run", overrides=changes)
    assert result.status == "finished"
    assert {"word_accuracy", "frechet", "spectral_distance", "loudness", "silence", "spread"} <= result.metrics.keys()
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
    assert batch.sample.shape == (3, 1, 40, 64)
    assert batch.condition["label"].tolist() == [7, 7, 7]


@pytest.mark.parametrize("name", TINY)
def test_other_recipes_train_two_steps(name: str, tmp_path: Path) -> None:
    fill_kits(tmp_path / "kits", 12)
    fill(tmp_path / "sounds", 24, seconds=0.4)
    folders = {"kits": tmp_path / "kits", "sounds": tmp_path / "sounds"}
    changes = [change.format(**folders) if change.startswith("data.path") else change for change in TINY[name]]
    result = api.train(FOLDER / f"{name}.yaml", out=tmp_path / "run", overrides=[*SHORT, *changes])
    assert result.status == "finished"
    assert "spread" in result.metrics
    assert all(math.isfinite(value) for value in result.metrics.values())
    folder = tmp_path / "run" / "samples" / "00000002"
    assert (folder / "preview.png").is_file()
    assert sorted(folder.rglob("*.wav"))
    # The space that the networks' samples live in is read back, statistics and all, where the data are not.
    batch = api.load(tmp_path / "run").generate(2)
    assert len(batch) == 2
    assert batch.sample.isfinite().all()


VOCODERS = sorted(path for path in RECIPES if "hifigan" in path.stem or "vocoder" in path.stem)
TINY_CRITICS = {
    "audio/multi-period": {"periods": [2], "width": 1},
    "audio/multi-scale": {"width": 16},
    "audio/multi-resolution": {"windows": [64], "width": 2},
}


def test_there_are_recipes_of_vocoders() -> None:
    assert {path.stem for path in VOCODERS} >= {
        *("griffin-lim-vocoder", "hifigan-v1", "hifigan-v2", "hifigan-small", "istft-vocoder", "istft-vocoder-small"),
    }


@pytest.mark.parametrize("path", VOCODERS, ids=lambda path: path.stem)
def test_vocoders_train_two_steps_and_leave_sounds(path: Path, tmp_path: Path) -> None:
    """With networks made small, and a voice of six tones in the place of the real one."""
    values = yaml.safe_load(path.read_text())
    changes: list[str] = [
        f"data.of.path={write_voice(tmp_path / 'voice')}",
        "data.of.held_out=0.4",
        *("data.of.space.length=2048", "data.mel.frames=8"),
        *("samples.every=1", "samples.count=2", "checkpoint.every=2", "log.every=1"),
        *("evaluate.every=2", "evaluate.count=3", "networks.generator.width=16"),
        *(f"stages.{index}.{one}=2" for index in range(len(values["stages"])) for one in ("steps", "batch")),
    ]
    if "blocks" in values["networks"]["generator"]:
        changes.append("networks.generator.blocks=1")
    for index, critic in enumerate(values["networks"].get("discriminator", {}).get("of", [])):
        tiny = {**critic, **TINY_CRITICS[critic["use"]]}
        changes.append(f"networks.discriminator.of.{index}={json.dumps(tiny)}")
    result = api.train(path, out=tmp_path / "run", overrides=changes)
    assert result.status == "finished"
    assert {"multi_resolution_stft", "mel_cepstral_distortion", "log_spectral_distance"} <= result.metrics.keys()
    trained = api.load(tmp_path / "run")
    assert isinstance(trained.conditions["mel"], MelSpace)
    batch = trained.generate(3, condition={"mel": torch.zeros(3, 80, 5)})
    assert batch.sample.shape == (3, 1, 5 * 256)
    sounds = sorted((tmp_path / "run" / "samples").rglob("*.wav"))
    assert sounds
    assert soundfile.info(sounds[0]).samplerate == 16000
    # The contract of the spectrograms lies beside the weights, and refuses another dialect by name.
    described = json.loads((tmp_path / "run" / "environment.json").read_text())["spaces"]["conditions"]["mel"]
    assert (described["use"], described["hop"], described["filters"]) == ("audio/mel", 256, "slaney")
    with pytest.raises(DataError, match=r"highest 8000.* Hz here and 7600.* Hz there"):
        trained.conditions["mel"].refuse_mismatch(MelSpace(highest=7600.0))


def test_the_speaker_imitates_contends_and_says_what_is_typed(tmp_path: Path) -> None:
    """With small networks, and a voice of tones in the place of the real one."""
    path = FOLDER / "tts.yaml"
    changes = [
        *(f"data.of.path={write_speaker(tmp_path / 'voice')}", "data.of.held_out=0.4", "data.mel.frames=80"),
        *("networks.generator.width=8", "networks.generator.encoder=1", "networks.generator.decoder=1"),
        *("networks.discriminator.width=2", "networks.discriminator.window=16"),
        *("stages.0.steps=2", "stages.0.batch=3", "stages.1.steps=2", "stages.1.batch=3", "log.every=1"),
        *("evaluate.every=2", "evaluate.count=2", "samples.every=4", "samples.count=2", "checkpoint.every=1"),
    ]
    result = api.train(path, out=tmp_path / "run", overrides=changes)
    assert result.status == "finished"
    assert {"mel_cepstral_distortion", "duration_error", "text_pitch_error"} <= result.metrics.keys()
    assert {"generator/duration", "generator/pitch", "generator/feature-matching"} <= logged(tmp_path / "run")
    assert sorted((tmp_path / "run" / "samples").rglob("*.wav"))
    trained = api.load(tmp_path / "run")
    said = trained.generate(2, condition={"text": "Он+а, м+ама!"})
    assert said.lengths is not None
    assert said.sample.shape[2] == int(said.lengths[0]) == int(said.lengths[1])
    assert torch.equal(said.sample[0], said.sample[1])
    files = trained.save(said, tmp_path / "said")
    assert soundfile.info(files[0]).frames == 256 * said.sample.shape[2]
    with pytest.raises(DataError, match="'3'"):
        trained.generate(1, condition={"text": "дом 3"})
    # From a checkpoint within either stage it ends as it did.
    for step in (1, 3):
        api.resume(tmp_path / "run", step=step, out=tmp_path / f"again-{step}")
        for role in ("generator", "discriminator"):
            first, second = (tmp_path / one / "final" / f"{role}.safetensors" for one in ("run", f"again-{step}"))
            assert first.read_bytes() == second.read_bytes()
