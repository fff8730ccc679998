"""A Hugging Face dataset of text: from the hub by its name, or from a local folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sparring.data.hugging_face import datasets_library, load_splits
from sparring.errors import DataError
from sparring_text.data.corpus import Corpus, TooLong, Unknown

NAME = "text/hugging-face"
PLAIN = "text/lines and text/table read plain files"
HELD_OUT = ("test", "validation")  # splits that are taken for the held-out one, in this order
TEXT_TYPES = ("string", "large_string")


class HuggingFace(Corpus):
    """Text of a dataset that the package ``datasets`` can load; it comes with ``sparring-text[datasets]``.

    Rows whose text is empty are passed over; sentences are cut into tokens, left out and counted as ``text/lines`` does
    it. No code of a dataset is ever run.

    Args:
        dataset: A name on the hub, such as ``stanfordnlp/imdb``; or a local path: of a folder that ``save_to_disk``
            wrote, of a folder of Parquet files, or of one Parquet file.
        configuration: Which of the dataset's configurations, where it has several.
        column: The column of sentences; by default the only one of text, or the one named ``text``.
        label: The column of classes, which are then the condition ``label``; by default there is none.
        train: The split that is trained on.
        test: The held-out split; by default ``test`` or ``validation``, or where there is neither, a share of
            ``train``.
        length: Positions of a sequence in tokens, the end among them.
        tokens: ``word`` for words and marks; ``bpe`` for pieces of words, which leave hardly anything unknown; or the
            folder or hub name of a pretrained model, such as one for ``text/causal-lm``, whose tokens are then taken.
        vocabulary: The most tokens, four special ones included.
        minimum_count: How often a word, or a pair of pieces, must occur in training rows to become a token.
        lowercase: Whether capitals are written small.
        too_long: What happens to sentences that do not fit: ``skip`` leaves them out, ``cut`` keeps their beginning.
        unknown: What happens to sentences with words outside the vocabulary: ``keep`` puts one token for all such
            words, ``skip`` leaves the sentences out.
        held_out: The share that is held out where there is no such split, in [0, 1).
        seed: Which sentences are held out.
    """

    def __init__(
        self,
        dataset: str,
        configuration: str | None = None,
        column: str | None = None,
        label: str | None = None,
        train: str = "train",
        test: str | None = None,
        length: int = 20,
        tokens: str = "word",
        vocabulary: int = 4000,
        minimum_count: int = 2,
        lowercase: bool = False,
        too_long: TooLong = "skip",
        unknown: Unknown = "keep",
        held_out: float = 0.1,
        seed: int = 0,
    ) -> None:
        library = datasets_library(NAME, "sparring-text")
        tables = load_splits(library, dataset, configuration, otherwise=PLAIN)
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
        column = _text_column(tables[train].features, column, dataset)
        lines: list[str] = []
        labels: list[str] = []
        testing: list[bool] = []
        for number, name in enumerate(names):
            texts, classes = _read(library, tables[name], name, column, label, dataset)
            lines, labels = lines + texts, labels + classes
            testing += [number > 0] * len(texts)
        super().__init__(
            lines,
            where=dataset,
            length=length,
            kind=tokens,
            size=vocabulary,
            minimum_count=minimum_count,
            lowercase=lowercase,
            too_long=too_long,
            unknown=unknown,
            held_out=held_out if test is None else testing,
            seed=seed,
            labels=labels if label is not None else None,
        )


def _text_column(features: Mapping[str, Any], column: str | None, dataset: str) -> str:
    found = [name for name, feature in features.items() if getattr(feature, "dtype", "") in TEXT_TYPES]
    if column is None and (len(found) == 1 or "text" in found):
        return "text" if "text" in found else found[0]
    if column is not None and column in found:
        return column
    if column is None:
        what = f"several columns hold text: {', '.join(found)}" if found else "no column of the dataset holds text"
    else:
        what = f"the column '{column}' holds no text" if column in features else f"there is no column '{column}'"
    known = ", ".join(found) or "none; use a dataset of text"
    raise DataError(what, where=dataset, remedy=f"set `column` to one of: {known}")


def _read(
    library: Any, table: Any, name: str, column: str, label: str | None, dataset: str
) -> tuple[list[str], list[str]]:
    """Return the sentences of a split that are not empty, and the name of each one's class, or an empty text."""
    for wanted in (column, label):
        if wanted is not None and wanted not in table.features:
            raise DataError(
                f"the split '{name}' has no column '{wanted}'",
                where=dataset,
                remedy=f"set `column` and `label` to columns of every split: {', '.join(table.features)}",
            )
    texts: Sequence[str | None] = table[column][:]
    rows = [row for row, text in enumerate(texts) if text and text.strip()]
    if label is None:
        return [texts[row] or "" for row in rows], [""] * len(rows)
    values = table[label][:]
    feature = table.features[label]
    classes = feature.names if isinstance(feature, library.ClassLabel) else None
    named = []
    for row in rows:
        value = values[row]
        # A class of the hub's datasets that is not known is None or −1, as in test splits of competitions.
        if not isinstance(value, (str, int)) or value == "" or (classes is not None and int(value) < 0):
            raise DataError(
                f"row {row} of the split '{name}' has no class in the column '{label}'",
                where=dataset,
                remedy="set `label` to a column of classes, or `test` to a split that has them",
            )
        named.append(classes[int(value)] if classes is not None else str(value))
    return [texts[row] or "" for row in rows], named
