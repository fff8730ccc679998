"""The n-grams' distance: what it is, and which way it goes."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparring.errors import DataError
from sparring_text.data.wordnet import sentences
from sparring_text.metrics.ngrams import NGrams, distance, shuffled
from tests.text.corpora import SENTENCES, batch_of, space_of

REAL = [text.split() for text in random.Random(0).sample(sentences(), 3000)]


def test_a_distance_by_hand() -> None:
    one, other = [["a", "b"]], [["a", "c"]]
    # Bigrams <a ab b> and <a ac c>: one of three in common. Trigrams <ab ab> and <ac ac>: none of two.
    assert distance(one, other) == pytest.approx((2 / 3 + 1) / 2)
    assert distance(one, one * 7) == 0
    assert distance(one, [["x"]]) == 1


WORDS = st.lists(st.lists(st.sampled_from("abcd"), max_size=6), min_size=1, max_size=8)


@settings(max_examples=50)
@given(one=WORDS, other=WORDS)
def test_it_is_a_distance(one: list[list[str]], other: list[list[str]]) -> None:
    assert 0 <= distance(one, other) <= 1
    assert distance(one, other) == pytest.approx(distance(other, one))
    assert distance(one, one) == pytest.approx(0)


def margin(real: list[list[str]], fake: list[list[str]]) -> float:
    return distance(real, shuffled(fake, 0)) - distance(real, fake)


def test_order_matters_in_real_sentences_and_not_in_shuffled_ones() -> None:
    held_out, other = REAL[:1000], REAL[1000:2000]
    assert margin(held_out, other) > 0.03
    assert abs(margin(held_out, shuffled(other, 1))) < 0.005


def test_repetition_is_far_away() -> None:
    """A generator that has collapsed to a few real sentences gains nothing by their being good ones."""
    held_out, other = REAL[:1000], REAL[1000:2000]
    distances = [distance(held_out, other[:count] * (1000 // count)) for count in (1000, 100, 10, 1)]
    assert distances == sorted(distances)
    assert margin(held_out, other[:100] * 10) < margin(held_out, other) / 2


def test_shuffling_keeps_each_sentences_words() -> None:
    found = shuffled(REAL, 0)
    assert [sorted(words) for words in found] == [sorted(words) for words in REAL]
    assert found == shuffled(REAL, 0)
    assert found != shuffled(REAL, 1)
    assert found != REAL


def test_the_metric_gives_the_distance_first() -> None:
    space = space_of()
    metric = NGrams(space)
    with pytest.raises(DataError, match="one is empty"):
        metric.compute()
    metric.update(batch_of(space, SENTENCES[:100]), batch_of(space, SENTENCES[100:200]))
    values = metric.compute()
    assert list(values) == ["ngram_distance", "shuffled_distance", "ngram_margin"]
    assert values["ngram_margin"] == pytest.approx(values["shuffled_distance"] - values["ngram_distance"])
    assert values["ngram_margin"] > 0.1
    assert metric.better == "lower"
