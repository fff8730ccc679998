"""Speech and text from Python, with plain modules and with tensors and data that are handed over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import soundfile
import torch
from torch import Tensor, nn
from torch.nn import functional

import sparring
from sparring.data.memory import MemoryData
from sparring.errors import SparringError
from sparring_audio.folder import Folder
from sparring_audio.numbers import recordings
from sparring_audio.spaces import LogMelSpace
from sparring_text.spaces import TokenSpace
from sparring_text.tokens import train as train_tokenizer
from tests.audio.files import fill, small_space
from tests.core.training.running import weights
from tests.domains.recipes import CLIP, audio, text
from tests.text.corpora import SENTENCES, lengths_of

SHAPE = (1, 16, 16)
"""Of the small spectrograms: bands and frames."""


class Maker(nn.Module):
    """A plain generator of anything: it ends in a function such as tanh."""

    latent_shape = (6,)

    def __init__(self, shape: tuple[int, ...], end: nn.Module, classes: int = 0) -> None:
        super().__init__()
        self.embedding = nn.Embedding(max(1, classes), 6)
        self.layer = nn.Linear(6, int(torch.tensor(shape).prod()))
        self.shape, self.end = shape, end

    def forward(self, latent: Tensor, condition: Any) -> Tensor:
        asked = self.embedding(condition["label"]) if "label" in condition else 0.0
        made: Tensor = self.end(self.layer(latent + asked).unflatten(1, self.shape))
        return made


class TokenCritic(nn.Module):
    """A plain critic over one-hot or relaxed rows ``(B, T, V)``."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.embedding = nn.Linear(vocabulary, 8, bias=False)
        self.convolution, self.head = nn.Conv1d(8, 8, 2), nn.Linear(8, 1)

    def forward(self, rows: Tensor) -> Tensor:
        response = self.convolution(self.embedding(rows).transpose(1, 2)).relu()
        logit: Tensor = self.head(response.amax(2))
        return logit


def critic_of(shape: tuple[int, ...]) -> nn.Module:
    size = int(torch.tensor(shape).prod())
    return nn.Sequential(nn.Flatten(), nn.Linear(size, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1))


def spectrogram_networks(classes: int = 0) -> dict[str, nn.Module]:
    torch.manual_seed(0)
    return {"generator": Maker(SHAPE, nn.Tanh(), classes), "discriminator": critic_of(SHAPE)}


def short(recipe: dict[str, Any]) -> dict[str, Any]:
    """Leave out what evaluates: it needs the space that the data bring."""
    return recipe | {"evaluate": None, "samples": {"every": 10, "count": 4}}


def changed(before: dict[str, Tensor], network: nn.Module) -> bool:
    return any(not value.equal(before[name]) for name, value in network.state_dict().items())


# ---- sounds ----


def test_spectrograms_as_a_tensor(tmp_path: Path) -> None:
    space = LogMelSpace(**{name: value for name, value in CLIP.items() if name != "use"} | {"frames": 16})
    sounds = torch.stack([functional.pad(one, (0, space.length))[: space.length] for one in recordings()])
    spectrograms = space.analyse(sounds).repeat(4, 1, 1, 1)
    networks = spectrogram_networks()
    before = {name: value.clone() for name, value in networks["generator"].state_dict().items()}
    result = sparring.train(short(audio()), networks=networks, data=spectrograms, out=tmp_path / "run")
    assert (result.status, result.step) == ("finished", 10)
    assert changed(before, networks["generator"])
    made = sparring.load(tmp_path / "run", networks=spectrogram_networks()).generate(3)
    assert made.sample.shape == (3, *SHAPE)
    # The space that made the tensor turns samples of it into sounds.
    assert space.synthesise(made.sample).shape == (3, space.length)


def test_a_folder_of_sounds_with_plain_modules(tmp_path: Path) -> None:
    for name in ("high", "low"):
        fill(tmp_path / "sounds" / name, 12, lowest=1000.0 if name == "high" else 200.0, seconds=0.2)
    data = Folder(tmp_path / "sounds", small_space())
    recipe = audio() | {"samples": {"every": 10, "count": 4}}  # with metrics: the space says what values mean
    result = sparring.train(recipe, networks=spectrogram_networks(2), data=data, out=tmp_path / "run")
    assert {"spectral_distance", "real_loudness"} <= result.metrics.keys()
    heard = sorted(path.name for path in (tmp_path / "run" / "samples" / "00000010").glob("*.wav"))
    assert heard == ["00000-high.wav", "00001-low.wav", "00002-high.wav", "00003-low.wav"]
    trained = sparring.load(tmp_path / "run", networks=spectrogram_networks(2))
    files = trained.save(trained.generate(2, condition={"label": "low"}), tmp_path / "lows")
    assert [file.name for file in files] == ["00000-low.wav", "00001-low.wav"]
    assert soundfile.info(files[0]).samplerate == 8000


def test_a_run_of_plain_modules_on_sounds_resumes_with_them(tmp_path: Path) -> None:
    fill(tmp_path / "sounds", 24, seconds=0.2)
    data = Folder(tmp_path / "sounds", small_space())
    short_run, long_run = short(audio(steps=6)), short(audio(steps=10))
    for recipe in (short_run, long_run):  # a schedule stretches with its stage
        del recipe["stages"][0]["schedules"]
    sparring.train(long_run, networks=spectrogram_networks(), data=data, out=tmp_path / "whole")
    sparring.train(short_run, networks=spectrogram_networks(), data=data, out=tmp_path / "run")
    changes = ["stages.0.steps=10"]
    sparring.resume(tmp_path / "run", networks=spectrogram_networks(), data=data, overrides=changes)
    assert weights(tmp_path / "run") == weights(tmp_path / "whole")


# ---- sentences ----


@pytest.fixture
def space() -> TokenSpace:
    return TokenSpace(train_tokenizer(SENTENCES, minimum_count=1).to_str(), 10)


@pytest.fixture
def tokens(space: TokenSpace) -> Tensor:
    """Every sentence, as rows ``(N, T)``."""
    return torch.stack([space.encode(sentence) for sentence in SENTENCES])


def test_a_plain_critic_beside_the_lstm(space: TokenSpace, tokens: Tensor, tmp_path: Path) -> None:
    data = MemoryData(space, tokens, lengths=lengths_of(tokens), held_out={"test": torch.arange(0, len(tokens), 10)})
    critic = TokenCritic(space.vocabulary)
    before = {name: value.clone() for name, value in critic.state_dict().items()}
    result = sparring.train(text(tmp_path), networks={"discriminator": critic}, data=data, out=tmp_path / "run")
    assert (result.status, result.step) == ("finished", 20)
    assert 0 < result.metrics["ngram_distance"] < 1
    assert changed(before, critic)
    trained = sparring.load(tmp_path / "run", networks={"discriminator": TokenCritic(space.vocabulary)})
    (file,) = trained.save(trained.generate(5), tmp_path / "written")
    assert len(file.read_text(encoding="utf-8").splitlines()) == 5


def test_one_hot_rows_as_a_tensor(space: TokenSpace, tokens: Tensor, tmp_path: Path) -> None:
    rows = functional.one_hot(tokens, space.vocabulary).float()
    torch.manual_seed(0)
    networks = {
        "generator": Maker(tuple(rows.shape[1:]), nn.Softmax(dim=2)),
        "discriminator": TokenCritic(space.vocabulary),
    }
    recipe = short(audio())  # nothing in it is of sounds alone: the penalties suit any rows
    result = sparring.train(recipe, networks=networks, data=rows, out=tmp_path / "run")
    assert result.status == "finished"
    networks = {"generator": Maker(tuple(rows.shape[1:]), nn.Softmax(dim=2)), "discriminator": critic_of((1,))}
    with pytest.raises(SparringError, match="discriminator"):
        sparring.load(tmp_path / "run", networks=networks)
    networks["discriminator"] = TokenCritic(space.vocabulary)
    made = sparring.load(tmp_path / "run", networks=networks).generate(4).sample
    torch.testing.assert_close(made.sum(2), torch.ones(4, 10))
    assert space.decode(made.argmax(2)[0])


def test_token_numbers_alone_are_no_samples(tokens: Tensor, tmp_path: Path) -> None:
    """Without a space nobody knows how many tokens there are."""
    with pytest.raises(SparringError) as caught:
        sparring.train(text(tmp_path), data=tokens, out=tmp_path / "run")
    assert "floating-point tensor" in str(caught.value)
    assert not (tmp_path / "run").exists()
