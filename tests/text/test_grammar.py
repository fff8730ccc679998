"""Expressions and their parser, against the grammar's rules applied one by one."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sparring.errors import DataError
from sparring.interfaces.data import Batch
from sparring_text.data.grammar import NAMES, OPERATORS, SYMBOLS, Grammar, expressions, parses
from sparring_text.metrics.parse_rate import ParseRate
from sparring_text.tokens import UNKNOWN
from tests.text.corpora import batch_of, everything, space_of, texts

RIGHT = ("x", "y", "x + y", "( x )", "( ( y ) )", "x + y * x", "( x + y ) / x", "( ( x ) - y )")
WRONG = (
    "",
    "+",
    "x y",
    "x +",
    "+ x",
    "( )",
    "x + ( y )",
    "( x",
    "x )",
    ") x (",
    "( x ) ( y )",
    "x + + y",
    "z",
    "x - 1",
)


@pytest.mark.parametrize("text", RIGHT)
def test_expressions_parse(text: str) -> None:
    assert parses(text.split())


@pytest.mark.parametrize("text", WRONG)
def test_other_texts_do_not(text: str) -> None:
    assert not parses(text.split())


def language(longest: int) -> set[tuple[str, ...]]:
    """Apply the grammar's rules until nothing new fits."""
    found: set[tuple[str, ...]] = {(name,) for name in NAMES}
    while True:
        more = {(*one, operator, name) for one in found for operator in OPERATORS for name in NAMES}
        more |= {("(", *one, ")") for one in found}
        more = {one for one in more if len(one) <= longest} - found
        if not more:
            return found
        found |= more


def test_the_parser_accepts_the_language_and_nothing_else() -> None:
    known = language(5)
    assert len(known) > 100
    for length in range(1, 6):
        for symbols in product(SYMBOLS, repeat=length):
            assert parses(symbols) == (symbols in known)


@given(seed=st.integers(0, 1000), longest=st.integers(3, 40))
def test_what_is_drawn_parses_and_fits(seed: int, longest: int) -> None:
    for text in expressions(20, longest, seed):
        assert parses(text.split())
        assert len(text.split()) <= longest


def test_data_of_expressions() -> None:
    data = Grammar(length=12, count=600)
    batch = everything(data)
    assert UNKNOWN not in batch.sample
    assert len(SYMBOLS) + 4 == data.space.vocabulary  # type: ignore[attr-defined]
    assert all(parses(text.split()) for text in texts(data) + texts(data.split("test")))
    assert not set(texts(data)) & set(texts(data.split("test")))
    assert batch.lengths is not None
    # Lengths are spread over all that fit: 1, 3, …, 11 symbols, and the end.
    assert batch.lengths.unique().tolist() == [2, 4, 6, 8, 10, 12]
    assert torch.equal(batch.sample, everything(Grammar(length=12, count=600)).sample)
    assert not torch.equal(batch.sample[:20], everything(Grammar(length=12, count=600, seed=1)).sample[:20])
    with pytest.raises(DataError, match="no operator"):
        Grammar(length=3)


def test_the_parse_rate() -> None:
    space = space_of([*RIGHT, "x y + - * / ( )"], length=10)
    metric = ParseRate(space)
    with pytest.raises(DataError, match="no generated sequence"):
        metric.compute()
    known = [text for text in WRONG if text and not set(text.split()) - set(SYMBOLS)]
    fake = batch_of(space, [*RIGHT, *RIGHT[:2], *known])
    metric.update(batch_of(space, RIGHT), fake)
    values = metric.compute()
    count = len(RIGHT) + 2 + len(known)
    assert next(iter(values)) == "parse_rate"
    assert values["parse_rate"] == pytest.approx((len(RIGHT) + 2) / count)
    assert values["distinct_parse_rate"] == pytest.approx(len(RIGHT) / count)
    assert values["real_distinct_parse_rate"] == 1.0


def test_what_never_ends_does_not_parse() -> None:
    space = space_of(RIGHT, length=4)
    row = space.encode("x + y")
    metric = ParseRate(space)
    metric.update(Batch(row[None]), Batch(torch.stack([row, torch.cat([row[:3], row[:1]])])))
    assert metric.compute()["parse_rate"] == 0.5
