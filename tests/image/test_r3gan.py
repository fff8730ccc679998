"""R3GAN: the published layout, its first weights in closed form, and resampling by known answers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import nn

from sparring.errors import DataError, TrainingError
from sparring.interfaces.discriminator import Critique
from sparring.interfaces.space import Space
from sparring.plugins.options import options_model
from sparring.spaces.label import LabelSpace
from sparring_image.networks.r3gan import Block, Doubling, Halving, R3GANDiscriminator, R3GANGenerator
from sparring_image.spaces import ImageSpace

torch.set_num_threads(1)

LABELS = {"label": LabelSpace([str(digit) for digit in range(10)])}
SIZES = [(28, 28), (32, 32), (48, 48), (64, 64), (8, 8), (16, 32), (48, 24)]
GAIN = math.sqrt(2 / 1.04)


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_the_list_is_not_empty() -> None:
    assert len(SIZES) > 5


@pytest.mark.parametrize("conditions", [{}, LABELS], ids=["plain", "labelled"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_shapes(height: int, width: int, channels: int, conditions: Mapping[str, Space]) -> None:
    space = ImageSpace(channels, height, width)  # type: ignore[arg-type]
    generator = R3GANGenerator(space, conditions, latent_dim=5, width=8, blocks=1)
    discriminator = R3GANDiscriminator(space, conditions, width=8, blocks=1)
    condition = {"label": torch.tensor([0, 9, 3])} if conditions else {}
    latent = generator.latent(3, rng=torch.Generator().manual_seed(0))
    assert latent is not None
    sample = generator(latent, condition)
    assert sample.shape == (3, channels, height, width)
    opinion = discriminator(sample, condition)
    assert isinstance(opinion, Critique)
    assert [logit.shape for logit in opinion.logits] == [(3,)]
    (features,) = opinion.features
    assert len(features) == len(generator.stages) + 1
    assert features[0].shape == (3, 8, height // 2, width // 2)
    assert features[-1].shape == (3, 8)


def test_the_published_size_for_cifar() -> None:
    """Four stages of 768 channels, two blocks each: the paper has about 20M parameters a network, 40M in all."""
    space, inner = ImageSpace(3, 32, 32), 2 * 768
    with torch.device("meta"):  # counted, not filled
        generator, discriminator = R3GANGenerator(space, LABELS), R3GANDiscriminator(space, LABELS)
    block = 768 * inner + inner + 16 * 9 * inner + inner + inner * 768
    basis, picture = 16 * 768, 3 * 768
    assert count(generator) == 8 * block + basis + 2 * 64 * 768 + 10 * 64 + picture
    assert count(discriminator) == 8 * block + basis + 768 * 768 + 10 * 768 + picture
    assert count(generator) + count(discriminator) == pytest.approx(40e6, rel=0.06)
    assert [len(stage) for stage in generator.stages] == [2, 3, 3, 3]  # type: ignore[arg-type]
    assert generator.basis.shape == (768, 4, 4)
    assert discriminator.to_features.weight.shape == (768, 1, 4, 4)
    groups = {module.groups for module in generator.modules() if isinstance(module, nn.Conv2d)}
    assert groups == {1, inner // 16}


@pytest.mark.parametrize("blocks", [1, 2, 4])
def test_the_first_weights_of_a_block(blocks: int) -> None:
    """N(0, gain² · L^(-1/2) / fan-in), L blocks in all; the last convolution zero; biases zero."""
    torch.manual_seed(0)
    generator = R3GANGenerator(ImageSpace(1, 8, 8), {}, width=64, blocks=blocks)
    found = [module for module in generator.modules() if isinstance(module, Block)]
    total = 2 * blocks  # 8x8 has two stages
    assert len(found) == total
    for block in found:
        residual: Any = block.residual
        first, _, middle, _, last = residual
        assert first.weight.std().item() == pytest.approx(GAIN * total**-0.25 / math.sqrt(64), rel=0.04)
        assert middle.weight.std().item() == pytest.approx(GAIN * total**-0.25 / math.sqrt(16 * 9), rel=0.04)
        assert not last.weight.any()
        assert not first.bias.any()
        assert not middle.bias.any()
        assert last.bias is None


def test_the_first_weights_outside_blocks() -> None:
    """Unit gain: N(0, 1 / fan-in); the basis N(0, 1); a label's embedding is a linear layer of ten inputs."""
    torch.manual_seed(0)
    space = ImageSpace(3, 16, 16)
    generator = R3GANGenerator(space, LABELS, width=[128, 64, 64])
    discriminator = R3GANDiscriminator(space, LABELS, width=[256, 64, 64])
    assert generator.embedding is not None
    assert discriminator.embedding is not None
    expected = [
        (generator.basis, 1.0),
        (generator.project.weight, 1 / math.sqrt(128)),
        (generator.embedding.weight, 1 / math.sqrt(10)),
        (generator.to_picture.weight, 1 / math.sqrt(64)),
        (discriminator.from_picture.weight, 1 / math.sqrt(3)),
        (discriminator.to_features.weight, 1 / math.sqrt(16)),
        (discriminator.head.weight, 1 / math.sqrt(256)),
        (discriminator.embedding.weight, 1 / math.sqrt(10 * 256)),
    ]
    for weight, deviation in expected:
        assert weight.std().item() == pytest.approx(deviation, rel=0.08)
        assert abs(weight.mean().item()) < 0.2 * deviation


def test_every_block_starts_as_the_identity() -> None:
    torch.manual_seed(0)
    block = Block(8, 16, total=4)
    hidden = torch.randn(2, 8, 5, 5)
    assert torch.equal(block(hidden), hidden)
    generator = R3GANGenerator(ImageSpace(1, 16, 16), {}, width=8)
    one, other = torch.randn(2, 2, 64)
    # With residuals of zero the whole generator is linear in the latent.
    torch.testing.assert_close(
        generator(one + 3 * other, {}), generator(one, {}) + 3 * generator(other, {}), atol=1e-5, rtol=1e-4
    )


def test_a_block_is_the_published_one() -> None:
    """A bias goes with each activation: x + C3 lrelu(C2 lrelu(C1 x + b1) + b2), with the convolutions written out."""
    torch.manual_seed(0)
    block = Block(16, 16, total=4)
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.copy_(0.3 * torch.randn_like(parameter))
    residual: Any = block.residual
    first, _, middle, _, last = residual
    hidden = torch.randn(2, 16, 3, 3)
    expected = torch.einsum("oi,bihw->bohw", first.weight[:, :, 0, 0], hidden)
    expected = torch.where(expected + first.bias[:, None, None] > 0, 1, 0.2) * (expected + first.bias[:, None, None])
    patches = torch.nn.functional.unfold(expected, 3, padding=1).view(2, 2, 16 * 9, 9)  # two groups of 16 channels
    expected = torch.einsum("gop,bgpn->bgon", middle.weight.view(2, 16, 16 * 9), patches).reshape(2, 32, 3, 3)
    expected = torch.nn.functional.leaky_relu(expected + middle.bias[:, None, None], 0.2)
    expected = hidden + torch.einsum("oi,bihw->bohw", last.weight[:, :, 0, 0], expected)
    torch.testing.assert_close(block(hidden), expected, atol=1e-5, rtol=1e-4)


def test_halving_averages_one_two_one() -> None:
    line = torch.arange(1.0, 9.0)
    smaller = Halving(1, 1)(line.expand(1, 1, 8, 8))
    # Each value is ¼ left + ½ itself + ¼ right, at every other place; beyond the border there are zeros.
    across = torch.tensor([0.25 * 0 + 0.5 * 1 + 0.25 * 2, 3.0, 5.0, 7.0])
    down = torch.tensor([0.75, 1.0, 1.0, 1.0])
    torch.testing.assert_close(smaller[0, 0], torch.outer(down, across))


def test_doubling_interpolates_linearly() -> None:
    larger = Doubling(1, 1)(torch.tensor([[1.0, 3.0], [1.0, 3.0]])[None, None])
    # What was there stays; between two values lies their mean, and beyond the border there are zeros.
    torch.testing.assert_close(larger[0, 0, 0], torch.tensor([1.0, 2.0, 3.0, 1.5]))
    torch.testing.assert_close(larger[0, 0, 3], torch.tensor([0.5, 1.0, 1.5, 0.75]))


def test_doubling_is_halving_transposed() -> None:
    """⟨halve x, y⟩ = ⟨x, double y⟩ / 4: the two have the same weights, read both ways."""
    torch.manual_seed(0)
    large, small = torch.randn(2, 3, 8, 6), torch.randn(2, 3, 4, 3)
    left = (Halving(3, 3)(large) * small).sum()
    right = (large * Doubling(3, 3)(small)).sum() / 4
    torch.testing.assert_close(left, right)


def test_a_constant_stays_what_it_is_within_the_border() -> None:
    ones = torch.ones(1, 2, 8, 8)
    torch.testing.assert_close(Halving(2, 2)(ones)[..., 1:, 1:], ones[..., :3, :3])
    torch.testing.assert_close(Doubling(2, 2)(ones)[..., :-1, :-1], torch.ones(1, 2, 15, 15))


def test_widths_and_blocks_by_stage() -> None:
    space = ImageSpace(1, 28, 28)  # stages of 7, 14 and 28 rows
    generator = R3GANGenerator(space, {}, width=[24, 16, 8], blocks=[3, 2, 1])
    discriminator = R3GANDiscriminator(space, {}, width=[24, 16, 8], blocks=[3, 2, 1])
    assert [len(stage) for stage in generator.stages] == [3, 1 + 2, 1 + 1]  # type: ignore[arg-type]
    assert [len(stage) for stage in discriminator.stages] == [1 + 1, 2 + 1, 3]  # type: ignore[arg-type]
    sample = generator(torch.randn(2, 64), {})
    shapes = [tuple(layer.shape[1:]) for layer in discriminator(sample, {}).features[0]]
    assert shapes == [(16, 14, 14), (24, 7, 7), (24, 7, 7), (24,)]


def test_labels() -> None:
    torch.manual_seed(0)
    space, different = ImageSpace(1, 8, 8), {"label": torch.tensor([1, 2])}
    generator = R3GANGenerator(space, LABELS, width=8)
    pictures = generator(torch.randn(1, 64).expand(2, -1), different)
    assert not torch.equal(pictures[0], pictures[1])
    sample = pictures[:1].expand(2, -1, -1, -1)
    for label in ("projection", "concatenation"):
        one, other = R3GANDiscriminator(space, LABELS, width=8, label=label)(sample, different).logits[0]
        assert one != other
    one, other = R3GANDiscriminator(space, LABELS, width=8, label="none")(sample, different).logits[0]
    torch.testing.assert_close(one, other)
    with pytest.raises(TrainingError, match="image/r3gan was built for labelled data"):
        generator(torch.randn(2, 64), {})


def test_what_does_not_fit_is_said() -> None:
    space = ImageSpace(1, 28, 28)
    with pytest.raises(DataError, match="has 3 stages for these pictures, and width gives 4"):
        R3GANGenerator(space, {}, width=[8, 8, 8, 8])
    with pytest.raises(DataError, match="must be above 0"):
        R3GANDiscriminator(space, {}, width=8, blocks=[1, 1, 0])
    with pytest.raises(ValueError, match="multiple of group_width, 16"):
        R3GANGenerator(space, {}, width=12)
    with pytest.raises(DataError, match="image/r3gan cannot work on images of 30x30"):
        R3GANGenerator(ImageSpace(1, 30, 30), {})
    with pytest.raises(TrainingError, match="needs a latent"):
        R3GANGenerator(space, {}, width=8)(None, {})


def test_the_options_of_a_recipe() -> None:
    shared = {"space", "width", "blocks", "group_width", "start"}
    assert set(options_model(R3GANGenerator, "generator").model_fields) == shared | {"latent_dim"}
    assert set(options_model(R3GANDiscriminator, "discriminator").model_fields) == shared | {"label"}
    model = options_model(R3GANGenerator, "generator")
    assert model.model_validate({"width": [24, 16, 8]}).width == [24, 16, 8]  # type: ignore[attr-defined]
    assert model.model_validate({"width": 24}).width == 24  # type: ignore[attr-defined]
