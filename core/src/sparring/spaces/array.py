"""Arrays of numbers of one fixed shape."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sparring.errors import DataError
from sparring.interfaces.space import Space


class ArraySpace(Space):
    """Arrays ``(*dimensions)`` of any finite value: the space of data that no plugin knows more about.

    Args:
        dimensions: The size along each axis.
    """

    def __init__(self, dimensions: list[int]) -> None:
        if any(size < 1 for size in dimensions):
            raise ValueError(f"each of dimensions must be at least 1, not {dimensions}")
        self.dimensions = dimensions
        self.shape = tuple(dimensions)

    def encode(self, raw: Any) -> Tensor:
        """Turn an array, nested lists, or the path of an ``.npy`` file into ``(*dimensions)``."""
        where = str(raw) if isinstance(raw, (str, Path)) else ""
        try:
            # allow_pickle stays off: a file from a stranger must not run code.
            values = np.load(raw) if where else raw
            sample = torch.as_tensor(values).to(torch.float32)
        except (OSError, TypeError, ValueError, RuntimeError, EOFError) as cause:
            raise DataError(
                f"no array can be read: {cause}", where=where, remedy="give numbers, or an .npy file of them"
            ) from cause
        if sample.shape != self.shape or not sample.isfinite().all():
            raise DataError(
                f"the array has the shape {tuple(sample.shape)}, or values that are not finite",
                where=where,
                remedy=f"give an array of shape {self.shape} and finite values",
            )
        return sample

    def decode(self, sample: Tensor) -> np.ndarray[Any, Any]:
        array: np.ndarray[Any, Any] = sample.detach().cpu().numpy()
        return array

    def save(self, samples: Tensor, folder: Path) -> list[Path]:
        """Write ``samples.npy``, which holds all of them: ``(B, *dimensions)``."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "samples.npy"
        np.save(path, self.decode(samples))
        return [path]

    def preview(self, samples: Tensor) -> str:
        values = samples.detach().double()
        return (
            f"{len(samples)} arrays of shape {self.shape}: mean {values.mean():.4g}, "
            f"standard deviation {values.std(correction=0):.4g}, from {values.min():.4g} to {values.max():.4g}"
        )
