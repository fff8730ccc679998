"""Move, turn and cover the pixels of pictures, differentiably.

Built on ``gather`` alone, whose gradient has a gradient of its own in every torch, and which a GPU can compute
deterministically; torch's ``grid_sample`` is neither everywhere.

Letters in names of tensors: B rows of the batch, C channels, H rows and W columns of pixels, N pixels (H × W).
"""

from __future__ import annotations

import torch
from torch import Tensor


def shift(picture_BCHW: Tensor, down_B: Tensor, right_B: Tensor) -> Tensor:
    """Move each picture by whole pixels; what enters from outside is 0, the middle of [-1, 1].

    Args:
        picture_BCHW: ``(B, C, H, W)``.
        down_B: ``(B,)`` integers: pixels towards the last row.
        right_B: ``(B,)`` integers: pixels towards the last column.
    """
    height, width = picture_BCHW.shape[2:]
    row_BH = torch.arange(height, device=picture_BCHW.device) - down_B[:, None]
    column_BW = torch.arange(width, device=picture_BCHW.device) - right_B[:, None]
    inside_BHW = _within(row_BH, height)[:, :, None] & _within(column_BW, width)[:, None, :]
    taken_BHW = row_BH.clamp(0, height - 1)[:, :, None] * width + column_BW.clamp(0, width - 1)[:, None, :]
    moved_BCN = _take(picture_BCHW, taken_BHW.flatten(1))
    return moved_BCN.view_as(picture_BCHW) * inside_BHW[:, None].to(picture_BCHW.dtype)


def warp(picture_BCHW: Tensor, source_B23: Tensor) -> Tensor:
    """Fill each pixel from another place, by bilinear interpolation; beyond its edges a picture is mirrored.

    Args:
        picture_BCHW: ``(B, C, H, W)``.
        source_B23: ``(B, 2, 3)`` affine maps that give, for a pixel's column, row and 1, the column and row that it
            is filled from, in pixels from the centre of the picture. No gradient reaches them.
    """
    height, width = picture_BCHW.shape[2:]
    rows = torch.arange(height, dtype=source_B23.dtype, device=source_B23.device)
    columns = torch.arange(width, dtype=source_B23.dtype, device=source_B23.device)
    row_N, column_N = rows.repeat_interleave(width), columns.repeat(height)
    middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
    pixel_3N = torch.stack([column_N - middle_x, row_N - middle_y, torch.ones_like(row_N)])
    # Written out as sums: a matrix product may be rounded to fewer bits on a GPU.
    from_B2N = (source_B23[..., None] * pixel_3N).sum(2)
    x_BN, y_BN = from_B2N[:, 0] + middle_x, from_B2N[:, 1] + middle_y
    left_BN, top_BN = x_BN.floor(), y_BN.floor()
    share_x_BN, share_y_BN = x_BN - left_BN, y_BN - top_BN
    filled_BCN = torch.zeros_like(picture_BCHW).flatten(2)
    for down in (0, 1):
        for right in (0, 1):
            row_BN, column_BN = _mirror(top_BN.long() + down, height), _mirror(left_BN.long() + right, width)
            weight_BN = (share_y_BN if down else 1 - share_y_BN) * (share_x_BN if right else 1 - share_x_BN)
            corner_BCN = _take(picture_BCHW, row_BN * width + column_BN)
            filled_BCN = filled_BCN + corner_BCN * weight_BN[:, None].to(picture_BCHW.dtype)
    return filled_BCN.view_as(picture_BCHW)


def cut_out(picture_BCHW: Tensor, top_B: Tensor, left_B: Tensor, height_B: Tensor, width_B: Tensor) -> Tensor:
    """Set a rectangle of each picture to 0, the middle of [-1, 1]; what of it lies outside the picture is lost.

    Args:
        picture_BCHW: ``(B, C, H, W)``.
        top_B: ``(B,)`` integers: the rectangle's first row, which may be negative.
        left_B: ``(B,)`` integers: its first column.
        height_B: ``(B,)`` integers: its rows; 0 leaves the picture whole.
        width_B: ``(B,)`` integers: its columns.
    """
    rows, columns = picture_BCHW.shape[2:]
    row_BH = torch.arange(rows, device=picture_BCHW.device) - top_B[:, None]
    column_BW = torch.arange(columns, device=picture_BCHW.device) - left_B[:, None]
    covered_BHW = _within(row_BH, height_B[:, None])[:, :, None] & _within(column_BW, width_B[:, None])[:, None, :]
    return picture_BCHW * (~covered_BHW)[:, None].to(picture_BCHW.dtype)


def _take(picture_BCHW: Tensor, pixel_BN: Tensor) -> Tensor:
    """Return the pixels at flat places, ``(B, C, N)``."""
    return picture_BCHW.flatten(2).gather(2, pixel_BN[:, None].expand(-1, picture_BCHW.shape[1], -1))


def _within(place: Tensor, size: int | Tensor) -> Tensor:
    return (place >= 0) & (place < size)


def _mirror(place: Tensor, size: int) -> Tensor:
    """Fold any whole number into [0, size), as between two mirrors that stand on the first and the last pixel."""
    last = size - 1
    return last - (place % max(2 * last, 1) - last).abs()
