"""ADA: how each change is drawn, how the probability follows the critic, and that a run resumes with it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import sparring
from sparring.errors import DataError
from sparring.spaces.point import PointSpace
from sparring_image.adaptive import OPERATIONS, AdaptiveAugment, Operation
from sparring_image.spaces import ImageSpace
from tests.core.proofs.parts import adam, assert_same_run, recipe, saved_state, train_through_a_kill

torch.set_num_threads(1)

GREY, COLOUR = ImageSpace(1, 8, 8), ImageSpace(3, 8, 8)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(rows: int, space: ImageSpace = COLOUR, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.rand(rows, *space.shape, generator=rng(7), dtype=dtype) * 2 - 1


def change(sample: Tensor, *operations: Operation, probability: float = 1.0, seed: int = 0) -> Tensor:
    """Apply operations to pictures of any size."""
    space = ImageSpace(sample.shape[1], *sample.shape[2:])  # type: ignore[arg-type]
    augmentation = AdaptiveAugment(space, operations, probability=probability)
    changed: Tensor = augmentation(sample, {}, rng=rng(seed))
    return changed


def test_the_lists_are_not_empty() -> None:
    assert len(OPERATIONS) == 12


# ---- shapes and gradients ----


@pytest.mark.parametrize("operation", OPERATIONS)
def test_each_operation_changes_pictures_and_differentiates_twice(operation: Operation) -> None:
    sample = pictures(6)
    changed = change(sample, operation)
    assert changed.shape == sample.shape
    assert changed.isfinite().all()
    assert not torch.equal(changed, sample)
    assert change(sample.bfloat16(), operation).dtype == torch.bfloat16

    def squared(chosen: Tensor) -> Tensor:
        return change(chosen, operation).square()

    exact = pictures(2, dtype=torch.float64)[:, :, :3, :3].clone().requires_grad_(True)
    assert torch.autograd.gradcheck(squared, exact)
    assert torch.autograd.gradgradcheck(squared, exact)


@pytest.mark.parametrize("space", [GREY, COLOUR, ImageSpace(3, 8, 6)], ids=["grey", "colour", "wide"])
def test_all_together_differentiate_twice(space: ImageSpace) -> None:
    augmentation = AdaptiveAugment(space, probability=0.7)
    exact = pictures(3, space, torch.float64)[:, :, :3, :4].clone().requires_grad_(True)
    assert torch.autograd.gradgradcheck(lambda chosen: augmentation(chosen, {}, rng=rng()).square(), exact)


def test_a_probability_of_nothing_changes_nothing() -> None:
    augmentation = AdaptiveAugment(COLOUR, OPERATIONS)
    sample = pictures(5)
    assert torch.equal(augmentation(sample, {}, rng=rng()), sample)
    # So close to 0 that nothing is chosen: the whole way is gone, and pixels come out as they went in.
    augmentation.probability = 1e-12
    torch.testing.assert_close(augmentation(sample, {}, rng=rng()), sample)


# ---- how changes are drawn ----


@pytest.mark.parametrize("operation", [name for name in OPERATIONS if name not in ("flip", "turn", "inversion")])
def test_each_picture_is_changed_with_the_probability(operation: Operation) -> None:
    sample = pictures(1).expand(3000, -1, -1, -1)
    changed = change(sample, operation, probability=0.3)
    share = (changed - sample).flatten(1).abs().amax(1).gt(1e-5).float().mean().item()
    # Translation by at most one of 8 pixels is rounded to nothing in a quarter of the cases.
    expected = 0.3 * (1 - 0.25) if operation == "translation" else 0.3
    assert share == pytest.approx(expected, abs=0.03)


def test_flips_turns_and_inversions_include_doing_nothing() -> None:
    sample = pictures(1).expand(4000, -1, -1, -1)

    def shares(*variants: Tensor, operation: Operation) -> list[float]:
        changed = change(sample, operation)
        return [(changed - one).flatten(1).abs().amax(1).lt(1e-5).float().mean().item() for one in variants]

    one = sample[:1]
    assert shares(one, one.flip(3), operation="flip") == pytest.approx([0.5, 0.5], abs=0.03)
    quarters = [torch.rot90(one, count, (2, 3)) for count in range(4)]
    assert shares(*quarters, operation="turn") == pytest.approx([0.25] * 4, abs=0.03)
    inverted = one - 2 * one.mean(1, keepdim=True)  # lightness alone: the grey part changes its sign
    assert shares(one, inverted, operation="inversion") == pytest.approx([0.5, 0.5], abs=0.03)


def test_turns_of_a_picture_that_is_no_square_keep_its_shape() -> None:
    sample = pictures(1, ImageSpace(3, 4, 6)).expand(200, -1, -1, -1)
    found = {tuple(row.flatten().tolist()) for row in change(sample, "turn")}
    assert found == {tuple(row.flatten().tolist()) for row in (sample[0], sample[0].flip(1, 2))}


def test_quarters_and_flips_and_whole_moves_keep_pixels_exact() -> None:
    sample = pictures(40)
    changed = change(sample, "flip", "turn", "translation")
    for before, after in zip(sample, changed, strict=True):
        assert set(after.flatten().tolist()) <= set(before.flatten().tolist())


def test_moves_follow_the_published_distributions() -> None:
    side, rows = 32, 1000
    place = torch.arange(side).float() - (side - 1) / 2
    # Each pixel holds its own column and row: near the middle, what is found there says where it came from.
    both = torch.stack(torch.meshgrid(place, place, indexing="ij"))[:, None].expand(-1, rows, -1, -1)

    def places(operation: Operation) -> tuple[Tensor, Tensor]:
        """Return the (row, column) that the middle is filled from, and how they change from column to column."""
        changed = torch.stack([change(one[:, None], operation)[:, 0] for one in both], dim=1)
        middle = changed[:, :, 15:17, 15:17]
        return middle.mean((2, 3)), (middle[:, :, :, 1] - middle[:, :, :, 0]).mean(2)

    whole, _ = places("translation")
    assert whole.abs().max() == 4  # an eighth of 32
    assert whole.std().item() == pytest.approx(4 / math.sqrt(3), rel=0.05)
    part, _ = places("fraction")
    inner = part[(part.abs() < 12).all(1)]  # farther moves reach the mirror
    assert inner.std().item() == pytest.approx(0.125 * side, rel=0.1)
    assert (part % 1 > 0.01).float().mean() > 0.9
    _, step = places("scale")
    assert step.norm(dim=1).log2().std().item() == pytest.approx(0.2, rel=0.07)
    _, step = places("rotation")
    torch.testing.assert_close(step.norm(dim=1), torch.ones(rows), atol=1e-3, rtol=0)
    angle = torch.atan2(step[:, 0], step[:, 1])
    assert angle.histc(4, -math.pi, math.pi).div(rows).tolist() == pytest.approx([0.25] * 4, abs=0.05)


def test_colours_follow_the_published_distributions() -> None:
    rows = 3000
    colour = torch.tensor([0.8, 0.1, -0.3])[:, None, None].expand(rows, 3, 1, 1).clone()
    grey = colour.mean(1, keepdim=True)

    def chroma(sample: Tensor) -> Tensor:
        return (sample - sample.mean(1, keepdim=True)).flatten(1)

    brighter = change(colour, "brightness") - colour
    assert brighter.std().item() == pytest.approx(0.2, rel=0.05)
    assert brighter.flatten(1).std(dim=1).max() < 1e-6
    contrast = (change(colour, "contrast") / colour).flatten(1).log2()
    assert contrast[:, 0].std().item() == pytest.approx(0.5, rel=0.05)
    saturated = change(colour, "saturation")
    torch.testing.assert_close(saturated.mean(1, keepdim=True), grey)
    assert (chroma(saturated) / chroma(colour)).log2()[:, 0].std().item() == pytest.approx(1.0, rel=0.05)
    turned = change(colour, "hue")
    torch.testing.assert_close(turned.mean(1, keepdim=True), grey)
    torch.testing.assert_close(chroma(turned).norm(dim=1), chroma(colour).norm(dim=1))
    share = torch.nn.functional.cosine_similarity(chroma(turned), chroma(colour)).gt(0).float().mean()
    assert share.item() == pytest.approx(0.5, abs=0.03)


def test_grey_and_colour_agree_on_lightness() -> None:
    """A grey picture, and the same one in three channels, are changed alike."""
    grey = pictures(8, GREY)
    in_colour = change(grey.expand(-1, 3, -1, -1), "brightness", "contrast", "inversion", "flip")
    torch.testing.assert_close(change(grey, "brightness", "contrast", "inversion", "flip"), in_colour[:, :1])


def test_leaving_one_operation_out_leaves_the_choice_of_others() -> None:
    sample = pictures(64)
    alone, beside = (change(sample, *names, probability=0.5) for names in (("cutout",), ("cutout", "brightness")))
    # Cutout comes last, so that its holes are 0 in both.
    torch.testing.assert_close((alone == 0).any(1).flatten(1).any(1), (beside == 0).any(1).flatten(1).any(1))


def test_what_is_used_by_default() -> None:
    assert AdaptiveAugment(COLOUR).operations == set(OPERATIONS) - {"cutout"}
    assert AdaptiveAugment(GREY).operations == set(OPERATIONS) - {"cutout", "hue", "saturation"}


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(DataError, match="'hue' needs pictures of 3 channels, and these have 1"):
        AdaptiveAugment(GREY, ["flip", "hue"])
    with pytest.raises(DataError, match="image/adaptive works on images"):
        AdaptiveAugment(PointSpace(2))
    with pytest.raises(ValueError, match="horizon is 0"):
        AdaptiveAugment(GREY, horizon=0)
    with pytest.raises(ValueError, match=r"probability is 1\.2"):
        AdaptiveAugment(GREY, probability=1.2)


# ---- the probability ----


def adapt(augmentation: AdaptiveAugment, logits: Tensor, updates: int, samples: int = 50) -> float:
    for _ in range(updates):
        statistic = augmentation.observe(logits)
        assert statistic is not None
        augmentation.adapt(statistic, samples)
    return augmentation.probability


def test_it_rises_every_fourth_update_while_the_critic_is_sure() -> None:
    augmentation = AdaptiveAugment(GREY, horizon=1000)
    sure = torch.tensor([3.0, 0.1, 2.0, 1.0, 0.5, 1.0, 1.0, 1.0, -1.0, 9.0])  # a mean sign of 0.8
    assert adapt(augmentation, sure, 3) == 0.0
    assert adapt(augmentation, sure, 1) == pytest.approx(4 * 50 / 1000)
    assert adapt(augmentation, sure, 8) == pytest.approx(3 * 4 * 50 / 1000)
    assert adapt(augmentation, sure, 80) == 1.0  # no further
    assert adapt(augmentation, torch.tensor([1.0, -1.0]), 4) == pytest.approx(0.8)
    assert adapt(augmentation, torch.tensor([-1.0, -1.0]), 400) == 0.0


def test_it_judges_the_mean_of_four_updates() -> None:
    augmentation = AdaptiveAugment(GREY, horizon=1000, probability=0.5)
    for sign in (1.0, 1.0, 1.0, -1.0):  # mean 0.5, below 0.6
        augmentation.adapt(torch.tensor(sign), 50)
    assert augmentation.probability == pytest.approx(0.3)


def test_the_published_speed() -> None:
    """At a batch of 64 the probability takes 500,000 images from 0 to 1."""
    augmentation = AdaptiveAugment(GREY)
    updates = 500_000 // 64
    assert adapt(augmentation, torch.ones(4), updates // 2, samples=64) == pytest.approx(0.5, abs=0.001)


def test_a_held_probability_adapts_to_nothing() -> None:
    augmentation = AdaptiveAugment(GREY, target=None, probability=0.4)
    assert augmentation.observe(torch.ones(4)) is None
    assert augmentation.probability == pytest.approx(0.4)


# ---- in a run ----


def values(**options: Any) -> dict[str, Any]:
    augmentation = {"use": "image/adaptive", "horizon": 400, **options}
    return recipe(
        "adaptive-digits",
        data={"use": "image/digits"},
        networks={
            "generator": {"use": "mlp", "latent_dim": 4, "width": 8, "depth": 1},
            "discriminator": {"use": "mlp", "width": 16, "depth": 1},
        },
        stages=[
            {
                "objective": {"use": "adversarial", "loss": "non-saturating", "augmentation": augmentation},
                "terms": [{"use": "r1", "gamma": 0.05}],
                "steps": 30,
                "batch": 16,
                "optimizers": {"generator": adam(0.001), "discriminator": adam(0.01)},
            }
        ],
        save_every=10,
    )


def strength(folder: Path, step: int) -> float:
    return float(saved_state(folder, step)["objective"]["augmentation"]["strength"])


def test_it_survives_a_kill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sparring.api.write_report", lambda folder: None)
    unbroken = sparring.train(values(), out=tmp_path / "unbroken").folder
    # 17 is no multiple of 4: the signs gathered so far are part of the state.
    train_through_a_kill(values(), tmp_path / "killed", at=17, plugins=[])
    assert_same_run(tmp_path / "killed", unbroken)
    assert strength(unbroken, 0) == 0
    assert strength(unbroken, 20) > 0
    assert saved_state(unbroken, 10)["objective"]["augmentation"]["updates"] == 2


def test_a_schedule_may_set_the_probability(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sparring.api.write_report", lambda folder: None)
    chosen = values(target=None)
    ramp = {"use": "linear", "start": 0.0, "end": 0.3}
    chosen["stages"][0]["schedules"] = {"objective.augmentation.probability": ramp}
    folder = sparring.train(chosen, out=tmp_path / "run").folder
    assert strength(folder, 20) == pytest.approx(0.3 * 19 / 30)
