"""PatchGAN: what a patch is, the published size, and that conditions count where they should."""

from __future__ import annotations

import pytest
import torch

from sparring.errors import DataError, TrainingError
from sparring.plugins.options import options_model
from sparring.spaces.label import LabelSpace
from sparring_image.networks.patch import PatchDiscriminator, patch_of
from sparring_image.spaces import ImageSpace

torch.set_num_threads(1)

DEPTHS = [
    (256, 3, 70),
    (94, 3, 70),
    (93, 2, 34),
    (64, 2, 34),
    (46, 2, 34),
    (45, 1, 16),
    (32, 1, 16),
    (28, 1, 16),
    (8, 1, 16),
]
NORMALIZATIONS = ["none", "batch", "instance"]


def space(side: int, channels: int = 3) -> ImageSpace:
    return ImageSpace(channels, side, side)  # type: ignore[arg-type]


def test_the_lists_are_not_empty() -> None:
    assert len(DEPTHS) > 5
    assert len(NORMALIZATIONS) == 3


def test_the_paper_s_patches() -> None:
    """Section 3.2 and table 4 of the paper: 16x16, 70x70 and 286x286 pixels."""
    assert [patch_of(halvings) for halvings in (1, 3, 5)] == [16, 70, 286]


def test_the_published_network() -> None:
    """Colour with a colour condition: the authors' code prints 2.769 M parameters; 30x30 patches of 256x256 pixels."""
    network = PatchDiscriminator(space(256), {"image": space(256)}, normalization="batch")
    assert sum(parameter.numel() for parameter in network.parameters()) / 1e6 == pytest.approx(2.769, abs=5e-4)
    logits = network(torch.zeros(1, 3, 256, 256), {"image": torch.zeros(1, 3, 256, 256)}).logits
    assert [logit.shape for logit in logits] == [(1, 30, 30)]


@pytest.mark.parametrize(("side", "halvings", "patch"), DEPTHS)
def test_small_pictures_get_small_patches(side: int, halvings: int, patch: int) -> None:
    network = PatchDiscriminator(space(side), {}, width=2)
    assert len(network.layers) == halvings + 1
    assert network.patch == patch
    critique = network(torch.randn(2, 3, side, side), {})
    assert critique.logits[0].dim() == 3
    assert len(critique.features[0]) == halvings + 1


@pytest.mark.parametrize("halvings", [1, 2, 3])
def test_a_logit_sees_its_patch_and_nothing_else(halvings: int) -> None:
    torch.manual_seed(0)
    side = 96
    network = PatchDiscriminator(space(side), {}, width=4, halvings=halvings).double()
    sample = torch.randn(1, 3, side, side, dtype=torch.double, requires_grad=True)
    logits = network(sample, {}).logits[0]
    middle = logits.shape[1] // 2
    (slope,) = torch.autograd.grad(logits[0, middle, middle], sample)
    for axis in (1, 2):
        touched = slope[0].abs().sum(0).sum(axis - 1).nonzero().flatten()
        assert touched[-1] - touched[0] + 1 == patch_of(halvings)


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_gradients_reach_every_parameter(normalization: str) -> None:
    torch.manual_seed(0)
    network = PatchDiscriminator(space(16), {"image": space(16)}, width=4, normalization=normalization)  # type: ignore[arg-type]
    opinion = network(torch.randn(4, 3, 16, 16), {"image": torch.randn(4, 3, 16, 16)})
    torch.nn.functional.softplus(opinion.logits[0]).sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_conditions_of_any_number_of_channels_are_joined() -> None:
    conditions = {"image": space(16, 1), "mask": space(16, 1)}
    network = PatchDiscriminator(space(16), conditions, width=4)
    sample, image, mask = torch.randn(2, 3, 16, 16), torch.randn(2, 1, 16, 16), torch.zeros(2, 1, 16, 16)
    first = network(sample, {"image": image, "mask": mask}).logits[0]
    assert not torch.equal(first, network(sample, {"image": image, "mask": mask + 1}).logits[0])
    assert not torch.equal(first, network(sample, {"image": -image, "mask": mask}).logits[0])


def test_it_can_be_told_to_look_at_the_sample_alone() -> None:
    network = PatchDiscriminator(space(16), {"image": space(16)}, width=4, conditional=False)
    sample, image = torch.randn(2, 3, 16, 16), torch.randn(2, 3, 16, 16)
    assert torch.equal(network(sample, {"image": image}).logits[0], network(sample, {}).logits[0])


def test_what_does_not_fit_is_said() -> None:
    labels = {"label": LabelSpace(["a", "b"])}
    with pytest.raises(DataError, match="'label'"):
        PatchDiscriminator(space(16), labels)
    PatchDiscriminator(space(16), labels, width=2, conditional=False)
    with pytest.raises(DataError, match="'image'"):
        PatchDiscriminator(space(16), {"image": space(32)})
    with pytest.raises(DataError, match="works on images"):
        PatchDiscriminator(labels["label"], {})
    for side, halvings in ((4, None), (16, 3), (64, 0), (256, 6)):
        with pytest.raises(DataError, match=f"{side}x{side}") as caught:
            PatchDiscriminator(space(side), {}, halvings=halvings)
        assert caught.value.where == "halvings"
    network = PatchDiscriminator(space(16), {"image": space(16)}, width=2)
    with pytest.raises(TrainingError, match="no image"):
        network(torch.randn(2, 3, 16, 16), {})


def test_the_options_of_a_recipe() -> None:
    options = set(options_model(PatchDiscriminator, "discriminator").model_fields)
    assert options == {"space", "width", "halvings", "conditional", "normalization"}
