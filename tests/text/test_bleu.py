"""BLEU by hand, and Self-BLEU against the definition."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparring.errors import DataError
from sparring_text.metrics.bleu import BLEU, SMOOTHING, corpus_bleu, grams, nearest
from sparring_text.metrics.self_bleu import SelfBLEU, self_bleu
from tests.text.corpora import SENTENCES, batch_of, space_of

CAT = ["the", "cat", "is", "on", "the", "mat"]
THERE = ["there", "is", "a", "cat", "on", "the", "mat"]


def test_the_papers_example_of_clipping() -> None:
    """Papineni et al., 2002, example 2: of seven "the", two count, since one reference has two."""
    scores = corpus_bleu([["the"] * 7], [CAT, THERE])
    # Bigrams: "the the" occurs in neither reference, and 0.1 is counted for it.
    assert scores[2] == pytest.approx(math.sqrt(2 / 7 * SMOOTHING / 6))


def test_the_papers_example_of_precision() -> None:
    """Papineni et al., 2002, example 1, with its three references: 17 of 18 words and 10 of 17 bigrams match."""
    candidate = "It is a guide to action which ensures that the military always obeys the commands of the party"
    references = [
        "It is a guide to action that ensures that the military will forever heed Party commands",
        "It is the guiding principle which guarantees the military forces always being under the command of the Party",
        "It is the practical guide for the army always to heed the directions of the party",
    ]
    scores = corpus_bleu([candidate.split()], [text.split() for text in references])
    assert scores[2] == pytest.approx(math.sqrt(17 / 18 * 10 / 17))
    # Trigrams 7 of 16, and 4-grams 4 of 15, counted by hand.
    assert scores[4] == pytest.approx((17 / 18 * 10 / 17 * 7 / 16 * 4 / 15) ** 0.25)


def test_short_texts_pay_for_their_brevity() -> None:
    """Four words of a reference of six: every n-gram matches, and e^(1 - 6/4) remains."""
    scores = corpus_bleu([CAT[:4]], [CAT])
    assert scores == pytest.approx(dict.fromkeys((2, 3, 4), math.exp(1 - 6 / 4)))


def test_a_corpus_sums_before_it_divides() -> None:
    scores = corpus_bleu([CAT, ["a", "b", "c", "d", "e", "f"]], [CAT])
    assert scores[2] == pytest.approx(math.sqrt(6 / 12 * 5 / 10))
    assert corpus_bleu([CAT, THERE], [CAT, THERE]) == pytest.approx({2: 1.0, 3: 1.0, 4: 1.0})


def test_nothing_in_common_is_almost_nothing() -> None:
    scores = corpus_bleu([["x"] * 6], [CAT])
    assert scores[4] == pytest.approx((SMOOTHING**4 / (6 * 5 * 4 * 3)) ** 0.25)
    assert corpus_bleu([[]], [CAT])[4] == 0


def test_the_nearest_length() -> None:
    assert [nearest(length, [2, 5, 6]) for length in (0, 2, 3, 4, 5, 9)] == [2, 2, 2, 5, 5, 6]
    assert nearest(4, [3, 5]) == 3


def plain_self_bleu(sentences: Sequence[Sequence[str]], order: int) -> float:
    """Follow the definition: each sentence against all others, one comparison at a time."""
    total = 0.0
    for index, words in enumerate(sentences):
        rest = [other for place, other in enumerate(sentences) if place != index]
        if not words:
            total += any(not other for other in rest)
            continue
        logs = []
        for n in range(1, min(order, len(words)) + 1):
            matched = 0.0
            counts = Counter(tuple(words[start : start + n]) for start in range(len(words) - n + 1))
            for gram, count in counts.items():
                most = max(
                    sum(tuple(other[start : start + n]) == gram for start in range(len(other) - n + 1))
                    for other in rest
                )
                matched += min(count, most)
            logs.append(math.log((matched or SMOOTHING) / sum(counts.values())))
        wanted = min((len(other) for other in rest), key=lambda length: (abs(length - len(words)), length))
        brevity = 1.0 if len(words) > wanted else math.exp(1 - wanted / len(words))
        total += brevity * math.exp(sum(logs) / len(logs))
    return total / len(sentences)


WORDS = st.lists(st.lists(st.sampled_from("abc"), max_size=7), min_size=2, max_size=9)


@given(sentences=WORDS, order=st.integers(1, 5))
def test_self_bleu_is_exact(sentences: list[list[str]], order: int) -> None:
    assert self_bleu(sentences, (order,))[order] == pytest.approx(plain_self_bleu(sentences, order), abs=1e-12)


def test_self_bleu_of_all_the_same_and_of_nothing_in_common() -> None:
    assert self_bleu([CAT] * 5, (4,))[4] == pytest.approx(1.0)
    # By twos, each sentence has its double.
    assert self_bleu([CAT, CAT, ["x"] * 6, ["x"] * 6], (4,))[4] == pytest.approx(1.0)
    assert self_bleu([["a", "b", "c", "d"], ["e", "f", "g", "h"]], (2,))[2] == pytest.approx(
        math.sqrt(SMOOTHING**2 / (4 * 3))
    )


def test_the_orders_are_computed_together() -> None:
    sentences = [text.split() for text in SENTENCES[:60]] + [["me"], []]
    together = self_bleu(sentences, (4, 3, 2))
    for order, value in together.items():
        assert value == pytest.approx(plain_self_bleu(sentences, order), abs=1e-12)


def test_the_metrics_look_at_words_whatever_the_tokens_are() -> None:
    values = []
    for kind, length in (("word", 12), ("bpe", 40)):
        space = space_of(kind=kind, length=length)
        real, fake = batch_of(space, SENTENCES[:60]), batch_of(space, SENTENCES[50:110])
        found: dict[str, float] = {}
        for metric in (BLEU(space), SelfBLEU(space)):
            metric.update(real, fake)
            found |= metric.compute()
        values.append(found)
    assert list(values[0]) == [
        *("bleu4", "bleu3", "bleu2", "self_bleu4", "self_bleu3", "self_bleu2", "real_self_bleu4"),
    ]
    assert values[0] == pytest.approx(values[1])


def test_repetition_raises_self_bleu_and_leaves_bleu() -> None:
    space = space_of()
    real = batch_of(space, SENTENCES[:100])
    varied, repeated = batch_of(space, SENTENCES[100:200]), batch_of(space, SENTENCES[100:101] * 100)
    scores = {}
    for name, fake in (("varied", varied), ("repeated", repeated)):
        own = SelfBLEU(space)
        own.update(real, fake)
        scores[name] = own.compute()
    assert scores["repeated"]["self_bleu4"] == pytest.approx(1.0)
    assert scores["varied"]["self_bleu4"] < 1.0
    assert scores["varied"]["real_self_bleu4"] == scores["repeated"]["real_self_bleu4"]


def test_metrics_without_sentences_say_so() -> None:
    space = space_of()
    for metric in (BLEU(space), SelfBLEU(space)):
        with pytest.raises(DataError) as caught:
            metric.compute()
        assert caught.value.remedy


def test_grams() -> None:
    assert grams(["a", "b", "a", "b"], 2) == {("a", "b"): 2, ("b", "a"): 1}
    assert not grams(["a"], 2)
