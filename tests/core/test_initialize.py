"""Initialisers: the moments of what they draw, and what they leave alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

from sparring.training.initialize import Initializer, Kaiming, Normal, Orthogonal, Xavier

INITIALIZERS: list[Initializer] = [Normal(), Xavier(), Kaiming(), Orthogonal()]
LAYERS: list[Callable[[], nn.Module]] = [
    lambda: nn.Linear(200, 300),
    lambda: nn.Embedding(200, 300),
    lambda: nn.Conv1d(50, 300, 5),
    lambda: nn.Conv2d(30, 200, 3, groups=2),
    lambda: nn.ConvTranspose2d(64, 32, 4),
]
assert INITIALIZERS
assert LAYERS


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def name(value: object) -> str:
    return type(value).__name__


def weight_of(layer: nn.Module) -> Tensor:
    weight = layer.weight
    assert isinstance(weight, Tensor)
    return weight.detach().clone()


@pytest.mark.parametrize("initializer", INITIALIZERS, ids=name)
@pytest.mark.parametrize("make", LAYERS)
def test_every_layer_is_set_and_repeats_with_its_seed(initializer: Initializer, make: Callable[[], nn.Module]) -> None:
    layer = make()
    before = weight_of(layer)
    initializer(layer, seeded())
    first = weight_of(layer)
    assert not first.equal(before)
    initializer(layer, seeded())
    assert weight_of(layer).equal(first)
    if isinstance(getattr(layer, "bias", None), Tensor):
        assert not torch.count_nonzero(layer.bias)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("initializer", "layer", "variance"),
    [
        (Normal(0.05), nn.Linear(200, 300), 0.05**2),
        (Xavier(2.0), nn.Linear(200, 300), 4 * 2 / 500),
        (Xavier(), nn.Conv2d(40, 60, 3), 2 / (9 * 100)),
        (Kaiming(0.2), nn.Linear(200, 300), 2 / (1.04 * 200)),
        (Kaiming(0.0), nn.Conv2d(40, 60, 3), 2 / (9 * 40)),
        (Kaiming(0.0), nn.ConvTranspose2d(40, 60, 3), 2 / (9 * 40)),
    ],
)
def test_variances(initializer: Initializer, layer: nn.Module, variance: float) -> None:
    initializer(layer, seeded())
    weight = weight_of(layer)
    assert float(weight.var()) == pytest.approx(variance, rel=0.05)
    assert abs(float(weight.mean())) < 5 * (variance / weight.numel()) ** 0.5


def test_orthogonal_rows_are_orthogonal() -> None:
    linear, transposed = nn.Linear(20, 10), nn.ConvTranspose2d(40, 8, 2)
    Orthogonal(1.5)(nn.ModuleList([linear, transposed]), seeded())
    for matrix in (weight_of(linear), weight_of(transposed).transpose(0, 1).flatten(1)):
        torch.testing.assert_close(matrix @ matrix.T, 2.25 * torch.eye(len(matrix)), rtol=1e-4, atol=1e-5)


def test_normal_sets_batch_norm_around_one_and_the_others_leave_it() -> None:
    def fresh() -> nn.BatchNorm2d:
        layer = nn.BatchNorm2d(4096)
        nn.init.constant_(layer.weight, 1.0)
        return layer

    layer = fresh()
    Normal(0.02)(layer, seeded())
    assert layer.weight.mean().item() == pytest.approx(1, abs=0.002)
    assert layer.weight.std().item() == pytest.approx(0.02, rel=0.05)
    for initializer in (Xavier(), Kaiming(), Orthogonal()):
        layer = fresh()
        initializer(layer, seeded())
        assert layer.weight.equal(torch.ones(4096))
    others = nn.ModuleList([nn.LayerNorm(4), nn.GroupNorm(2, 4), nn.InstanceNorm1d(4, affine=True)])
    Normal()(others, seeded())
    assert all(parameter.eq(1).all() or parameter.eq(0).all() for parameter in others.parameters())
    Normal()(nn.BatchNorm1d(3, affine=False), seeded())


@pytest.mark.parametrize("initializer", INITIALIZERS, ids=name)
def test_padding_rows_stay_zero(initializer: Initializer) -> None:
    embedding = nn.Embedding(10, 4, padding_idx=3)
    initializer(embedding, seeded())
    assert not torch.count_nonzero(embedding.weight[3])
    assert torch.count_nonzero(embedding.weight) == 36


@pytest.mark.parametrize("initializer", INITIALIZERS, ids=name)
def test_parametrised_weights_get_the_draw(initializer: Initializer) -> None:
    plain, normed, spectral = nn.Conv1d(6, 6, 3), weight_norm(nn.Conv1d(6, 6, 3)), spectral_norm(nn.Conv1d(6, 6, 3))
    for layer in (plain, normed, spectral):
        initializer(layer, seeded())
    torch.testing.assert_close(weight_of(normed), weight_of(plain))
    original = spectral.get_parameter("parametrizations.weight.original")
    torch.testing.assert_close(original, plain.weight)


def test_frozen_weights_stay() -> None:
    layer = nn.Linear(4, 4).requires_grad_(False)
    before = [parameter.clone() for parameter in layer.parameters()]
    Normal()(nn.Sequential(layer), seeded())
    assert all(now.equal(then) for now, then in zip(layer.parameters(), before, strict=True))


def test_without_a_generator_torchs_own_is_used() -> None:
    layers = [nn.Linear(3, 3), nn.Linear(3, 3)]
    for layer in layers:
        torch.manual_seed(5)
        Xavier()(layer)
    assert layers[0].weight.equal(layers[1].weight)
