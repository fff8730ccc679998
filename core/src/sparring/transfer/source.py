"""Find the weights that a recipe starts from: of a run, a folder, a file, or a repository of the Hugging Face hub."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from sparring.errors import CheckpointError, PluginError
from sparring.training.checkpoint import FINAL, read_weights

HUB_ID = re.compile(r"[\w.-]+/[\w.-]+(@[\w.-]+)?")
MODEL = "model.safetensors"  # what the libraries of the hub call a model's weights
CONFIG = "config.json"  # beside a run's final weights


class Source(NamedTuple):
    """Weights from elsewhere.

    Attributes:
        file: Where they were read.
        tensors: By name.
        classes: The names of the classes that they were trained with, where that is known.
    """

    file: Path
    tensors: Mapping[str, Tensor]
    classes: tuple[str, ...] | None


def read_source(source: str, role: str, asked: str | None, *, where: str) -> Source:
    """Read the weights that a recipe names.

    Args:
        source: A run's folder, or another; a file of safetensors or of torch's; a hub's ``owner/name``, with
            ``@revision`` if wanted.
        role: The network's role here.
        asked: The role, or the entry of a torch file, that the recipe asks for.
        where: The recipe path, for messages.

    Raises:
        CheckpointError: There are none, or they cannot be read.
    """
    path = Path(source)
    if path.is_file():
        safe = path.suffix == ".safetensors"
        return Source(path, read_weights(path) if safe else _torch_file(path, asked, where), _classes(path))
    if path.is_dir():
        file = _in_folder(path, role, asked, where)
    elif HUB_ID.fullmatch(source) and not path.parent.exists():
        file = _from_hub(source, asked or role, where)
    else:
        raise CheckpointError(
            f"'{source}' does not exist",
            where=where,
            remedy="name a run's folder, a .safetensors file, or a repository of the Hugging Face hub: owner/name",
        )
    return Source(file, read_weights(file), _classes(file))


def _in_folder(folder: Path, role: str, asked: str | None, where: str) -> Path:
    wanted = [Path(FINAL, f"{asked or role}.safetensors"), Path(f"{asked or role}.safetensors")]
    for name in wanted if asked else [*wanted, Path(MODEL)]:
        if (folder / name).is_file():
            return folder / name
    there = sorted(path.stem for path in [*(folder / FINAL).glob("*.safetensors"), *folder.glob("*.safetensors")])
    raise CheckpointError(
        f"the run '{folder}' has no final weights of '{asked or role}'",
        where=where,
        remedy=f"it has: {', '.join(there) or 'nothing; the run is unfinished'}; choose one with `network`",
    )


def _torch_file(file: Path, asked: str | None, where: str) -> dict[str, Tensor]:
    """Read a file that torch saved: tensors by name, or several such mappings of which ``network`` names one."""
    try:
        # Nothing in it is executed.
        state: Any = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as cause:  # a damaged or foreign file fails in many ways
        raise CheckpointError(
            f"the weights cannot be read: {(str(cause).splitlines() or [''])[0]}",
            where=str(file),
            remedy="name a .safetensors file, or one of tensors that torch saved",
        ) from cause
    mappings = {str(name): value for name, value in state.items() if isinstance(value, Mapping)} if state else {}
    if asked is not None:
        if asked not in mappings:
            raise CheckpointError(
                f"{file} has no entry '{asked}'",
                where=f"{where}.network",
                remedy=f"it has: {', '.join(mappings) or 'no entries; leave `network` out'}",
            )
        state = mappings[asked]
    tensors = {str(name): value for name, value in state.items() if isinstance(value, Tensor)}
    if not tensors:
        raise CheckpointError(
            f"{file} holds no tensors by name",
            where=where,
            remedy=f"name the entry that does with `network`: {', '.join(mappings) or 'it has none'}",
        )
    return tensors


def _from_hub(source: str, role: str, where: str) -> Path:
    """Bring a repository's weights, or find them where an earlier call has put them."""
    try:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError
    except ImportError as cause:
        raise PluginError(
            f"'{source}' is no folder here, and a repository of the Hugging Face hub needs the library huggingface-hub",
            where=where,
            remedy='`pip install "sparring[hub]"`',
        ) from cause
    repository, _, revision = source.partition("@")
    names = [f"{FINAL}/{role}.safetensors", f"{role}.safetensors", MODEL]
    for name in names:
        try:
            return Path(hf_hub_download(repository, name, revision=revision or None))
        except Exception as cause:  # the client raises its own kinds, and those of its network library
            if isinstance(cause, EntryNotFoundError) and not isinstance(cause, LocalEntryNotFoundError):
                continue  # the repository lacks it; the other kind says that there is no network
            raise CheckpointError(
                f"'{source}' is no folder here, and the Hugging Face hub does not give it: "
                f"{(str(cause).splitlines() or [type(cause).__name__])[0][:200]}",
                where=where,
                remedy="check the path, or the name and the network; what was fetched once is found without one",
            ) from cause
    raise CheckpointError(
        f"the repository '{source}' has none of {', '.join(names)}", where=where, remedy="choose one with `network`"
    )


def _classes(file: Path) -> tuple[str, ...] | None:
    try:
        found = json.loads(file.with_name(CONFIG).read_text(encoding="utf-8"))
        return tuple(str(name) for name in found["spaces"]["conditions"]["label"]["classes"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
