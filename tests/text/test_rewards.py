"""Rewards that read sentences, against values worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from sparring import Batch
from sparring.errors import DataError
from sparring_text.metrics.bleu import corpus_bleu
from sparring_text.rewards import BLEUReward, PatternReward, WordsReward
from sparring_text.spaces import TokenSpace
from tests.text.corpora import SENTENCES, batch_of, small, space_of, write

SPACE = space_of()


def scores(reward: Any, *sentences: str) -> list[float]:
    found: list[float] = reward(batch_of(SPACE, list(sentences)), None).tolist()
    return found


def test_words_are_shares() -> None:
    reward = WordsReward(SPACE, wanted=["Cat", "house"], unwanted=["me", "!"])
    assert scores(reward, "the cat sees the house", "nobody likes me!", "a dog found its tail") == pytest.approx(
        [2 / 5, -2 / 4, 0]
    )
    assert scores(WordsReward(SPACE, wanted=["the"], most=0.1), "the cat sees the house") == pytest.approx([0.1])
    empty = torch.zeros(1, SPACE.length, dtype=torch.long)
    assert reward(Batch(empty, lengths=torch.zeros(1, dtype=torch.long)), None).tolist() == [0]


def test_patterns_are_found_in_what_is_written() -> None:
    reward = PatternReward(SPACE, r"^the .*!$")
    assert scores(reward, "the cat sees me!", "the cat sees me", "a dog sees the house!") == [1, 0, 0]


def test_bleu_of_one_sentence_is_that_of_a_corpus_of_one(tmp_path: Any) -> None:
    data = small(write(tmp_path / "lines.txt", SENTENCES[:40]))
    assert isinstance(data.space, TokenSpace)
    reward = BLEUReward(data.space, data)
    train = data.split("train")
    references = [data.space.words(row) for row in train.gather(torch.arange(len(train)), rng=torch.Generator()).sample]
    for sentence in ("the cat found me!", "the cat likes me me", "a dog isn't the house"):
        words = data.space.words(data.space.encode(sentence))
        found = float(reward(batch_of(data.space, [sentence]), None))
        assert found == pytest.approx(corpus_bleu([words], references)[4], abs=1e-6)
    known = data.space.decode(train.gather(torch.tensor([0]), rng=torch.Generator()).sample[0])
    assert float(reward(batch_of(data.space, [known]), None)) == pytest.approx(1)
    assert float(reward(batch_of(data.space, ["the"]), None)) < 0.2, "a word alone is brief"


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: WordsReward(SPACE), ValueError, "no words"),
        (lambda: WordsReward(SPACE, wanted=["a"], unwanted=["A"]), ValueError, "both wanted and unwanted"),
        (lambda: WordsReward(SPACE, wanted=["a"], most=0), ValueError, "most"),
        (lambda: PatternReward(SPACE, "("), DataError, "no regular expression"),
    ],
)
def test_odd_options_are_refused(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()
