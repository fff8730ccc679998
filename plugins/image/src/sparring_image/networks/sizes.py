"""What networks of strided convolutions ask of the data: sizes that halve evenly, and labels as conditions."""

from __future__ import annotations

import math
from collections.abc import Mapping

from sparring.errors import DataError
from sparring.interfaces.space import Space
from sparring.spaces.label import LabelSpace

SMALLEST_START, LARGEST_START = 4, 7  # doubling the largest once more would pass through the smallest of the next depth
MOST_HALVINGS = 10


def image_shape(space: Space, network: str) -> tuple[int, int, int]:
    """Return a space's channels, height and width.

    Raises:
        DataError: Its samples are no pictures.
    """
    if len(space.shape) != 3:
        raise DataError(
            f"{network} works on images (channels, height, width), and the data's samples have the shape {space.shape}",
            remedy="use data of images, or a network that is made for these data",
        )
    channels, height, width = space.shape
    return channels, height, width


def classes_of(conditions: Mapping[str, Space], network: str) -> int:
    """Return the number of classes of the condition ``label``, or 0 where there are no conditions.

    Raises:
        DataError: There are conditions that the network cannot use.
    """
    for name, space in conditions.items():
        if name != "label" or not isinstance(space, LabelSpace):
            raise DataError(
                f"{network} can be conditioned on a class label only, and the data carry the condition '{name}'",
                remedy="use a network that takes this condition, or data without it",
            )
        return len(space.classes)
    return 0


def halvings(height: int, width: int, start: int | None, network: str) -> int:
    """Return how often a picture is halved until its shorter side has ``start`` pixels, or 4 to 7 of them.

    Raises:
        DataError: The size does not halve evenly; the message names the nearest sizes that do.
    """
    if start is not None and start < 1:
        raise DataError(f"{network} cannot start from a map of {start} rows", remedy="give `start` a number above 0")
    smallest, largest = _start_range(start)
    for count in range(1, MOST_HALVINGS + 1):
        evenly = height % 2**count == 0 and width % 2**count == 0
        if evenly and smallest <= min(height, width) >> count <= largest:
            return count
    rows = f"{SMALLEST_START} to {LARGEST_START} rows" if start is None else f"{start} rows"
    near = nearest_sizes(height, width, start)
    raise DataError(
        f"{network} cannot work on images of {height}x{width} (height x width): it doubles a map of {rows} "
        "until it has the image's size",
        remedy=f"set the data's height and width to {' or '.join(f'{high}x{wide}' for high, wide in near)}"
        + ("" if start is None else ", or leave out `start`"),
    )


def nearest_sizes(height: int, width: int, start: int | None) -> list[tuple[int, int]]:
    """Return the nearest sizes that halve evenly: a smaller one, where there is one, and a larger one."""
    lower, upper = min(height, width), max(height, width)
    found: set[tuple[int, int]] = set()
    for count in range(1, MOST_HALVINGS + 1):
        block = 2**count
        smallest, largest = (edge * block for edge in _start_range(start))
        for blocks in (math.floor, math.ceil):
            shorter = min(max(blocks(lower / block) * block, smallest), largest)
            # Who asks for a square is answered with squares.
            longer = shorter if lower == upper else max(blocks(upper / block) * block, shorter)
            found.add((shorter, longer))
    below = [size for size in found if size[0] <= lower and size[1] <= upper]
    above = [size for size in found if size[0] >= lower and size[1] >= upper]
    chosen = [
        min(sizes, key=lambda size: abs(size[0] - lower) + abs(size[1] - upper)) for sizes in (below, above) if sizes
    ]
    return [(short, long) if height <= width else (long, short) for short, long in chosen]


def _start_range(start: int | None) -> tuple[int, int]:
    return (SMALLEST_START, LARGEST_START) if start is None else (start, start)
