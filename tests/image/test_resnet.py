"""SNGAN's residual networks: the published layout, closed forms of its blocks, and spectral norms of one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from sparring.errors import DataError, TrainingError
from sparring.interfaces.discriminator import Critique
from sparring.interfaces.space import Space
from sparring.plugins.options import options_model
from sparring.spaces.label import LabelSpace
from sparring_image.networks.conditioning import ConditionalBatchNorm
from sparring_image.networks.resnet import ResNetDiscriminator, ResNetGenerator, critic_halvings
from sparring_image.spaces import ImageSpace

torch.set_num_threads(1)

LABELS = {"label": LabelSpace([str(digit) for digit in range(10)])}
SIZES = [(28, 28), (32, 32), (48, 48), (64, 64), (8, 8), (16, 32), (48, 24)]


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def convolution(inputs: int, outputs: int, kernel: int) -> int:
    return (inputs * kernel**2 + 1) * outputs


def test_the_list_is_not_empty() -> None:
    assert len(SIZES) > 5


@pytest.mark.parametrize("conditions", [{}, LABELS], ids=["plain", "labelled"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_shapes(height: int, width: int, channels: int, conditions: Mapping[str, Space]) -> None:
    space = ImageSpace(channels, height, width)  # type: ignore[arg-type]
    generator = ResNetGenerator(space, conditions, latent_dim=5, width=4)
    discriminator = ResNetDiscriminator(space, conditions, width=6)
    condition = {"label": torch.tensor([0, 9, 3])} if conditions else {}
    latent = generator.latent(3, rng=torch.Generator().manual_seed(0))
    assert latent is not None
    sample = generator(latent, condition)
    assert sample.shape == (3, channels, height, width)
    assert sample.abs().max() <= 1
    opinion = discriminator(sample, condition)
    assert isinstance(opinion, Critique)
    assert [logit.shape for logit in opinion.logits] == [(3,)]
    (features,) = opinion.features
    halved = critic_halvings(height, width, None)
    assert len(features) == halved + 2 + 1
    assert features[0].shape == (3, 6, height // 2, width // 2)
    assert features[-2].shape == (3, 6, height >> halved, width >> halved)
    assert features[-1].shape == (3, 6)


def test_the_published_layout_at_32() -> None:
    """For CIFAR-10: 128 values, 4x4x256, three blocks of 256 up; two of 128 down, two as they are."""
    space = ImageSpace(3, 32, 32)
    generator, discriminator = ResNetGenerator(space, {}), ResNetDiscriminator(space, {})
    assert generator.latent_shape == (128,)
    assert generator.start_shape == (256, 4, 4)
    norm = 2 * 256
    block = 2 * norm + 2 * convolution(256, 256, 3) + convolution(256, 256, 1)
    assert count(generator) == 129 * 16 * 256 + 3 * block + norm + convolution(256, 3, 3)
    first = convolution(3, 128, 3) + convolution(128, 128, 3) + convolution(3, 128, 1)
    plain = 2 * convolution(128, 128, 3)
    assert count(discriminator) == first + (plain + convolution(128, 128, 1)) + 2 * plain + 129
    sample = torch.zeros(1, 3, 32, 32)
    sides = [layer.shape[-1] for layer in discriminator(sample, {}).features[0][:-1]]
    assert sides == [16, 8, 8, 8]


def test_the_critic_ends_on_seven_to_thirteen_rows() -> None:
    found = {side: side >> critic_halvings(side, side, None) for side in (16, 28, 32, 40, 48, 64, 96, 128)}
    assert found == {16: 8, 28: 7, 32: 8, 40: 10, 48: 12, 64: 8, 96: 12, 128: 8}
    assert critic_halvings(8, 8, None) == 1
    assert critic_halvings(32, 32, 4) == 3


def test_a_generator_block_is_the_published_one() -> None:
    """Norm, ReLU, enlarge, convolve, norm, ReLU, convolve; beside it, enlarge and convolve."""
    torch.manual_seed(0)
    block: Any = ResNetGenerator(ImageSpace(1, 8, 8), {}, width=4).blocks[0]
    norm, _, _, first, other, _, last = block.residual
    hidden = torch.randn(3, 4, 4, 4)
    larger = functional.interpolate(norm(hidden).relu(), scale_factor=2, mode="nearest")
    residual = last(other(first(larger)).relu())
    shortcut = block.shortcut[0](functional.interpolate(hidden, scale_factor=2, mode="nearest"))
    torch.testing.assert_close(block(hidden, None), residual + shortcut, atol=1e-5, rtol=1e-4)


def test_a_critic_block_is_the_published_one() -> None:
    """ReLU, convolve, ReLU, convolve, average; beside it, convolve and average."""
    torch.manual_seed(0)
    blocks: Any = ResNetDiscriminator(ImageSpace(1, 32, 32), {}, width=4, normalization="none").blocks
    _, first, _, last, _ = blocks[1].residual
    hidden = torch.randn(2, 4, 16, 16)
    residual = functional.avg_pool2d(last(first(hidden.relu()).relu()), 2)
    shortcut = functional.avg_pool2d(blocks[1].shortcut[1](hidden), 2)
    torch.testing.assert_close(blocks[1](hidden), residual + shortcut, atol=1e-5, rtol=1e-4)
    assert blocks[2].shortcut is None
    assert not isinstance(blocks[0].residual[0], nn.ReLU)
    assert isinstance(blocks[2].residual[0], nn.ReLU)


def test_every_layer_of_the_critic_has_a_spectral_norm_of_one() -> None:
    torch.manual_seed(0)
    discriminator = ResNetDiscriminator(ImageSpace(1, 16, 16), LABELS, width=8)
    for _ in range(50):  # each pass in training improves the estimate of the largest singular value
        discriminator(torch.randn(2, 1, 16, 16), {"label": torch.zeros(2, dtype=torch.long)})
    discriminator.eval()
    weights: list[Any] = [module.weight for module in discriminator.modules() if hasattr(module, "parametrizations")]
    layers = [module for module in discriminator.modules() if isinstance(module, (nn.Conv2d, nn.Linear, nn.Embedding))]
    assert len(weights) == len(layers) == 3 + 2 * 2 + 2
    for weight in weights:
        assert torch.linalg.matrix_norm(weight.flatten(1), 2).item() == pytest.approx(1, abs=0.05)
    plain = ResNetDiscriminator(ImageSpace(1, 16, 16), LABELS, width=8, normalization="none")
    assert not any(hasattr(module, "parametrizations") for module in plain.modules())


def test_the_first_weights_are_glorot_s() -> None:
    """Uniform in ± gain · √(6 / (fan-in + fan-out)): gain √2 for 3x3 convolutions, else 1."""
    torch.manual_seed(0)
    generator = ResNetGenerator(ImageSpace(1, 16, 16), {}, width=32)
    block: Any = generator.blocks[0]
    within = (6 / (2 * 9 * 32)) ** 0.5
    project: Any = generator.project
    for weight, bound in (
        (block.residual[3].weight, 2**0.5 * within),
        (block.shortcut[0].weight, (6 / 64) ** 0.5),
        (project.weight, (6 / (128 + 16 * 32)) ** 0.5),
    ):
        assert weight.abs().max().item() == pytest.approx(bound, rel=0.02)
        assert weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.05)


@pytest.mark.parametrize(("label", "norms"), [("batch-norm", 4), ("concatenation", 0)])
def test_labels_of_the_generator(label: str, norms: int) -> None:
    torch.manual_seed(0)
    generator = ResNetGenerator(ImageSpace(1, 16, 16), LABELS, width=4, label=label)  # type: ignore[arg-type]
    assert sum(isinstance(module, ConditionalBatchNorm) for module in generator.modules()) == norms
    with pytest.raises(TrainingError, match="image/resnet was built for labelled data"):
        generator(torch.randn(2, 128), {})


def test_labels_of_the_critic() -> None:
    torch.manual_seed(0)
    sample = torch.randn(1, 1, 16, 16).expand(2, -1, -1, -1)
    different = {"label": torch.tensor([1, 2])}
    for label in ("projection", "concatenation"):
        critic = ResNetDiscriminator(ImageSpace(1, 16, 16), LABELS, width=4, label=label).eval()
        one, other = critic(sample, different).logits[0]
        assert one != other
    unseeing = ResNetDiscriminator(ImageSpace(1, 16, 16), LABELS, width=4, label="none").eval()
    one, other = unseeing(sample, different).logits[0]
    torch.testing.assert_close(one, other)


def test_depth_adds_blocks_and_keeps_the_size() -> None:
    space = ImageSpace(1, 16, 16)
    assert [len(ResNetGenerator(space, {}, width=4, depth=depth).blocks) for depth in (1, 3)] == [2, 6]
    assert [len(ResNetDiscriminator(space, {}, width=4, depth=depth).blocks) for depth in (0, 3)] == [1, 4]
    assert ResNetGenerator(space, {}, width=4, depth=3)(torch.randn(2, 128), {}).shape == (2, 1, 16, 16)
    with pytest.raises(ValueError, match="depth is 0"):
        ResNetGenerator(space, {}, depth=0)


def test_what_does_not_fit_is_said() -> None:
    with pytest.raises(DataError, match="image/resnet cannot work on images of 30x30") as caught:
        ResNetDiscriminator(ImageSpace(1, 30, 30), {})
    assert "28x28 or 32x32" in caught.value.remedy
    with pytest.raises(TrainingError, match="needs a latent"):
        ResNetGenerator(ImageSpace(1, 8, 8), {}, width=4)(None, {})


def test_the_options_of_a_recipe() -> None:
    generator = options_model(ResNetGenerator, "generator")
    assert set(generator.model_fields) == {"space", "latent_dim", "width", "depth", "start", "label", "label_dim"}
    discriminator = options_model(ResNetDiscriminator, "discriminator")
    assert set(discriminator.model_fields) == {"space", "width", "depth", "start", "normalization", "label"}
