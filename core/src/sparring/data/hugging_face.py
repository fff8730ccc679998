"""Opening a Hugging Face dataset, whatever its samples are; plugins say which columns hold what."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sparring.errors import DataError

SAVED = ("dataset_info.json", "dataset_dict.json")  # one of them lies in a folder that `save_to_disk` wrote


def datasets_library(component: str, distribution: str) -> Any:
    """Return the library datasets, which is an extra of the plugin that asks for it.

    Args:
        component: Who asks, for the message: `image/hugging-face`.
        distribution: The plugin's distribution, whose extra `datasets` brings the library.

    Raises:
        DataError: It is not installed.
    """
    try:
        return importlib.import_module("datasets")
    except ImportError as cause:
        raise DataError(
            "the package datasets is not installed", where=component, remedy=f'pip install "{distribution}[datasets]"'
        ) from cause


def load_splits(library: Any, dataset: str, configuration: str | None, *, otherwise: str = "") -> Mapping[str, Any]:
    """Return the splits of a dataset by name; one without splits is all ``train``.

    Args:
        library: As ``datasets_library`` returns it.
        dataset: The name of a dataset on the hub, or the path of a folder or of a Parquet file.
        configuration: Which of the dataset's configurations, where it has several.
        otherwise: What else a user may do about files that cannot be read, for the message.

    Raises:
        DataError: It cannot be loaded.
    """
    path = Path(dataset).expanduser()
    local = path.exists()
    if not local and (path.is_absolute() or dataset.startswith((".", "~"))):
        raise DataError("there is no such file or folder", where=dataset, remedy="check the data's `dataset`")
    try:
        if path.is_dir() and any((path / name).is_file() for name in SAVED):
            found = library.load_from_disk(str(path))
        elif path.is_file():
            found = library.load_dataset("parquet", data_files=str(path))
        else:
            found = library.load_dataset(str(path.absolute()) if local else dataset, configuration)
    except Exception as cause:  # the library raises its own kinds, and those of what it reads and asks with
        # Its own error often says no more than that there was one.
        reason = str(cause.__cause__ or cause).strip().splitlines() or [type(cause).__name__]
        raise DataError(
            f"the dataset cannot be loaded: {reason[0]}",
            where=dataset,
            remedy="; ".join(filter(None, ("check that its files are whole and of one kind", otherwise)))
            if local
            else "check the name, `configuration` and the network; a local folder may be given by its path",
        ) from cause
    return found if isinstance(found, dict) else {"train": found}
