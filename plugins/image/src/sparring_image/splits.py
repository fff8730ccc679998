"""Held-out parts with as many of each class as the whole."""

from __future__ import annotations

import torch
from torch import Tensor

from sparring.data.memory import hold_out


def hold_out_evenly(labels: Tensor, fraction: float, seed: int) -> dict[str, Tensor]:
    """Choose the same share of every class for the split ``test``.

    Args:
        labels: ``(N,)`` class numbers.
        fraction: The share, in [0, 1); 0 gives no split.
        seed: Which choice.

    Returns:
        The split's name and its sorted indices, as ``MemoryData`` takes them.
    """
    if fraction == 0:
        return {}
    rows_of_classes = [(labels == label).nonzero().flatten() for label in sorted(set(labels.tolist()))]
    chosen = [rows[hold_out(len(rows), fraction, seed)] for rows in rows_of_classes]
    return {"test": torch.cat(chosen).sort().values}
