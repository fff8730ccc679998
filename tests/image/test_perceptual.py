"""The perceptual term: its range, its scale, and through which networks it looks."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from sparring.errors import TrainingError
from sparring.interfaces.context import Context
from sparring.interfaces.data import Batch, Condition
from sparring.interfaces.generator import Generator
from sparring.interfaces.metric import Encoder
from sparring_image.digits import Digits
from sparring_image.encoders import ClassifierEncoder, RandomFeatures
from sparring_image.perceptual import FeatureMaps, Perceptual
from sparring_image.spaces import ImageSpace

torch.set_num_threads(1)

SPACE = ImageSpace(1, 8, 8)


class Fixed(Generator):
    """Makes what it is told to."""

    def __init__(self, made: Tensor) -> None:
        super().__init__()
        self.made = nn.Parameter(made.clone())

    def forward(self, latent: Tensor | None, condition: Condition) -> Tensor:
        return self.made


class Pixels(Encoder):
    """Its features are the pixels: one vector, and no maps."""

    name = "pixels"

    def forward(self, sample: Tensor) -> Tensor:
        return sample.flatten(1)


def value(made: Tensor, real: Batch, encoder: Encoder, target: str = "sample") -> Tensor:
    context = Context({"generator": Fixed(made)}, real)
    return Perceptual(encoder, target=target)(context)


def pictures(rows: int = 5, seed: int = 0) -> Tensor:
    return torch.rand(rows, 1, 8, 8, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@pytest.fixture(scope="module")
def classifier() -> ClassifierEncoder:
    return ClassifierEncoder(Digits(), steps=30)


def test_both_encoders_show_their_maps(classifier: ClassifierEncoder) -> None:
    for encoder, depths in ((classifier, 2), (RandomFeatures(SPACE), 3)):
        assert isinstance(encoder, FeatureMaps)
        maps = encoder.feature_maps(pictures())
        assert len(maps) == depths
        assert all(one.shape[0] == 5 and one.dim() == 4 for one in maps)
        assert all(one.min() >= 0 for one in maps)
        for deeper, one in zip(maps[1:], maps, strict=False):
            assert deeper.shape[2] <= one.shape[2]
    assert not isinstance(Pixels(), FeatureMaps)


def test_equal_pictures_are_at_no_distance(classifier: ClassifierEncoder) -> None:
    for encoder in (classifier, RandomFeatures(SPACE), Pixels()):
        assert value(pictures(), Batch(pictures()), encoder).item() == 0
        assert value(pictures(), Batch(pictures(seed=1)), encoder).item() > 0.01


def test_features_of_unit_length_have_known_distances() -> None:
    """Opposites are at 4, what has nothing in common at 2, and the strength of a picture does not count."""
    left, right = torch.zeros(2, 1, 8, 8), torch.zeros(2, 1, 8, 8)
    left[..., :4], right[..., 4:] = 0.5, 0.25
    assert value(left, Batch(-left), Pixels()).item() == pytest.approx(4, rel=1e-4)
    assert value(left, Batch(right), Pixels()).item() == pytest.approx(2, rel=1e-4)
    assert value(left, Batch(2 * left), Pixels()).item() == pytest.approx(0, abs=1e-4)


def test_empty_pictures_give_no_gradient_that_is_no_number() -> None:
    made = Fixed(torch.zeros(2, 1, 8, 8))
    Perceptual(Pixels())(Context({"generator": made}, Batch(torch.zeros(2, 1, 8, 8)))).backward()
    assert made.made.grad is not None
    assert made.made.grad.isfinite().all()


def test_it_teaches_the_generator_and_leaves_the_encoder(classifier: ClassifierEncoder) -> None:
    real, before = Batch(pictures()), [parameter.clone() for parameter in classifier.parameters()]
    generator = Fixed(pictures(seed=1))
    term, context = Perceptual(classifier), Context({"generator": generator}, real)
    optimizer = torch.optim.Adam(generator.parameters(), 0.05)
    first = term(context).item()
    for _ in range(30):
        loss = term(Context({"generator": generator}, real))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.5 * first
    assert all(map(torch.equal, before, classifier.parameters()))
    assert not any(parameter.requires_grad for parameter in classifier.parameters())
    assert term.trains == ("generator",)


def test_a_condition_can_be_the_target() -> None:
    real = Batch(pictures(), {"image": pictures(seed=1)})
    assert value(pictures(seed=1), real, Pixels(), target="conditions.image").item() == 0
    for target in ("conditions.mask", "image", "conditions"):
        with pytest.raises(TrainingError, match="do not give") as caught:
            value(pictures(), real, Pixels(), target=target)
        assert "sample, conditions.image" in caught.value.remedy
    with pytest.raises(TrainingError, match="differ in shape"):
        value(pictures(rows=3), real, Pixels())
