"""What networks of strided convolutions ask of the data: sizes that halve evenly."""

from __future__ import annotations

from sparring.errors import DataError
from sparring.interfaces.space import Space

SMALLEST_START, LARGEST_START = 4, 7  # doubling the largest once more would pass through the smallest of the next depth
MOST_HALVINGS = 10


def spectrogram_shape(space: Space, network: str) -> tuple[int, int]:
    """Return a space's mel bands and frames.

    Raises:
        DataError: Its samples are no spectrograms.
    """
    if len(space.shape) != 3 or space.shape[0] != 1:
        raise DataError(
            f"{network} works on spectrograms (1, mels, frames), and the data's samples have the shape {space.shape}",
            remedy="use data of spectrograms, or a network that is made for these data",
        )
    return space.shape[1], space.shape[2]


def strides(mels: int, frames: int, network: str) -> list[tuple[int, int]]:
    """Return by how much each layer reduces bands and frames, from the spectrogram inwards.

    Either axis is halved until 4 to 7 rows are left, whatever the other one needs; the layers that are left over halve
    one axis alone. They come last, where maps are small.

    Raises:
        DataError: A size does not halve evenly; the message names the nearest that do.
    """
    wrong = [
        f"{name} to {' or '.join(map(str, nearest_sizes(size)))}"
        for name, size in (("mels", mels), ("frames", frames))
        if halvings(size) is None
    ]
    if wrong:
        raise DataError(
            f"{network} cannot work on spectrograms of {mels}x{frames} (mels x frames): it doubles a map of "
            f"{SMALLEST_START} to {LARGEST_START} rows until it has their size",
            remedy=f"set the space's {' and '.join(wrong)}",
        )
    bands, times = halvings(mels) or 0, halvings(frames) or 0
    return [(2 if layer < bands else 1, 2 if layer < times else 1) for layer in range(max(bands, times))]


def halvings(size: int) -> int | None:
    """Return how often a size is halved until 4 to 7 are left, or None where that is not possible."""
    for count in range(1, MOST_HALVINGS + 1):
        if size % 2**count == 0 and SMALLEST_START <= size >> count <= LARGEST_START:
            return count
    return None


def nearest_sizes(size: int) -> list[int]:
    """Return the nearest sizes that halve evenly: a smaller one, where there is one, and a larger one."""
    working = [
        start << count for count in range(1, MOST_HALVINGS + 1) for start in range(SMALLEST_START, LARGEST_START + 1)
    ]
    smaller, larger = [one for one in working if one < size], [one for one in working if one > size]
    return smaller[-1:] + larger[:1]
