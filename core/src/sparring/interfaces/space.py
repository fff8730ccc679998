"""A space is the set that samples live in, and the way to and from files and pictures."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from PIL.Image import Image
from torch import Tensor


class Space(ABC):
    """The set that samples live in: shape, range, and how files become tensors and tensors become files.

    A constructor argument is kept as an attribute of the same name: ``options`` reads it back, so that a saved
    network can be rebuilt where the data are not.

    Attributes:
        shape: The shape of one sample, without the batch: ``(C, H, W)``, ``(M, T)``, ``()`` for a label.
        called: What samples are called in a report: pictures, spectrograms, sentences.
        audible: Whether ``save`` writes sounds; a run then keeps a few of them beside each preview.
    """

    shape: tuple[int, ...]
    called: ClassVar[str] = "samples"
    audible: ClassVar[bool] = False

    @abstractmethod
    def encode(self, raw: Any) -> Tensor:
        """Turn a file's path, or a raw value, into one sample of ``shape``.

        Raises:
            DataError: The file cannot be read, or its properties do not fit this space.
        """

    @abstractmethod
    def decode(self, sample: Tensor) -> Any:
        """Turn one sample into what a person uses: a picture, a waveform, a sentence, a class name."""

    @abstractmethod
    def save(self, samples: Tensor, folder: Path) -> list[Path]:
        """Write samples ``(B, *shape)`` into a folder, one file each or one for all, and return the paths."""

    @abstractmethod
    def preview(self, samples: Tensor) -> Image | str:
        """Show samples ``(B, *shape)`` at a glance, as a picture or as text."""

    def compare(self, columns: Mapping[str, Tensor]) -> Image | None:
        """Show side by side what belongs together: what a generator was given, what it made, and what is true.

        Args:
            columns: By name ``(B, …)`` each, of this space or of one like it; row i of all belongs together.

        Returns:
            A picture in which every column has its name, or None: previews then show the samples alone.
        """
        return None

    def options(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}
