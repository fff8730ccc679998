"""Sentences in memory, whatever file they came from: tokenized, cut to length, some of them held out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, cast, get_args

import torch
from torch import Tensor

from sparring.data.memory import MemoryData, hold_out
from sparring.errors import DataError
from sparring.interfaces.space import Space
from sparring.spaces.label import LabelSpace
from sparring_text import tokens
from sparring_text.pretrained_tokens import adopted
from sparring_text.spaces import TokenSpace
from sparring_text.tokens import END, PADDING, UNKNOWN, TokenKind

FEWEST = 20  # sentences: a tenth of them held out is two, the fewest that can be compared with one another
CHARACTERS_A_TOKEN = 100  # no real token is as long; what goes beyond that in a line cannot fit, and is not read

TooLong = Literal["skip", "cut"]
Unknown = Literal["keep", "skip"]


class Corpus(MemoryData):
    """Sentences as rows of tokens ``(N, length)`` with lengths, the split ``test`` held out of training.

    The tokenizer is made from training sentences alone. A sentence that occurs several times is held out with all its
    copies, so that nothing in ``test`` occurs in ``train``.

    Args:
        lines: The sentences.
        where: Their place, for messages.
        length: Positions of a sequence, the end among them.
        kind: ``word``, ``bpe``, or the folder or hub name of a pretrained model, whose tokens are then taken.
        size: The most tokens of the vocabulary.
        minimum_count: How often a word must occur to be in it.
        lowercase: Whether capitals are written small.
        too_long: What happens to sentences that do not fit: they are left out, or cut without an end.
        unknown: What happens to sentences with words that are not in the vocabulary.
        held_out: The share of the split ``test``, in [0, 1); or, of each sentence, whether it is in it.
        seed: Which sentences are held out.
        labels: The class of each sentence, which is the condition ``label``. Classes are those of training sentences,
            in the order of their names.
        notes: What the user should be told of the file.
    """

    def __init__(
        self,
        lines: Sequence[str],
        *,
        where: str,
        length: int,
        kind: str,
        size: int,
        minimum_count: int,
        lowercase: bool,
        too_long: TooLong,
        unknown: Unknown,
        held_out: float | Sequence[bool],
        seed: int,
        labels: Sequence[str] | None = None,
        notes: Sequence[str] = (),
    ) -> None:
        most = CHARACTERS_A_TOKEN * length
        overlong = [len(line) > most for line in lines]
        lines = [line[:most] for line in lines]
        testing = _held_out(lines, held_out, seed, where) if isinstance(held_out, (int, float)) else held_out
        training = [line for line, tested, over in zip(lines, testing, overlong, strict=True) if not tested | over]
        _check_count(len(training), where, "add sentences, one a line: thousands give readable results")
        tokenizer = _tokenizer(kind, training, size, minimum_count, lowercase)
        space = TokenSpace(tokenizer, length)
        whole = space.encode_lines(lines)
        readable = [None if over and too_long == "skip" else row for row, over in zip(whole, overlong, strict=True)]
        fitting, found = _fitting(readable, length, too_long, unknown, where)
        train_places, test_places = _parted(fitting, testing)
        conditions: dict[str, tuple[Space, Tensor]] = {}
        if labels is not None and train_places:
            classes = sorted({labels[place] for place in train_places})
            test_places = [place for place in test_places if labels[place] in classes]
            numbers = {name: number for number, name in enumerate(classes)}
            chosen = [numbers[labels[place]] for place in train_places + test_places]
            conditions["label"] = (LabelSpace(classes), torch.tensor(chosen))
        _check_fit(len(train_places), len(test_places) if held_out else None, where, too_long)
        rows = [fitting[place] or [] for place in train_places + test_places]
        super().__init__(
            space,
            torch.tensor([row + [PADDING] * (length - len(row)) for row in rows], dtype=torch.int32),
            conditions,
            lengths=torch.tensor([len(row) for row in rows]),
            held_out={"test": torch.arange(len(train_places), len(rows))} if held_out else {},
        )
        self.notes = [*notes, *found]

    def decompress(self, raw: Tensor) -> Tensor:
        return raw.long()


def _tokenizer(kind: str, training: Sequence[str], size: int, minimum_count: int, lowercase: bool) -> str:
    """Return the JSON of a tokenizer that training sentences make, or of what they need of a pretrained model's."""
    if kind in get_args(TokenKind):
        made = tokens.train(
            training, cast(TokenKind, kind), size=size, minimum_count=minimum_count, lowercase=lowercase
        )
        return made.to_str()
    return adopted(kind, training)


def _held_out(lines: Sequence[str], fraction: float, seed: int, where: str) -> list[bool]:
    """Say of each line whether it is held out; equal lines are held out together."""
    if not 0 <= fraction < 1:
        raise DataError(f"{fraction} of the sentences cannot be held out", where=where, remedy="give a share in [0, 1)")
    distinct = list(dict.fromkeys(line.casefold() for line in lines))
    _check_count(len(distinct), where, "add sentences, one a line: thousands give readable results")
    if not fraction:
        return [False] * len(lines)
    chosen = {distinct[index] for index in hold_out(len(distinct), fraction, seed).tolist()}
    return [line.casefold() in chosen for line in lines]


def _check_count(count: int, where: str, remedy: str, which: str = "") -> None:
    if count < FEWEST:
        raise DataError(
            f"{count} sentences{which} are too few to train on: at least {FEWEST} are needed beside those held out",
            where=where,
            remedy=remedy,
        )


def _check_fit(training: int, testing: int | None, where: str, too_long: TooLong) -> None:
    """Refuse data of which hardly anything fits; ``testing`` is None where nothing is to be held out."""
    cut = ", or set `too_long: cut`" if too_long == "skip" else ""
    _check_count(training, where, f"raise `length` or `vocabulary`{cut}", " that fit")
    if testing == 0:
        raise DataError(
            "of the held-out sentences none fits, or differs from those of training",
            where=where,
            remedy=f"raise `held_out`, `length` or `vocabulary`{cut}",
        )


def _parted(rows: Sequence[list[int] | None], testing: Sequence[bool]) -> tuple[list[int], list[int]]:
    """Return the places of training and held-out rows. With rare words as one token, rows may have become equal."""
    seen = {tuple(row) for row, tested in zip(rows, testing, strict=True) if row and not tested}
    train_places = [place for place, row in enumerate(rows) if row and not testing[place]]
    return train_places, [place for place, row in enumerate(rows) if row and testing[place] and tuple(row) not in seen]


def _fitting(
    rows: Sequence[list[int] | None], length: int, too_long: TooLong, unknown: Unknown, where: str
) -> tuple[list[list[int] | None], list[str]]:
    """Return the rows that fit, None in the place of others, and what the user should know of it."""
    fitting: list[list[int] | None] = []
    long = unread = empty = rare = total = 0
    for row in rows:
        if row == [END]:
            empty += 1
            row = None
        elif row is None or len(row) > length:
            long += 1
            row = row[:length] if row and too_long == "cut" else None
        if row and UNKNOWN in row:
            unread += 1
            row = None if unknown == "skip" else row
        fitting.append(row)
        rare += row.count(UNKNOWN) if row else 0
        total += len(row) - 1 if row else 0
    done = "cut" if too_long == "cut" else "left out"
    counts = (
        (empty, f"{empty:,} lines of {where} have no token and were left out"),
        (long, f"{long:,} of {len(rows):,} sentences of {where} do not fit a `length` of {length} and were {done}"),
        (
            unread if unknown == "skip" else 0,
            f"{unread:,} of {len(rows):,} sentences of {where} have words outside the vocabulary and were left out",
        ),
        (rare, f"{rare:,} of {total:,} tokens of {where} are outside the vocabulary and stand as <unknown>"),
    )
    return fitting, [note for count, note in counts if count]
