"""The contract of spaces."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import torch
from PIL.Image import Image
from torch import Tensor

from sparring.errors import DataError
from sparring.interfaces.space import Space
from sparring.testing.contract import ComponentContract
from sparring.testing.materials import rows_of

ROWS = 5


class SpaceContract(ComponentContract):
    """What a space promises.

    Attributes:
        round_trip: Whether ``encode(decode(sample))`` is the sample. Set it to False where decoding loses something.
        tolerance: By how much the two may differ: half a step where values are rounded.
    """

    kind = "space"
    interface: ClassVar[type | None] = Space
    round_trip: bool = True
    tolerance: float = 1e-6

    def samples(self, space: Any, rows: int = ROWS) -> Tensor:
        """Return samples of the space; by default classes of a label, and otherwise numbers in [-1, 1]."""
        return rows_of(space, rows, torch.Generator().manual_seed(0))

    def test_shape_is_of_whole_numbers(self) -> None:
        """``shape`` is a tuple, and samples have it."""
        space = self.build()
        self.expect(
            isinstance(space.shape, tuple) and all(type(size) is int and size > 0 for size in space.shape),
            f"its shape is {space.shape!r}",
            "set `shape` to a tuple of whole numbers above 0, without the batch",
        )

    def test_options_rebuild_it(self) -> None:
        """A saved network is rebuilt where the data are not, from the space's name and options."""
        space = self.build()
        options = self.attempt(
            space.options,
            "its options cannot be read back",
            "keep each constructor argument as an attribute of the same name, or override options()",
        )
        plain = self.attempt(
            lambda: json.loads(json.dumps(options)),
            f"its options {options} are no plain values, and cannot be written as JSON",
            "return numbers, texts, lists and dicts of them",
        )
        again = self.attempt(
            lambda: self.build(options=plain), f"its options {plain} do not rebuild it", "return the constructor's own"
        )
        self.expect(
            type(again) is type(space) and again.shape == space.shape and again.options() == options,
            f"rebuilt from its options {plain}, it has the shape {again.shape} instead of {space.shape}, "
            f"or the options {again.options()}",
            "keep each constructor argument as it was given, under its own name",
        )

    def test_decoding_is_undone_by_encoding(self) -> None:
        """What decode makes of a sample, encode turns back into it."""
        space = self.build()
        samples = self.samples(space)
        for sample in samples:
            raw = space.decode(sample)
            if not self.round_trip:
                continue
            again = space.encode(raw)
            self.expect(
                isinstance(again, Tensor) and tuple(again.shape) == space.shape and again.dtype == sample.dtype,
                f"encode gives {getattr(again, 'dtype', type(again))} of shape {tuple(getattr(again, 'shape', ()))}",
                f"return a tensor of {sample.dtype} and shape {space.shape}",
            )
            self.expect_close(
                again,
                sample,
                "encode(decode(sample)) is not the sample",
                "mend one of them; or, where something must be lost, give round_trip = False or a tolerance",
                tolerance=self.tolerance,
            )

    def test_what_cannot_be_read_is_refused(self, tmp_path: Path) -> None:
        """A missing file is a DataError, which says what to do."""
        missing = tmp_path / "missing.file"
        try:
            self.build().encode(missing)
        except DataError:
            return
        except Exception as cause:
            self.fail(f"a missing file raises {type(cause).__name__}: {cause}", "raise DataError, with a remedy")
        self.fail("a missing file is encoded without a word", "raise DataError, with a remedy")

    def test_samples_are_saved_as_files(self, tmp_path: Path) -> None:
        """Files are written into a folder, which may not be there yet."""
        space = self.build()
        folder = tmp_path / "new" / "folder"
        paths = space.save(self.samples(space), folder)
        self.expect(
            paths and all(path.is_file() and path.is_relative_to(folder) for path in paths),
            f"save returned {paths}, which are no files in the folder that it was given",
            "make the folder, write into it, and return every path",
        )

    def test_samples_can_be_shown(self) -> None:
        """One sample and several give a picture or a text."""
        space = self.build()
        for rows in (1, ROWS):
            shown = space.preview(self.samples(space, rows))
            self.expect(
                isinstance(shown, Image) or (isinstance(shown, str) and shown),
                f"preview gives {shown!r}",
                "return a PIL image or a text",
            )
