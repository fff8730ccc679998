"""Labels and packing in the DCGAN: every way does what its paper says, and none is read where none is wanted."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from sparring.errors import TrainingError
from sparring.networks.packing import pack
from sparring.spaces.label import LabelSpace
from sparring_image.networks.conditioning import ConditionalBatchNorm, join_label_map, project_label
from sparring_image.networks.dcgan import DCGANDiscriminator, DCGANGenerator
from sparring_image.spaces import ImageSpace

torch.set_num_threads(1)

LABELS = {"label": LabelSpace(["a", "b", "c"])}
GREY = ImageSpace(1, 8, 8)


def test_conditional_batch_norm_begins_as_batch_norm() -> None:
    torch.manual_seed(0)
    conditional, plain = ConditionalBatchNorm(4, 3), nn.BatchNorm2d(4)
    hidden = 3 * torch.randn(6, 4, 5, 5) + 2
    label = torch.tensor([0, 1, 2, 0, 1, 2])
    torch.testing.assert_close(conditional(hidden, label), plain(hidden))
    torch.testing.assert_close(conditional.eval()(hidden, label), plain.eval()(hidden))


def test_conditional_batch_norm_scales_and_shifts_by_class() -> None:
    torch.manual_seed(0)
    norm = ConditionalBatchNorm(2, 3)
    with torch.no_grad():
        norm.gain.copy_(torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]))
        norm.bias.copy_(torch.tensor([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]]))
    hidden, label = torch.randn(4, 2, 3, 3), torch.tensor([2, 0, 1, 2])
    mean, variance = hidden.mean((0, 2, 3), keepdim=True), hidden.var((0, 2, 3), keepdim=True, unbiased=False)
    normal = (hidden - mean) / (variance + 1e-5).sqrt()
    expected = torch.stack(
        [
            normal[row, channel] * norm.gain[which, channel] + norm.bias[which, channel]
            for row, which in enumerate(label)
            for channel in range(2)
        ]
    ).view_as(hidden)
    torch.testing.assert_close(norm(hidden, label), expected)


def test_a_gain_of_one_class_changes_that_class_only() -> None:
    torch.manual_seed(0)
    generator = DCGANGenerator(GREY, LABELS, width=4, label="batch-norm").eval()
    latent, label = torch.randn(3, 64), torch.tensor([0, 1, 2])
    before = generator(latent, {"label": label})
    with torch.no_grad():
        for module in generator.modules():
            if isinstance(module, ConditionalBatchNorm):
                module.bias[1] += 1
    changed = (generator(latent, {"label": label}) != before).flatten(1).any(1)
    assert changed.tolist() == [False, True, False]


@pytest.mark.parametrize("label", ["projection", "concatenation"])
def test_the_critic_reads_the_label(label: str) -> None:
    torch.manual_seed(0)
    critic = DCGANDiscriminator(GREY, LABELS, width=4, label=label)  # type: ignore[arg-type]
    sample = torch.randn(1, 1, 8, 8).expand(3, -1, -1, -1)
    logits = critic(sample, {"label": torch.arange(3)}).logits[0]
    assert len(set(logits.tolist())) == 3
    with pytest.raises(TrainingError, match="image/dcgan was built for labelled data"):
        critic(sample, {})


@pytest.mark.parametrize("label", ["projection", "concatenation"])
def test_the_effect_of_a_label_depends_on_the_picture(label: str) -> None:
    """Else the generator could not learn from it which pictures fit a label."""
    torch.manual_seed(0)
    critic = DCGANDiscriminator(GREY, LABELS, width=4, label=label)  # type: ignore[arg-type]
    sample = torch.randn(2, 1, 8, 8)
    effects = (
        critic(sample, {"label": torch.tensor([1, 1])}).logits[0]
        - critic(sample, {"label": torch.tensor([0, 0])}).logits[0]
    )
    assert effects[0].item() != pytest.approx(effects[1].item(), rel=1e-3)


def test_a_critic_that_is_not_to_look_at_labels_has_no_weights_for_them() -> None:
    torch.manual_seed(0)
    unseeing = DCGANDiscriminator(GREY, LABELS, width=4, label="none")
    torch.manual_seed(0)
    unlabelled = DCGANDiscriminator(GREY, {}, width=4)
    assert unseeing.state_dict().keys() == unlabelled.state_dict().keys()
    sample = torch.randn(2, 1, 8, 8)
    assert torch.equal(unseeing(sample, {"label": torch.tensor([0, 2])}).logits[0], unlabelled(sample, {}).logits[0])


def test_a_label_map_is_one_more_channel() -> None:
    maps = nn.Embedding(3, 4 * 6)
    sample, label = torch.randn(2, 3, 4, 6), torch.tensor([2, 0])
    joined = join_label_map(sample, label, maps)
    assert joined.shape == (2, 4, 4, 6)
    assert torch.equal(joined[:, :3], sample)
    assert torch.equal(joined[0, 3].flatten(), maps.weight[2])
    assert torch.equal(joined[1, 3].flatten(), maps.weight[0])


def test_projection_is_an_inner_product() -> None:
    torch.manual_seed(0)
    embedding = nn.Embedding(3, 5)
    hidden, label = torch.randn(4, 5), torch.tensor([0, 2, 1, 2])
    expected = torch.stack([row @ embedding.weight[which] for row, which in zip(hidden, label, strict=True)])
    torch.testing.assert_close(project_label(hidden, label, embedding), expected)


def test_projection_of_a_pack_knows_whose_label_is_whose() -> None:
    torch.manual_seed(0)
    embedding = nn.Embedding(2 * 3, 5)  # two places, three classes
    hidden = torch.randn(1, 5)
    there = project_label(hidden, torch.tensor([0, 2]), embedding, packing=2)
    back = project_label(hidden, torch.tensor([2, 0]), embedding, packing=2)
    torch.testing.assert_close(there, hidden @ (embedding.weight[0] + embedding.weight[3 + 2]))
    assert there.item() != back.item()


def test_a_pack_is_judged_as_one() -> None:
    """PacGAN: pictures lie upon one another as channels, and one logit answers for all of them."""
    torch.manual_seed(0)
    critic = DCGANDiscriminator(ImageSpace(3, 8, 8), {}, width=4, packing=2)
    assert critic.packing == 2
    assert critic.blocks[0][0].weight.shape == (4, 2 * 3, 4, 4)  # type: ignore[index]
    sample = torch.randn(6, 3, 8, 8)
    logits = critic(sample, {}).logits[0]
    assert logits.shape == (3,)
    torch.testing.assert_close(logits[1:2], critic(sample[2:4], {}).logits[0])
    assert torch.equal(pack(sample, 2)[1], torch.cat([sample[2], sample[3]]))
    with pytest.raises(TrainingError, match="leaves 1 over"):
        critic(sample[:5], {})
    with pytest.raises(ValueError, match="packing is 0"):
        DCGANDiscriminator(GREY, {}, packing=0)


def test_only_the_first_layer_of_a_packing_critic_is_larger() -> None:
    """Lin et al. 2018: nothing but the first layer's inputs grow."""
    one, three = (DCGANDiscriminator(GREY, {}, width=4, packing=packing) for packing in (1, 3))
    differing = {name for name, value in one.state_dict().items() if value.shape != three.state_dict()[name].shape}
    assert differing == {"blocks.0.0.weight"}


def test_the_default_ways_are_those_of_before() -> None:
    """A recipe that says nothing of labels keeps its networks: names and shapes of all weights."""
    generator, critic = DCGANGenerator(GREY, LABELS, width=4), DCGANDiscriminator(GREY, LABELS, width=4)
    assert generator.state_dict()["embedding.weight"].shape == (3, 16)
    assert generator.state_dict()["project.weight"].shape == (4 * 4 * 4, 64 + 16)
    assert critic.state_dict()["embedding.weight"].shape == (3, 4 * 4 * 4)
    assert {"blocks.0.0.weight", "head.weight", "head.bias"} < critic.state_dict().keys()


def test_projection_is_divided_by_the_root_of_the_features() -> None:
    torch.manual_seed(0)
    critic = DCGANDiscriminator(GREY, LABELS, width=4)
    label = torch.tensor([0, 2, 1])
    opinion = critic(torch.randn(3, 1, 8, 8), {"label": label})
    hidden = opinion.features[0][-1].flatten(1)
    assert isinstance(critic.embedding, nn.Embedding)
    expected = critic.head(hidden).squeeze(1) + (hidden * critic.embedding(label)).sum(1) / 64**0.5
    torch.testing.assert_close(opinion.logits[0], expected)
