"""DiffAugment: what each operation does, that strength 0 does nothing, and that it differentiates twice."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from sparring.errors import DataError
from sparring.spaces.point import PointSpace
from sparring_image.diff_augment import DiffAugment, Operation
from sparring_image.resampling import cut_out, shift, warp
from sparring_image.spaces import ImageSpace

torch.set_num_threads(1)

GREY, COLOUR = ImageSpace(1, 12, 9), ImageSpace(3, 12, 9)
OPERATIONS: tuple[Operation, ...] = get_args(Operation)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(rows: int, space: ImageSpace = COLOUR, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.rand(rows, *space.shape, generator=rng(7), dtype=dtype) * 2 - 1


def test_the_lists_are_not_empty() -> None:
    assert len(OPERATIONS) == 3


@pytest.mark.parametrize("space", [GREY, COLOUR], ids=["grey", "colour"])
@pytest.mark.parametrize("operations", [*[[name] for name in OPERATIONS], list(OPERATIONS)], ids="+".join)
def test_shape_type_and_gradients(operations: list[Operation], space: ImageSpace) -> None:
    augmentation = DiffAugment(space, operations)
    sample = pictures(4, space)
    changed = augmentation(sample, {}, rng=rng())
    assert changed.shape == sample.shape
    assert changed.dtype == sample.dtype
    assert not torch.equal(changed, sample)
    half = augmentation(sample.bfloat16(), {}, rng=rng())
    assert half.dtype == torch.bfloat16

    def squared(chosen: Tensor) -> Tensor:
        return augmentation(chosen, {}, rng=rng()).square()  # type: ignore[no-any-return]

    exact = pictures(2, space, torch.float64)[:, :, :5, :4].requires_grad_(True)
    assert torch.autograd.gradcheck(squared, exact)
    assert torch.autograd.gradgradcheck(squared, exact)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_no_strength_changes_nothing(operation: Operation) -> None:
    augmentation = DiffAugment(COLOUR, [operation], colour=0.0, translation=0.0, cutout=0.0)
    torch.testing.assert_close(augmentation(pictures(8), {}, rng=rng()), pictures(8))


def test_rows_change_apart() -> None:
    same = pictures(1).expand(50, -1, -1, -1)
    for operation in OPERATIONS:
        changed = DiffAugment(COLOUR, [operation], translation=0.5)(same, {}, rng=rng())
        assert len(torch.unique(changed.flatten(1), dim=0)) > 20, operation


def test_translation_moves_up_to_an_eighth_and_fills_with_grey() -> None:
    space = ImageSpace(1, 32, 16)
    sample = torch.ones(2000, 1, 32, 16)
    changed = DiffAugment(space, ["translation"])(sample, {}, rng=rng())
    rows, columns = changed[:, 0, :, 8].sum(1), changed[:, 0, 16].sum(1)
    # By 4 rows and 2 columns at most, each move as likely as another: a ninth and a fifth stay where they are.
    assert set(rows.tolist()) == {28.0, 29.0, 30.0, 31.0, 32.0}
    assert set(columns.tolist()) == {14.0, 15.0, 16.0}
    assert (rows == 32).float().mean().item() == pytest.approx(1 / 9, abs=0.03)
    assert (columns == 16).float().mean().item() == pytest.approx(1 / 5, abs=0.04)
    # Up as often as down: the first row is lost as often as the last.
    assert (changed[:, 0, 0, 8] == 0).float().mean().item() == pytest.approx(4 / 9, abs=0.05)
    assert set(changed.unique().tolist()) == {0.0, 1.0}


@pytest.mark.parametrize("side", [8, 9])
def test_cutout_covers_a_rectangle_of_half_the_side(side: int) -> None:
    sample = torch.ones(4000, 1, side, side)
    changed = DiffAugment(ImageSpace(1, side, side), ["cutout"])(sample, {}, rng=rng())[:, 0]
    covered = (changed == 0).float()
    rows, columns = covered.amax(2).sum(1), covered.amax(1).sum(1)
    torch.testing.assert_close(covered.sum((1, 2)), rows * columns)  # one rectangle each
    assert rows.max() == columns.max() == round(side / 2)
    # Its centre lies anywhere, so that the middle of the picture is covered most.
    often = covered.mean(0)
    assert often[side // 2, side // 2] > 1.5 * often[0, 0]


def test_colour_follows_the_published_ranges() -> None:
    # Half red and half black: brightness moves the mean, contrast and saturation the distances from it.
    sample = torch.zeros(5000, 3, 1, 2)
    sample[:, 0, :, 0] = 1.0
    changed = DiffAugment(COLOUR, ["colour"])(sample, {}, rng=rng())
    moved = changed.mean((1, 2, 3)) - sample.mean((1, 2, 3))
    assert moved.min().item() == pytest.approx(-0.5, abs=0.01)
    assert moved.max().item() == pytest.approx(0.5, abs=0.01)
    # The greys of the two pixels lie 1/3 apart, which contrast alone changes: by 0.5 to 1.5.
    contrast = 3 * (changed[:, :, 0, 0].mean(1) - changed[:, :, 0, 1].mean(1))
    assert contrast.min().item() == pytest.approx(0.5, abs=0.01)
    assert contrast.max().item() == pytest.approx(1.5, abs=0.01)
    saturation = (changed[:, 0, 0, 0] - changed[:, 1, 0, 0]) / contrast
    assert saturation.min().item() == pytest.approx(0.0, abs=0.01)
    assert saturation.max().item() == pytest.approx(2.0, abs=0.01)
    assert saturation.mean().item() == pytest.approx(1.0, abs=0.03)


def test_grey_has_no_saturation() -> None:
    sample = torch.tensor([-0.5, 0.5]).expand(3000, 1, 1, 2)
    changed = DiffAugment(GREY, ["colour"])(sample, {}, rng=rng())
    spread = (changed[:, 0, 0, 1] - changed[:, 0, 0, 0]).sort().values
    assert spread[0].item() == pytest.approx(0.5, abs=0.01)
    assert spread[-1].item() == pytest.approx(1.5, abs=0.01)


def test_operations_are_taken_in_their_order() -> None:
    sample = pictures(6)
    first = DiffAugment(COLOUR, ["cutout", "colour"])(sample, {}, rng=rng())
    # Recoloured after the cut, the hole is grey no more.
    assert not (first == 0).any()
    assert (DiffAugment(COLOUR, ["colour", "cutout"])(sample, {}, rng=rng()) == 0).any()


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(DataError, match="image/diff-augment works on images"):
        DiffAugment(PointSpace(2))
    with pytest.raises(ValueError, match=r"cutout is 1\.5"):
        DiffAugment(COLOUR, cutout=1.5)


# ---- what it is made of ----


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 7), st.integers(1, 7), st.integers(-8, 8), st.integers(-8, 8))
def test_shift_moves_pixels(height: int, width: int, down: int, right: int) -> None:
    sample = torch.arange(1.0, height * width + 1).view(1, 1, height, width)
    moved = shift(sample, torch.tensor([down]), torch.tensor([right]))[0, 0]
    for row in range(height):
        for column in range(width):
            inside = 0 <= row - down < height and 0 <= column - right < width
            assert moved[row, column] == (sample[0, 0, row - down, column - right] if inside else 0)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 9), st.integers(2, 9), st.integers(0, 1000))
def test_warp_agrees_with_torch(height: int, width: int, seed: int) -> None:
    draw = rng(seed)
    sample = torch.randn(3, 2, height, width, generator=draw)
    source = torch.randn(3, 2, 3, generator=draw) * torch.tensor([1.0, 1.0, 4.0])
    # torch's places run from -1 to 1 between the centres of the first and the last pixel.
    scale = torch.tensor([(width - 1) / 2, (height - 1) / 2])
    theirs = source * torch.cat([scale, torch.ones(1)]) / scale[:, None]
    grid = torch.nn.functional.affine_grid(theirs, list(sample.shape), align_corners=True)
    expected = torch.nn.functional.grid_sample(sample, grid, padding_mode="reflection", align_corners=True)
    torch.testing.assert_close(warp(sample, source), expected, atol=2e-4, rtol=1e-4)


def test_warp_of_a_single_row() -> None:
    sample = torch.tensor([[[[1.0, 2.0, 3.0]]]])
    upside_down = torch.tensor([[[1.0, 0.0, 0.0], [0.0, -1.0, 5.0]]])
    torch.testing.assert_close(warp(sample, upside_down), sample)


def test_cut_out_of_nothing_and_of_everything() -> None:
    sample = pictures(2)
    none, whole = torch.tensor([0, 0]), torch.tensor([0, 99])
    cut = cut_out(sample, none, none, whole, whole)
    torch.testing.assert_close(cut[0], sample[0])
    assert not cut[1].any()
