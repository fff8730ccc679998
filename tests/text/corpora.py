"""Text that the tests read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from sparring.data.memory import MemoryData
from sparring.interfaces.data import Batch, Data
from sparring.interfaces.generator import SequenceGenerator
from sparring.interfaces.space import Space
from sparring.plugins.options import ComponentSpec
from sparring.plugins.registry import Registry
from sparring_text.data.lines import Lines
from sparring_text.spaces import TokenSpace
from sparring_text.tokens import train

PEOPLE = ("the cat", "a dog", "my sister", "the old king", "nobody")
ACTIONS = ("sees", "likes", "found", "isn't", "will follow")
THINGS = ("the house", "an apple", "what you said", "me", "its tail")
SENTENCES = [
    f"{who} {does} {what}{mark}" for who in PEOPLE for does in ACTIONS for what in THINGS for mark in ("", "!")
]
"""250 small English sentences, all different."""


def write(path: Path, lines: Sequence[str] = SENTENCES, *, ending: str = "\n", encoding: str = "utf-8") -> Path:
    """Write lines as bytes, so that no ending is translated."""
    path.write_bytes("".join(line + ending for line in lines).encode(encoding))
    return path


def write_dataset(folder: Path) -> Path:
    """Save a Hugging Face dataset of the sentences, each with a class by its last mark, and return its folder."""
    import datasets

    datasets.disable_progress_bars()
    marks = ["called" if text.endswith("!") else "said" for text in SENTENCES]
    features = datasets.Features(
        {"text": datasets.Value("string"), "mark": datasets.ClassLabel(names=["said", "called"])}
    )
    datasets.Dataset.from_dict({"text": SENTENCES, "mark": marks}, features=features).save_to_disk(folder / "saved")
    return folder / "saved"


def small(path: Path, **options: object) -> Lines:
    """Read a file as data of short sequences."""
    return Lines(path, **{"length": 12, "minimum_count": 1, **options})  # type: ignore[arg-type]


def space_of(lines: Sequence[str] = SENTENCES, *, length: int = 12, **options: object) -> TokenSpace:
    """Return the space of a few lines."""
    return TokenSpace(train(lines, **options).to_str(), length)  # type: ignore[arg-type]


def everything(data: Data) -> Batch:
    """Return every row."""
    return data.gather(torch.arange(len(data)), rng=torch.Generator())


def texts(data: Data) -> list[str]:
    """Return every row as text."""
    return [data.space.decode(row) for row in everything(data).sample]


def batch_of(space: TokenSpace, sentences: Sequence[str]) -> Batch:
    """Return sentences as a batch of tokens with lengths."""
    rows = torch.stack([space.encode(sentence) for sentence in sentences])
    return Batch(rows, {}, lengths_of(rows))


def data_of(space: TokenSpace, sentences: Sequence[str] = SENTENCES) -> Data:
    """Return sentences as data of a space, a fifth of them held out."""
    batch = batch_of(space, sentences)
    held_out = {"test": torch.arange(len(batch) * 4 // 5, len(batch))}
    return MemoryData(space, batch.sample, lengths=batch.lengths, held_out=held_out)


def lengths_of(rows: Tensor) -> Tensor:
    """Return how many positions of padded rows ``(B, T)`` count."""
    return rows.ne(0).sum(1)


def lstm(space: Space, **options: object) -> SequenceGenerator:
    """Return a small generator as a run builds it."""
    spec = ComponentSpec.model_validate({"use": "text/lstm", "width": 8, "embedding_dim": 8, **options})
    found = Registry().build("generator", spec, "generator", space=space, conditions={})
    assert isinstance(found, SequenceGenerator)
    return found
