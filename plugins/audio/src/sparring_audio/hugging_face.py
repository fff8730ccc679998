"""A Hugging Face dataset of sounds: from the hub by its name, or from a local folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from sparring.data.hugging_face import datasets_library, load_splits
from sparring.data.memory import hold_out
from sparring.errors import DataError
from sparring.interfaces.space import Space
from sparring.spaces.label import LabelSpace
from sparring_audio.clips import Clips, Cut
from sparring_audio.reading import Preparation, collect
from sparring_audio.sound_space import checked
from sparring_audio.sounds import Sound, read_sound
from sparring_audio.spaces import LogMelSpace

NAME = "audio/hugging-face"
HELD_OUT = ("test", "validation")  # splits that are taken for the held-out one, in this order
FEWEST = 2  # sounds that can be divided


class Part(NamedTuple):
    """One split of a dataset: its name, its sounds alone, undecoded, and the whole table for labels and texts."""

    name: str
    sounds: Any
    table: Any


class HuggingFace(Clips):
    """Sounds of a dataset that the package ``datasets`` can load; it comes with ``sparring-audio[datasets]``.

    Sounds are decoded by libsndfile, resampled, freed of silence, skipped where they cannot be used, and held in memory
    as ``audio/folder`` does it. No code of a dataset is ever run.

    Args:
        dataset: A name on the hub; or a local path: of a folder that ``save_to_disk`` wrote, of a folder of sounds or
            of Parquet files, or of one Parquet file.
        configuration: Which of the dataset's configurations, where it has several.
        space: Of sounds; by default ``audio/log-mel`` as it is, with clips of a second at 16 kHz.
        audio: The column of sounds; by default the only one that has them.
        label: The column of classes, given as the condition ``label``; by default the only one of the library's type
            of classes, if there is one.
        text: The column of what is said, for ``transcripts``; by default there are none.
        train: The split that is trained on.
        test: The held-out split; by default ``test`` or ``validation``, or where there is neither, a share of
            ``train``.
        trim: Whether silence at the start and the end is cut away.
        cut: What is made of a longer sound: ``beginning``, a clip of its beginning; ``random``, a clip from a place
            that is drawn anew for each batch; ``pieces``, as many clips as it fills.
        held_out: That share, in [0, 1).
        seed: Which sounds are held out.
    """

    def __init__(
        self,
        dataset: str,
        configuration: str | None = None,
        space: Space | None = None,
        audio: str | None = None,
        label: str | None = None,
        text: str | None = None,
        train: str = "train",
        test: str | None = None,
        trim: bool = True,
        cut: Cut = "beginning",
        held_out: float = 0.1,
        seed: int = 0,
    ) -> None:
        wanted = checked(space, LogMelSpace(), NAME)
        library = datasets_library(NAME, "sparring-audio")
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
        column = _audio_column(library, tables[train].features, audio, dataset)
        parts = [Part(name, _sounds(library, tables[name], column), tables[name]) for name in names]
        places = [(part, row) for part in parts for row in range(len(part.table))]
        titles = [f"row {row} of '{part.name}'" for part, row in places]
        read = collect(
            places,
            lambda place, most: _read(place, column, most),
            titles,
            wanted,
            Preparation(trim=trim, whole=cut != "beginning"),
        )
        held = torch.tensor([owner >= len(tables[train]) for owner in read.owners], dtype=torch.bool)
        super().__init__(
            wanted,
            read.sounds,
            cut=cut,
            label=_labels(library, parts, label, read.owners, dataset),
            held_out=_divide(held, test, held_out, seed, dataset),
            transcripts=_texts(parts, text, read.owners, dataset),
        )
        self.notes = read.skipped(titles) + read.about_length(wanted)


def _audio_column(library: Any, features: Mapping[str, Any], column: str | None, dataset: str) -> str:
    """Return the column of sounds: of the library's type, or as Parquet files without its notes have them."""
    found = [
        name
        for name, feature in features.items()
        if isinstance(feature, library.Audio) or (isinstance(feature, dict) and set(feature) == {"bytes", "path"})
    ]
    if column is None and len(found) == 1:
        return found[0]
    if column is not None and column in found:
        return column
    if column is None:
        what = f"several columns hold sounds: {', '.join(found)}" if found else "no column of the dataset holds sounds"
    else:
        what = f"the column '{column}' holds no sounds" if column in features else f"there is no column '{column}'"
    raise DataError(
        what,
        where=dataset,
        remedy=f"set `audio` to one of: {', '.join(found)}" if found else "use a dataset of sounds",
    )


def _sounds(library: Any, table: Any, column: str) -> Any:
    """Return a table of undecoded sounds alone: its other columns need not be read, nor be readable."""
    if column not in table.features:
        raise DataError(
            f"a split lacks the column '{column}'", where="data.test", remedy="choose splits with equal columns"
        )
    sounds = table.select_columns([column])
    if isinstance(table.features[column], library.Audio):
        # The library's own decoder needs torchcodec and ffmpeg.
        sounds = sounds.cast_column(column, library.Audio(decode=False))
    return sounds


def _read(place: tuple[Part, int], column: str, most_seconds: float | None) -> Sound:
    part, row = place
    entry = part.sounds[row][column]
    if entry is None or (entry["bytes"] is None and entry["path"] is None):
        raise DataError("the row holds no sound")
    return read_sound(Path(entry["path"]) if entry["bytes"] is None else entry["bytes"], most_seconds)


def _values(parts: Sequence[Part], column: str, owners: Sequence[int], dataset: str) -> list[Any]:
    """Return a column's values for the sounds that could be read."""
    for part in parts:
        if column not in part.table.features:
            raise DataError(
                f"the split '{part.name}' has no column '{column}'",
                where=dataset,
                remedy=f"its columns are: {', '.join(part.table.features)}",
            )
    values = [value for part in parts for value in part.table[column][:]]
    return [values[owner] for owner in owners]


def _labels(
    library: Any, parts: Sequence[Part], column: str | None, owners: Sequence[int], dataset: str
) -> tuple[LabelSpace, Tensor] | None:
    features = parts[0].table.features
    if column is None:
        classes = [name for name, feature in features.items() if isinstance(feature, library.ClassLabel)]
        if len(classes) != 1:
            return None
        column = classes[0]
    values = _values(parts, column, owners, dataset)
    # A class of the hub's datasets that is not known is None or −1, as in test splits of competitions.
    named = features[column].names if isinstance(features[column], library.ClassLabel) else None
    if any(value is None or (named is not None and value < 0) for value in values):
        raise DataError(
            f"some sounds have no class in the column '{column}'",
            where=dataset,
            remedy="set `test` to a split with classes, or `label` to another column",
        )
    if named is None:
        number = {value: index for index, value in enumerate(sorted(set(values), key=str))}
        named, values = [str(value) for value in number], [number[value] for value in values]
    return LabelSpace(named), torch.tensor(values, dtype=torch.long)


def _texts(parts: Sequence[Part], column: str | None, owners: Sequence[int], dataset: str) -> list[str] | None:
    if column is None:
        return None
    return [str(value or "") for value in _values(parts, column, owners, dataset)]


def _divide(held: Tensor, test: str | None, fraction: float, seed: int, dataset: str) -> dict[str, Tensor]:
    """Return the sounds of the held-out split among those that could be read."""
    if len(held) < FEWEST:
        raise DataError(
            f"{len(held)} sounds of the dataset can be read", where=dataset, remedy="use a dataset with at least 2"
        )
    if test is None:
        return {"test": hold_out(len(held), fraction, seed)} if fraction else {}
    if bool(held.all()) or not bool(held.any()):
        raise DataError(
            f"the split '{test if not held.any() else 'train'}' has no sound that can be read",
            where=dataset,
            remedy="set `train` and `test` to splits that have sounds",
        )
    return {"test": held.nonzero().flatten()}
