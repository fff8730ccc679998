"""The small handwritten digits that come with scikit-learn: real data that need no download."""

from __future__ import annotations

import torch
from sklearn.datasets import load_digits
from torch import Tensor

from sparring.data.memory import MemoryData
from sparring.spaces.label import LabelSpace
from sparring_image.spaces import ImageSpace
from sparring_image.splits import hold_out_evenly

LARGEST = 16  # the largest pixel value: each counts the ink in a block of 4x4 of the original bitmap


class Digits(MemoryData):
    """1,797 handwritten digits, grey, 8x8 pixels (Alpaydin and Kaynak 1998, UCI; scikit-learn's ``load_digits``).

    Args:
        labels: Whether the digit is a condition, ``label``.
        held_out: The share of each class in the split ``test``, in [0, 1).
        seed: Which digits are held out.
    """

    def __init__(self, labels: bool = True, held_out: float = 0.2, seed: int = 0) -> None:
        pixels, digits = load_digits(return_X_y=True)
        label = torch.from_numpy(digits).long()
        super().__init__(
            ImageSpace(channels=1, height=8, width=8),
            torch.from_numpy(pixels).to(torch.uint8).reshape(-1, 1, 8, 8),
            {"label": (LabelSpace([str(digit) for digit in range(10)]), label)} if labels else {},
            held_out=hold_out_evenly(label, held_out, seed),
        )

    def decompress(self, raw: Tensor) -> Tensor:
        """Turn ink counts 0 to 16 into [-1, 1]: white ink on black."""
        return raw.float() * (2 / LARGEST) - 1
