"""Read idx files, the format that MNIST and its successors are published in (LeCun, Cortes and Burges 1998)."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from sparring.errors import DataError

UNSIGNED_BYTES = 8  # the type's number in the header: the only one that pictures and labels use
PACKED = b"\x1f\x8b"  # what every gzip file starts with


def read_idx(file: Path, dimensions: int) -> Tensor:
    """Read an idx file of unsigned bytes, packed with gzip or not.

    The header holds two zero bytes, the type's number, the number of dimensions, and each dimension's size in four
    bytes, the largest first; the values follow, the last dimension running fastest.

    Args:
        file: The file, whatever its name ends in.
        dimensions: How many dimensions it should have: 3 for grey pictures, 1 for labels.

    Returns:
        uint8 of the shape that the header states.

    Raises:
        DataError: The file is cut short, damaged, or of another kind.
    """
    try:
        content = file.read_bytes()
        if content.startswith(PACKED):
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as cause:
        raise _unreadable(file, str(cause)) from cause
    start = 4 + 4 * dimensions
    wanted = bytes([0, 0, UNSIGNED_BYTES, dimensions])
    if content[:4] != wanted[: len(content)]:
        raise _unreadable(file, f"it starts with {content[:4].hex(' ')} instead of {wanted.hex(' ')}")
    if len(content) < start:
        raise _unreadable(file, f"it is cut short: {len(content)} bytes hold no header")
    shape = np.frombuffer(content[4:start], dtype=">u4").astype(int).tolist()
    if len(content) - start != math.prod(shape):
        held, size = len(content) - start, "×".join(map(str, shape))
        raise _unreadable(file, f"it holds {held} values, and its header promises {size}")
    return torch.frombuffer(bytearray(content), dtype=torch.uint8)[start:].view(shape)


def _unreadable(file: Path, reason: str) -> DataError:
    return DataError(
        f"the idx file cannot be read: {reason}", where=str(file), remedy="delete the file and fetch it again"
    )
