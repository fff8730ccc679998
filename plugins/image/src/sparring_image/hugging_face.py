"""A Hugging Face dataset of images: from the hub by its name, or from a local folder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from sparring.data.hugging_face import datasets_library, load_splits
from sparring.data.memory import hold_out
from sparring.errors import DataError
from sparring.spaces.label import LabelSpace
from sparring_image.collection import Collection
from sparring_image.spaces import ImageSpace

HELD_OUT = ("test", "validation")  # splits that are taken for the held-out one, in this order
CLASS_TYPES = ("bool", "string", "large_string", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32")


class Part(NamedTuple):
    """One split of a dataset: its name, its images alone, undecoded, and the whole table for the labels."""

    name: str
    images: Any
    table: Any


class HuggingFace(Collection):
    """Images of a dataset that the package ``datasets`` can load; it comes with ``sparring-image[datasets]``.

    Images are cropped, resized, skipped where they cannot be read, and held in memory as ``image/folder`` does it. No
    code of a dataset is ever run.

    Args:
        dataset: A name on the hub, such as ``ylecun/mnist``; or a local path: of a folder that ``save_to_disk`` wrote,
            of a folder of images or of Parquet files, or of one Parquet file.
        configuration: Which of the dataset's configurations, where it has several.
        height: Rows of pixels.
        width: Columns of pixels.
        channels: 3 for colour, 1 for grey.
        image: The column of images; by default the only one that has them.
        label: The column of labels; by default the only one of classes, or the one named ``label``.
        labels: Whether labels are given as the condition ``label``; by default where there are some.
        train: The split that is trained on.
        test: The held-out split; by default ``test`` or ``validation``, or where there is neither, a share of
            ``train``.
        flip: Whether training mirrors a random half of each batch left to right.
        held_out: That share, in [0, 1).
        memory: The most memory for images, in GiB, at one byte a pixel and channel.
        seed: Which images are held out.
    """

    def __init__(
        self,
        dataset: str,
        configuration: str | None = None,
        height: int = 64,
        width: int = 64,
        channels: Literal[1, 3] = 3,
        image: str | None = None,
        label: str | None = None,
        labels: bool | None = None,
        train: str = "train",
        test: str | None = None,
        flip: bool = False,
        held_out: float = 0.1,
        memory: float = 2.0,
        seed: int = 0,
    ) -> None:
        super().__init__(ImageSpace(channels, height, width), flip)
        library = datasets_library("image/hugging-face", "sparring-image")
        tables = load_splits(library, dataset, configuration)
        if test is None:
            test = next((name for name in HELD_OUT if name in tables and name != train), None)
        names = [train] if test is None else [train, test]
        for name in names:
            if name not in tables:
                raise DataError(
                    f"the dataset has no split '{name}'",
                    where=dataset,
                    remedy=f"set `train` and `test` to some of: {', '.join(tables)}",
                )
        self._column = _image_column(library, tables[train], image, dataset)
        self._parts = [Part(name, _images(library, tables[name], self._column), tables[name]) for name in names]
        self._first_held_out = len(tables[train])
        self.take_in(range(sum(len(part.table) for part in self._parts)), memory, dataset)
        self._take_labels(library, label, labels, dataset)
        self.divide(self._choose(held_out, seed, dataset))

    def raw(self, item: Any) -> Any:
        part, row = self._place(item)
        entry = part.images[row][self._column]
        if entry is None or (entry["bytes"] is None and entry["path"] is None):
            raise DataError("the row holds no image")
        return entry["path"] if entry["bytes"] is None else entry["bytes"]

    def title(self, item: Any) -> str:
        part, row = self._place(item)
        return f"row {row} of '{part.name}'"

    def _place(self, item: int) -> tuple[Part, int]:
        held_out = item >= self._first_held_out
        return self._parts[held_out], item - self._first_held_out * held_out

    def _choose(self, fraction: float, seed: int, dataset: str) -> Tensor | None:
        """Return the rows of the held-out split among those that could be read."""
        if len(self._parts) == 1:
            return hold_out(len(self._items), fraction, seed) if fraction else None
        chosen = torch.tensor([item >= self._first_held_out for item in self._items]).nonzero().flatten()
        if not 0 < len(chosen) < len(self._items):
            empty = self._parts[0 if len(chosen) else 1].name
            raise DataError(
                f"the split '{empty}' has no image that can be read",
                where=dataset,
                remedy="set `train` and `test` to splits that have images",
            )
        return chosen

    def _take_labels(self, library: Any, column: str | None, wanted: bool | None, dataset: str) -> None:
        if wanted is False:
            return
        features = self._parts[0].table.features
        column = _label_column(library, features, column, dataset)
        if column is None:
            if wanted:
                raise DataError(
                    "no column of the dataset holds classes",
                    where=dataset,
                    remedy=f"set `label` to one of: {', '.join(features)}; or `labels: false`",
                )
            return
        for part in self._parts[1:]:
            if part.table.features.get(column) != features[column]:
                raise DataError(
                    f"the splits differ in the column of labels, '{column}'",
                    where=dataset,
                    remedy="set `test` to a split with the same labels, or `labels: false`",
                )
        values = [value for part in self._parts for value in part.table[column][:]]
        values = [values[item] for item in self._items]
        # A class of the hub's datasets that is not known is None or −1, as in test splits of competitions.
        classes = features[column].names if isinstance(features[column], library.ClassLabel) else None
        if any(value is None or (classes is not None and value < 0) for value in values):
            raise DataError(
                f"some images have no label in the column '{column}'",
                where=dataset,
                remedy="set `test` to a split with labels, or `labels: false`",
            )
        if classes is None:
            number = {value: index for index, value in enumerate(sorted(set(values)))}
            classes, values = [str(value) for value in number], [number[value] for value in values]
        self.conditions = {"label": LabelSpace(classes)}
        self._labels = torch.tensor(values)


def _is_image(library: Any, feature: Any) -> bool:
    """Whether a column holds images: of the library's type, or as Parquet files without its notes have them."""
    return isinstance(feature, library.Image) or (isinstance(feature, dict) and set(feature) == {"bytes", "path"})


def _image_column(library: Any, table: Any, column: str | None, dataset: str) -> str:
    found: list[str] = [name for name, feature in table.features.items() if _is_image(library, feature)]
    if column is None and len(found) == 1:
        return found[0]
    if column is not None and column in found:
        return column
    if column is None:
        raise DataError(
            f"several columns hold images: {', '.join(found)}" if found else "no column of the dataset holds images",
            where=dataset,
            remedy="set `image` to one of them"
            if found
            else f"use a dataset of images; the columns of this one are {_described(table.features)}",
        )
    held = table.features.get(column)
    raise DataError(
        f"there is no column '{column}'" if held is None else f"the column '{column}' holds no images: {held}",
        where=dataset,
        remedy=f"set `image` to one of: {', '.join(found) or _described(table.features)}",
    )


def _images(library: Any, table: Any, column: str) -> Any:
    """Return a table of undecoded images alone: its other columns need not be read, nor be readable."""
    if column not in table.features:
        raise DataError(
            f"a split lacks the column '{column}'", where="data.test", remedy="choose splits with equal columns"
        )
    images = table.select_columns([column])
    if isinstance(table.features[column], library.Image):
        images = images.cast_column(column, library.Image(decode=False))
    return images


def _label_column(library: Any, features: Mapping[str, Any], column: str | None, dataset: str) -> str | None:
    """Return the column of classes, if there is one."""

    def fits(name: str) -> bool:
        feature = features[name]
        return isinstance(feature, library.ClassLabel) or getattr(feature, "dtype", "") in CLASS_TYPES

    if column is not None:
        if column in features and fits(column):
            return column
        raise DataError(
            f"the column '{column}' holds no classes: {features[column]}"
            if column in features
            else f"there is no column '{column}'",
            where=dataset,
            remedy=f"set `label` to one of: {', '.join(filter(fits, features)) or 'none'}; or `labels: false`",
        )
    classes = [name for name, feature in features.items() if isinstance(feature, library.ClassLabel)]
    if len(classes) == 1:
        return classes[0]
    return "label" if "label" in features and fits("label") else None


def _described(features: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{name} ({getattr(feature, 'dtype', type(feature).__name__)})" for name, feature in features.items()
    )
