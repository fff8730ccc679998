"""Word accuracy and sound measures on known inputs."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from sparring.data.memory import MemoryData
from sparring.errors import DataError, TrainingError
from sparring.interfaces.data import Batch
from sparring.interfaces.metric import Encoder
from sparring.spaces.array import ArraySpace
from sparring.spaces.label import LabelSpace
from sparring_audio.metrics.diversity import Diversity
from sparring_audio.metrics.generated import SoundMeasures, WordAccuracy, frame_levels, nearest
from tests.audio.files import small_space, tone


class Oracle(Encoder):
    """Takes a sample for the probabilities themselves."""

    name = "oracle"

    def forward(self, sample: Tensor) -> Tensor:
        return sample

    def probabilities(self, sample: Tensor) -> Tensor:
        return sample


class Blind(Encoder):
    name = "blind"

    def forward(self, sample: Tensor) -> Tensor:
        return sample


PROBABILITIES = torch.tensor([[0.9, 0.05, 0.05], [0.1, 0.85, 0.05], [0.4, 0.3, 0.3], [0.05, 0.05, 0.9]])


def test_word_accuracy_on_known_probabilities() -> None:
    metric = WordAccuracy(Oracle())
    real = Batch(PROBABILITIES[:2], {"label": torch.tensor([0, 0])})
    metric.update(real, Batch(PROBABILITIES[:1], {"label": torch.tensor([0])}))
    metric.update(real.rows(slice(0)), Batch(PROBABILITIES[1:], {"label": torch.tensor([2, 0, 2])}))
    values = metric.compute()
    assert next(iter(values)) == "word_accuracy"
    assert values == {"word_accuracy": 0.75, "least_word": 0.5, "sure": 0.5, "real_accuracy": 0.5}
    metric.reset()
    with pytest.raises(DataError):
        metric.compute()


def test_word_accuracy_needs_classes_and_labels() -> None:
    with pytest.raises(DataError) as caught:
        WordAccuracy(Blind())
    assert "audio/classifier" in caught.value.remedy
    with pytest.raises(DataError, match="no probability"):
        WordAccuracy(Oracle(), threshold=1.5)
    with pytest.raises(DataError, match="no label"):
        WordAccuracy(Oracle()).update(Batch(PROBABILITIES), Batch(PROBABILITIES))


def test_the_nearest_sound_is_found() -> None:
    sounds = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 40.0]])
    assert nearest(sounds, sounds).tolist() == [0, 0, 0]
    assert nearest(sounds, sounds, apart=True).tolist() == pytest.approx(
        [10 / math.sqrt(2), 10 / math.sqrt(2), 40 / math.sqrt(2)]
    )
    # A difference of six decibels everywhere is a distance of six decibels.
    assert nearest(torch.zeros(1, 1, 4, 5) - 6, torch.zeros(2, 1, 4, 5)).tolist() == pytest.approx([6])


@pytest.mark.parametrize("level", [1.0, 0.1, 0.01])
def test_a_sine_s_level_is_in_decibels_of_full_scale(level: float) -> None:
    space = small_space()
    decibels = space.decibels(space.encode(tone(1000.0, 1.0, level=level))[None])
    assert frame_levels(decibels)[0, 3:-3].mean().item() == pytest.approx(20 * np.log10(level), abs=0.2)


def test_measures_of_known_sounds() -> None:
    space = small_space()
    loud, soft = (space.encode(tone(1000.0, 1.0, level=level)) for level in (0.5, 0.25))
    half = space.encode(np.concatenate([tone(1000.0, 0.12, level=0.5), np.zeros(960, dtype=np.float32)]))
    silent = -torch.ones(space.shape)
    metric = SoundMeasures(space)
    metric.update(Batch(torch.stack([loud, loud])), Batch(torch.stack([loud, loud])))
    values = metric.compute()
    assert next(iter(values)) == "spectral_distance"
    assert values["spectral_distance"] == 0
    assert values["real_spectral_distance"] == 0
    assert values["loudness"] == values["real_loudness"] == pytest.approx(-6.02, abs=0.5)
    assert values["silence"] == 0
    metric.reset()
    metric.update(Batch(loud[None]), Batch(torch.stack([soft, half, silent, silent])))
    values = metric.compute()
    assert values["silence"] == pytest.approx((0 + 0.45 + 1 + 1) / 4, abs=0.05)
    assert "real_spectral_distance" not in values  # one sound has no other
    assert values["spectral_distance"] > 3
    with pytest.raises(DataError):
        SoundMeasures(space).compute()
    with pytest.raises(DataError, match="ArraySpace"):
        SoundMeasures(ArraySpace([1, 16, 16]))


def made_data(levels: list[float], label: list[int] | None = None) -> MemoryData:
    """Clips of even levels, as parts of the range from -1 to 1, in two classes or none."""
    space = small_space()
    sample = torch.stack([torch.full(space.shape, level) for level in levels])
    conditions = {} if label is None else {"label": (LabelSpace(["a", "b"]), torch.tensor(label))}
    return MemoryData(space, sample, conditions)


def test_diversity_on_known_distances() -> None:
    """The range has 80 dB: levels 0.1 apart are 4 dB apart."""
    data = made_data([0.0, 0.1, 0.5, 0.7], [0, 0, 1, 1])
    metric = Diversity(data)
    every = data.gather(torch.arange(4), rng=torch.Generator())
    metric.update(every, every)
    values = metric.compute()
    assert next(iter(values)) == "spread_error"
    assert values["spread_error"] == pytest.approx(0, abs=1e-4)
    assert values["spread"] == values["real_spread"] == pytest.approx(1)
    assert values["training_distance"] == pytest.approx(0, abs=1e-4)
    metric.reset()
    fake = made_data([0.05, 0.1, 0.6, 0.6], [0, 0, 1, 1]).gather(torch.arange(4), rng=torch.Generator())
    metric.update(every.rows(slice(0)), fake)
    values = metric.compute()
    assert values["spread"] == pytest.approx((0.5 + 0) / 2, abs=1e-4)  # the second class is always the same
    assert values["least_spread"] == pytest.approx(0, abs=1e-4)
    assert values["training_distance"] == pytest.approx((2 + 0 + 4 + 4) / 4, abs=1e-3)
    assert "real_spread" not in values


def test_diversity_without_labels_and_without_samples() -> None:
    data = made_data([0.0, 0.2])
    metric = Diversity(data)
    with pytest.raises(TrainingError, match="no generated"):
        metric.compute()
    every = data.gather(torch.arange(2), rng=torch.Generator())
    metric.update(every, every.rows(slice(1)))
    with pytest.raises(TrainingError, match="two generated"):
        metric.compute()
    metric.update(every.rows(slice(0)), every.rows(slice(1, 2)))
    assert metric.compute()["spread"] == pytest.approx(1)
    with pytest.raises(DataError, match="ArraySpace"):
        Diversity(MemoryData(ArraySpace([1, 4, 4]), torch.zeros(2, 1, 4, 4)))
