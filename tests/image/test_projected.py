"""The projected critic: what is trained and what is not, its shapes, and steps with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

import sparring
from sparring.errors import CheckpointError
from sparring.interfaces.discriminator import Critique
from sparring.spaces.label import LabelSpace
from sparring.training import checkpoint
from sparring_image.networks.projected import ProjectedDiscriminator, RandomMixing
from sparring_image.spaces import ImageSpace
from tests.core.proofs.parts import adam, assert_same_run, recipe, train_through_a_kill
from tests.image.weights import write_efficientnet

torch.set_num_threads(1)

SPACE = ImageSpace(1, 8, 8)
LABELS = {"label": LabelSpace(["a", "b", "c"])}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_efficientnet(tmp_path_factory.mktemp("weights") / "efficientnet.pth")


def pictures(rows: int, space: ImageSpace = SPACE) -> Tensor:
    return torch.rand(rows, *space.shape, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.mark.parametrize(
    ("space", "side", "logits", "layers"),
    [
        (SPACE, 32, [25, 1, 1, 1], [1, 1, 1, 1]),
        (ImageSpace(3, 20, 20), 64, [25, 25, 1, 1], [1, 1, 1, 1]),
        (ImageSpace(3, 32, 64), 64, [65, 65, 5, 1], [1, 1, 1, 1]),
        (ImageSpace(3, 64, 64), 224, [16, 16, 16, 16], [3, 2, 1, 1]),
    ],
)
def test_each_map_has_a_critic(
    space: ImageSpace, side: int, logits: list[int], layers: list[int], weights: Path
) -> None:
    critic = ProjectedDiscriminator(space, {}, weights, side=side, width=4).eval()
    opinion = critic(pictures(2, space), {})
    assert isinstance(opinion, Critique)
    assert [tuple(one.shape) for one in opinion.logits] == [(2, count) for count in logits]
    assert [len(one) for one in opinion.features] == layers


def test_critics_alone_are_trained(weights: Path) -> None:
    critic = ProjectedDiscriminator(SPACE, LABELS, weights, side=32, width=4)
    trained = {name.split(".")[0] for name, value in critic.named_parameters() if value.requires_grad}
    fixed = {name.split(".")[0] for name, value in critic.named_parameters() if not value.requires_grad}
    assert trained == {"critics"}
    assert fixed == {"mixing"}
    # Of the frozen network there is a hash, and no weight.
    assert [name for name in critic.state_dict() if name.startswith("backbone")] == ["backbone.fingerprint"]


def test_mixing_is_drawn_once_and_keeps_sizes() -> None:
    torch.manual_seed(0)
    first, second = RandomMixing(4), RandomMixing(4)
    maps = [torch.randn(2, channels, side, side) for channels, side in ((24, 8), (40, 4), (112, 2), (320, 1))]
    mixed = first(maps)
    assert [tuple(one.shape) for one in mixed] == [(2, 4, 8, 8), (2, 4, 4, 4), (2, 8, 2, 2), (2, 16, 1, 1)]
    assert not torch.allclose(mixed[0], second(maps)[0])
    # From coarse to fine: what changes in the coarsest map is seen in all; in the finest, in none but its own.
    coarse = first([*maps[:3], maps[3] + 1])
    assert not any(torch.allclose(one, other) for one, other in zip(mixed, coarse, strict=True))
    fine = first([maps[0] + 1, *maps[1:]])
    assert [torch.equal(one, other) for one, other in zip(mixed, fine, strict=True)] == [False, True, True, True]


def test_a_label_moves_every_critic_unless_it_is_not_looked_at(weights: Path) -> None:
    first, second = ({"label": torch.tensor([label, label])} for label in (0, 2))
    critic = ProjectedDiscriminator(SPACE, LABELS, weights, side=32, width=4).eval()
    sample = pictures(2)
    for one, other in zip(critic(sample, first).logits, critic(sample, second).logits, strict=True):
        assert not torch.allclose(one, other)
    blind = ProjectedDiscriminator(SPACE, LABELS, weights, side=32, width=4, label="none").eval()
    assert torch.equal(blind(sample, first).logits[0], blind(sample, second).logits[0])


def test_a_side_that_the_network_cannot_halve_is_refused(weights: Path) -> None:
    with pytest.raises(ValueError, match="side is 48"):
        ProjectedDiscriminator(SPACE, {}, weights, side=48)


# ---- in a run ----


def values(weights: Path) -> dict[str, Any]:
    return recipe(
        "projected-digits",
        data={"use": "image/digits"},
        networks={
            "generator": {"use": "image/dcgan", "latent_dim": 4, "width": 4, "start": 2},
            "discriminator": {"use": "image/projected", "weights": str(weights), "side": 32, "width": 4},
        },
        stages=[
            {
                "objective": {"use": "adversarial", "loss": "hinge", "augmentation": "image/diff-augment"},
                "steps": 3,
                "batch": 4,
                "optimizers": {"generator": adam(0.001), "discriminator": adam(0.001)},
                "ema": {"discriminator": 0.5},
            }
        ],
        save_every=2,
    )


def test_steps_train_the_critics_and_resume(tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sparring.api.write_report", lambda folder: None)
    unbroken = sparring.train(values(weights), out=tmp_path / "unbroken").folder
    train_through_a_kill(values(weights), tmp_path / "killed", at=1, plugins=[])
    assert_same_run(tmp_path / "killed", unbroken)
    before, after = (
        load_file(unbroken / checkpoint.FOLDER / f"{step:08d}" / "discriminator.safetensors") for step in (0, 3)
    )
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert {name for name in changed if not name.startswith("critics.")} == set()
    heads = {
        name
        for name in before
        if name.startswith("critics.") and name.endswith("head.parametrizations.weight.original")
    }
    assert len(heads) == 4
    assert heads <= changed
    assert not any("stages" in name for name in after)  # the frozen network's own


def test_a_run_refuses_other_pretrained_weights(tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sparring.api.write_report", lambda folder: None)
    folder = sparring.train(values(weights), out=tmp_path / "run").folder
    published = torch.load(weights, weights_only=True)
    published["_fc.bias"] += 1
    torch.save(published, tmp_path / "others.pth")
    critic = ProjectedDiscriminator(SPACE, LABELS, tmp_path / "others.pth", side=32, width=4)
    with pytest.raises(CheckpointError, match="trained beside pretrained weights"):
        checkpoint.load_weights(critic, folder / "final" / "discriminator.safetensors", role="discriminator")
