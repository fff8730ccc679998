"""The encoders: the classifier learns and leaves the run's randomness alone; random features rank distances."""

from __future__ import annotations

import gc

import pytest
import torch
from torch import Tensor

from sparring.errors import DataError
from sparring.interfaces.data import Batch
from sparring.interfaces.metric import Encoder
from sparring.metrics.classifier import _REMEMBERED
from sparring.metrics.frechet import Frechet
from sparring_image import encoders
from sparring_image.confidence import ClassConfidence
from sparring_image.digits import Digits
from sparring_image.encoders import ClassifierEncoder, RandomFeatures
from sparring_image.spaces import ImageSpace

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def digits() -> Digits:
    return Digits()


@pytest.fixture(scope="module")
def classifier(digits: Digits) -> ClassifierEncoder:
    return ClassifierEncoder(digits)


def held_out(data: Digits) -> Batch:
    test = data.split("test")
    return test.gather(torch.arange(len(test)), rng=torch.Generator())


def test_the_classifier_finds_held_out_digits(classifier: ClassifierEncoder, digits: Digits) -> None:
    assert classifier.accuracy > 0.95
    assert classifier.name == "classifier-8x8"
    batch = held_out(digits)
    probabilities = classifier.probabilities(batch.sample)
    assert probabilities.shape == (len(batch), 10)
    torch.testing.assert_close(probabilities.sum(1), torch.ones(len(batch)))
    right = (probabilities.argmax(1) == batch.condition["label"]).float().mean().item()
    assert right == pytest.approx(classifier.accuracy)
    assert classifier(batch.sample).shape == (len(batch), 64)
    assert not classifier(batch.sample).requires_grad


def test_training_the_classifier_is_deterministic_and_disturbs_nothing() -> None:
    features = []
    sample = torch.rand(5, 1, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    for noise in (1, 2):
        torch.manual_seed(noise)
        before = torch.get_rng_state()
        with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
            encoder = ClassifierEncoder(Digits(), steps=20)
        features.append(encoder(sample))
        assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(features[0], features[1])
    assert not torch.equal(features[0], ClassifierEncoder(Digits(), steps=20, seed=1)(sample))


def test_the_same_data_are_learnt_once(monkeypatch: pytest.MonkeyPatch) -> None:
    data = Digits()
    first = ClassifierEncoder(data, steps=5)
    assert first.accuracy > 0
    monkeypatch.setattr(ClassifierEncoder, "_learn", lambda *_: pytest.fail("trained twice"))
    second = ClassifierEncoder(data, steps=5)
    assert second.accuracy == first.accuracy
    sample = torch.zeros(2, 1, 8, 8)
    assert torch.equal(first(sample), second(sample))
    known = len(_REMEMBERED)
    del data, first, second
    gc.collect()
    assert len(_REMEMBERED) < known


def test_data_without_labels_are_told_of_random_features() -> None:
    with pytest.raises(DataError) as caught:
        ClassifierEncoder(Digits(labels=False))
    assert "image/random-features" in caught.value.remedy


def test_without_held_out_data_the_accuracy_is_unknown() -> None:
    accuracy = ClassifierEncoder(Digits(held_out=0), steps=2).accuracy
    assert accuracy != accuracy  # NaN


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 28, 28), (3, 64, 64), (1, 7, 30)])
def test_any_size_has_features(shape: tuple[int, int, int]) -> None:
    space = ImageSpace(*shape)  # type: ignore[arg-type]
    sample = torch.rand(4, *shape) * 2 - 1
    layers = encoders.convolutions(*shape, width=8)
    assert layers(sample).shape == (4, 64)
    before = torch.get_rng_state()
    encoder = RandomFeatures(space, width=8)
    assert torch.equal(torch.get_rng_state(), before)
    assert encoder(sample).shape == (4, 80)
    assert f"{shape[1]}x{shape[2]}" in encoder.name
    assert torch.equal(encoder(sample), RandomFeatures(space, width=8)(sample))
    assert not torch.equal(encoder(sample), RandomFeatures(space, width=8, seed=1)(sample))
    assert RandomFeatures(space, seed=1).name != encoder.name


@pytest.mark.parametrize("kind", ["classifier", "random"])
def test_distances_grow_with_the_damage(kind: str, classifier: ClassifierEncoder, digits: Digits) -> None:
    encoder: Encoder = classifier if kind == "classifier" else RandomFeatures(digits.space)
    real = held_out(digits)
    training = digits.gather(torch.arange(len(digits)), rng=torch.Generator())
    noise = torch.randn(training.sample.shape, generator=torch.Generator().manual_seed(0))
    distances = []
    for strength in (0.0, 0.2, 0.5, 1.0):
        metric = Frechet(encoder)
        metric.update(real, Batch((training.sample + strength * noise).clamp(-1, 1)))
        distances.append(metric.compute()["frechet"])
    assert distances == sorted(distances)
    assert distances[-1] > 5 * distances[0]


def test_one_class_alone_is_far_from_all(classifier: ClassifierEncoder, digits: Digits) -> None:
    real = held_out(digits)
    for encoder in (classifier, RandomFeatures(digits.space)):
        ones, all_classes = Frechet(encoder), Frechet(encoder)
        training = digits.gather(torch.arange(len(digits)), rng=torch.Generator())
        ones.update(real, training.rows(training.condition["label"] == 1))
        all_classes.update(real, training)
        assert ones.compute()["frechet"] > 5 * all_classes.compute()["frechet"]


class Oracle(Encoder):
    """Takes a sample for the probabilities themselves."""

    name = "oracle"

    def forward(self, sample: Tensor) -> Tensor:
        return sample

    def probabilities(self, sample: Tensor) -> Tensor:
        return sample


def test_confidence_on_known_probabilities() -> None:
    probabilities = torch.tensor([[0.9, 0.05, 0.05], [0.1, 0.85, 0.05], [0.4, 0.3, 0.3], [0.05, 0.05, 0.9]])
    real = Batch(torch.zeros(1, 3))
    metric = ClassConfidence(Oracle())
    metric.update(real, Batch(probabilities[:1], {"label": torch.tensor([0])}))
    metric.update(real, Batch(probabilities[1:], {"label": torch.tensor([2, 0, 2])}))
    values = metric.compute()
    assert next(iter(values)) == "confidence"
    assert values == {"confidence": 0.75, "classes": 3.0, "right_class": 0.75}
    strict = ClassConfidence(Oracle(), threshold=0.89)
    strict.update(real, Batch(probabilities))
    assert strict.compute() == {"confidence": 0.5, "classes": 2.0}
    metric.reset()
    with pytest.raises(DataError):
        metric.compute()


def test_confidence_of_real_digits(classifier: ClassifierEncoder, digits: Digits) -> None:
    real = held_out(digits)
    metric = ClassConfidence(classifier)
    metric.update(real, real)
    values = metric.compute()
    assert values["confidence"] > 0.9
    assert values["classes"] == 10
    assert values["right_class"] == pytest.approx(classifier.accuracy)


def test_nothing_is_sure_about_what_shows_no_digit(classifier: ClassifierEncoder, digits: Digits) -> None:
    """A generator that has learnt nothing must not score: most classifiers are sure of noise, this one is not."""
    draw = torch.Generator().manual_seed(0)
    real = held_out(digits)
    order = torch.randperm(64, generator=draw)
    nothing = {
        "uniform noise": torch.rand(200, 1, 8, 8, generator=draw) * 2 - 1,
        "normal noise": torch.randn(200, 1, 8, 8, generator=draw).clamp(-1, 1),
        "grey": torch.linspace(-1, 1, 21)[:, None, None, None].expand(21, 1, 8, 8),
        "shuffled pixels": real.sample.flatten(1)[:, order].reshape(-1, 1, 8, 8),
    }
    for name, sample in nothing.items():
        metric = ClassConfidence(classifier)
        metric.update(real, Batch(sample))
        assert metric.compute()["confidence"] < 0.02, name


def test_confidence_refuses_what_names_no_classes() -> None:
    with pytest.raises(DataError) as caught:
        ClassConfidence(RandomFeatures(ImageSpace(1, 8, 8)))
    assert "image/classifier" in caught.value.remedy
    with pytest.raises(DataError, match="no probability"):
        ClassConfidence(Oracle(), threshold=1.5)
