"""The classifier learns the words, leaves the run's randomness alone, and is unsure of what is no word."""

from __future__ import annotations

import gc

import pytest
import torch

from sparring.errors import DataError
from sparring.interfaces.data import Batch
from sparring.metrics.classifier import _REMEMBERED, Classifier
from sparring.metrics.frechet import Frechet
from sparring_audio import encoders
from sparring_audio.encoders import ClassifierEncoder
from sparring_audio.numbers import SpokenNumbers
from sparring_audio.spaces import LogMelSpace
from tests.audio.files import small_space


@pytest.fixture(scope="module")
def words() -> SpokenNumbers:
    return SpokenNumbers(variants=40)


@pytest.fixture(scope="module")
def classifier(words: SpokenNumbers) -> ClassifierEncoder:
    return ClassifierEncoder(words, steps=80)


def everything(data: SpokenNumbers) -> Batch:
    return data.gather(torch.arange(len(data)), rng=torch.Generator())


def test_the_classifier_finds_held_out_words(classifier: ClassifierEncoder, words: SpokenNumbers) -> None:
    assert classifier.accuracy > 0.95
    assert classifier.name == "audio-classifier-40x64"
    assert isinstance(classifier, Classifier)
    batch = everything(words.split("test"))
    probabilities = classifier.probabilities(batch.sample)
    assert probabilities.shape == (len(batch), 10)
    torch.testing.assert_close(probabilities.sum(1), torch.ones(len(batch)))
    right = (probabilities.argmax(1) == batch.condition["label"]).float().mean().item()
    assert right == pytest.approx(classifier.accuracy)
    assert classifier(batch.sample).shape == (len(batch), 64)
    assert not classifier(batch.sample).requires_grad


def test_words_are_still_found_after_griffin_lim(classifier: ClassifierEncoder, words: SpokenNumbers) -> None:
    """What is judged as a spectrogram is heard as a sound."""
    space = words.space
    assert isinstance(space, LogMelSpace)
    batch = everything(words.split("test"))
    heard = space.analyse(space.synthesise(batch.sample))
    right = (classifier.probabilities(heard).argmax(1) == batch.condition["label"]).float().mean().item()
    assert right > 0.95


def test_training_the_classifier_is_deterministic_and_disturbs_nothing() -> None:
    features = []
    sample = torch.rand(5, 1, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    for noise in (1, 2):
        torch.manual_seed(noise)
        before = torch.get_rng_state()
        with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
            encoder = ClassifierEncoder(SpokenNumbers(small_space(), variants=10), steps=10)
        features.append(encoder(sample))
        assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(features[0], features[1])
    other = ClassifierEncoder(SpokenNumbers(small_space(), variants=10), steps=10, seed=1)
    assert not torch.equal(features[0], other(sample))


def test_the_same_data_are_learnt_once(monkeypatch: pytest.MonkeyPatch) -> None:
    data = SpokenNumbers(small_space(), variants=10)
    first = ClassifierEncoder(data, steps=3)
    monkeypatch.setattr(ClassifierEncoder, "_learn", lambda *_: pytest.fail("trained twice"))
    second = ClassifierEncoder(data, steps=3)
    assert second.accuracy == first.accuracy
    sample = torch.zeros(2, 1, 16, 16)
    assert torch.equal(first(sample), second(sample))
    known = len(_REMEMBERED)
    del data, first, second
    gc.collect()
    assert len(_REMEMBERED) < known


def test_data_that_cannot_be_learnt() -> None:
    with pytest.raises(DataError, match="no labels"):
        ClassifierEncoder(SpokenNumbers(small_space(), variants=10, labels=False))
    accuracy = ClassifierEncoder(SpokenNumbers(small_space(), variants=10, held_out=0.0), steps=2).accuracy
    assert accuracy != accuracy  # NaN: nothing is held out


@pytest.mark.parametrize("size", [(16, 16), (64, 32), (80, 128), (7, 30)])
def test_any_size_has_features(size: tuple[int, int]) -> None:
    layers = encoders._convolutions(*size, width=4)
    assert layers(torch.rand(4, 1, *size) * 2 - 1).shape == (4, 64)


def test_distances_grow_with_the_damage(classifier: ClassifierEncoder, words: SpokenNumbers) -> None:
    real, training = everything(words.split("test")), everything(words)
    noise = torch.randn(training.sample.shape, generator=torch.Generator().manual_seed(0))
    distances = []
    for strength in (0.0, 0.2, 0.5, 1.0):
        metric = Frechet(classifier)
        metric.update(real, Batch((training.sample + strength * noise).clamp(-1, 1)))
        distances.append(metric.compute()["frechet"])
    assert distances == sorted(distances)
    assert distances[-1] > 5 * distances[0]


def test_nothing_is_sure_about_what_is_no_word(classifier: ClassifierEncoder, words: SpokenNumbers) -> None:
    draw = torch.Generator().manual_seed(0)
    real = everything(words.split("test")).sample
    order = torch.randperm(40 * 64, generator=draw)
    nothing = {
        "uniform noise": torch.rand(100, 1, 40, 64, generator=draw) * 2 - 1,
        "normal noise": torch.randn(100, 1, 40, 64, generator=draw).clamp(-1, 1),
        "one level": torch.linspace(-1, 1, 21)[:, None, None, None].expand(21, 1, 40, 64),
        "shuffled": real.flatten(1)[:, order].reshape(-1, 1, 40, 64),
    }
    for name, sample in nothing.items():
        sure = (classifier.probabilities(sample).amax(1) >= 0.85).float().mean().item()
        assert sure < 0.02, name
