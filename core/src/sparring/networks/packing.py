"""PacGAN: a critic that judges several samples together sees whether they are all alike (Lin et al., 2018).

A discriminator with packing takes ``packing`` consecutive rows as one: along their first dimension, so that pictures
become pictures of more channels and vectors longer vectors. Its first layer has that many more inputs, and nothing
else of it changes. All that it returns has B / packing rows.
"""

from __future__ import annotations

from torch import Tensor

from sparring.errors import TrainingError


def check_packing(packing: int) -> int:
    """Return the option ``packing`` of a discriminator.

    Raises:
        ValueError: It is below 1.
    """
    if packing < 1:
        raise ValueError(f"packing is {packing}, and must be at least 1")
    return packing


def pack(sample: Tensor, packing: int) -> Tensor:
    """Join consecutive rows: ``(B, C, …)`` -> ``(B / packing, packing × C, …)``.

    Rows 0 to ``packing`` − 1 become the first; their channels lie one sample after another. Labels and their embeddings
    are packed alike, as ``(B, F)``.

    Args:
        sample: At least two dimensions.
        packing: How many rows become one.

    Raises:
        TrainingError: The number of rows is no multiple of ``packing``.
    """
    if packing == 1:
        return sample
    rows, channels = sample.shape[:2]
    if rows % packing:
        raise TrainingError(
            f"{packing} samples are to be judged together, and a batch of {rows} leaves {rows % packing} over",
            where="networks.discriminator.packing",
            remedy=f"make the stage's batch, over processes and accumulated parts, a multiple of {packing}",
        )
    return sample.reshape(rows // packing, packing * channels, *sample.shape[2:])
