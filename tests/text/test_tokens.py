"""Tokenizers and the space that they make: every text comes back as it was."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models

from sparring.errors import DataError
from sparring_text.spaces import TokenSpace, token_space
from sparring_text.tokens import END, PADDING, SPECIAL, UNKNOWN, TokenKind, load, train, words_of
from tests.text.corpora import SENTENCES, batch_of, space_of

MIXED = [
    "He said \"don't go\" -- the well-known boys' room, 1,000.5!",
    "我爱你。世界 hello",
    "مرحبا بِكُم في العالم",
    "שלום עולם, מה שלומך?",
    "สวัสดีชาวโลก",
    "l'homme d'état",
    "👩‍👩‍👧 and 🎈",
]
KINDS: list[TokenKind] = ["word", "bpe"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("text", MIXED)
def test_text_of_any_language_comes_back(kind: TokenKind, text: str) -> None:
    space = space_of(MIXED, kind=kind, length=80)
    sample = space.encode(text)
    assert UNKNOWN not in sample
    assert space.decode(sample) == text
    assert torch.equal(space.encode(space.decode(sample)), sample)


PLAIN = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=60)


@pytest.mark.parametrize("kind", KINDS)
@given(text=PLAIN)
def test_any_text_comes_back_with_its_spaces_tidied(kind: TokenKind, text: str) -> None:
    space = space_of([*MIXED, text], kind=kind, length=200)
    once = space.decode(space.encode(text))
    assert UNKNOWN not in space.encode(text)
    assert once == " ".join(once.split())
    assert space.decode(space.encode(once)) == once


def test_words_are_split_as_one_would() -> None:
    assert words_of("the cat's tail, isn't it?") == ["the", "cat", "'s", "tail", ",", "isn", "'t", "it", "?"]
    assert words_of("我爱你 now") == ["我", "爱", "你", "now"]
    assert words_of("") == []
    for text in MIXED:
        assert "".join(words_of(text)) == text.replace(" ", "")


def test_special_words_in_a_text_are_text() -> None:
    for kind in KINDS:
        space = space_of([*MIXED, "<end> of <padding>"], kind=kind, length=60)
        again = TokenSpace(**space.options())
        for one in (space, again):
            sample = one.encode("<end> of <padding>")
            assert int((sample == END).sum()) == 1
            assert one.decode(sample) == "<end> of <padding>"


@pytest.mark.parametrize("kind", KINDS)
def test_the_vocabulary_has_its_size_and_the_same_lines_give_the_same_one(kind: TokenKind) -> None:
    lines = [chr(0x4E00 + index) + chr(0x4E00 + index * 7 % 300) for index in range(300)] + SENTENCES
    tokenizer = train(lines, kind, size=60)
    assert tokenizer.get_vocab_size() == 60
    assert [tokenizer.id_to_token(number) for number in range(4)] == list(SPECIAL)
    for _ in range(3):
        assert train(lines, kind, size=60).to_str() == tokenizer.to_str()


def test_rare_words_are_unknown() -> None:
    space = space_of([*SENTENCES, "zebra"], minimum_count=2)
    assert space.encode("the zebra sees me").tolist().count(UNKNOWN) == 1
    assert space.decode(space.encode("the zebra sees me")) == "the <unknown> sees me"
    assert UNKNOWN not in space_of([*SENTENCES, "zebra"], minimum_count=1).encode("zebra")


def test_lower_case() -> None:
    space = space_of(["The Cat"], lowercase=True)
    assert space.decode(space.encode("THE cAT")) == "the cat"


def test_word_pieces_know_new_words() -> None:
    space = space_of(kind="bpe", length=40)
    assert UNKNOWN not in space.encode("the kingdom")
    assert space.decode(space.encode("the kingdom")) == "the kingdom"


def test_a_space_is_rebuilt_from_plain_values() -> None:
    space = space_of()
    again = TokenSpace(**json.loads(json.dumps(space.options())))
    assert again.vocabulary == space.vocabulary
    assert again.shape == (12,)
    for sentence in SENTENCES:
        assert torch.equal(again.encode(sentence), space.encode(sentence))


def test_sequences_end_and_are_padded() -> None:
    space = space_of()
    sample = space.encode("nobody sees me")
    assert sample.dtype == torch.int64
    assert sample[3:].tolist() == [END] + [PADDING] * 8
    assert space.encode("").tolist() == [END] + [PADDING] * 11
    # What a generator wrote past its end is not text.
    sample[5] = 7
    assert space.decode(sample) == "nobody sees me"
    assert space.decode(sample[:2]) == "nobody sees"


def test_what_is_no_sentence_is_refused(tmp_path: Path) -> None:
    space = space_of()
    (tmp_path / "file.txt").write_text("nobody sees me", encoding="utf-8")
    assert torch.equal(space.encode(tmp_path / "file.txt"), space.encode("nobody sees me"))
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    for raw, words in (
        ("the cat " * 12, "25 tokens with its end, and this space holds 12"),
        (3, "int is no sentence"),
        (tmp_path / "absent", "no sentence can be read"),
        (tmp_path / "latin.txt", "no sentence can be read"),
    ):
        with pytest.raises(DataError, match=words) as caught:
            space.encode(raw)
        assert caught.value.remedy


def test_samples_are_files_and_numbered_lines(tmp_path: Path) -> None:
    space = space_of()
    rows = batch_of(space, SENTENCES[:10]).sample
    (path,) = space.save(rows, tmp_path / "new")
    assert path.name == "samples.txt"
    assert path.read_text(encoding="utf-8").splitlines() == SENTENCES[:10]
    shown = space.preview(rows).splitlines()
    assert shown[0] == f" 1  {SENTENCES[0]}"
    assert shown[9] == f"10  {SENTENCES[9]}"


def test_other_tokenizers_and_spaces_are_refused() -> None:
    foreign = Tokenizer(models.WordLevel({"a": 0, "b": 1}, unk_token="a")).to_str()
    for content, words in (("no json", "no tokenizer"), (foreign, "the first tokens are")):
        with pytest.raises(DataError, match=words):
            load(content)
    with pytest.raises(DataError, match="no room"):
        TokenSpace(space_of().tokenizer, 1)
    with pytest.raises(ValueError, match="more than 4 tokens"):
        train(SENTENCES, size=4)
    from sparring.spaces.point import PointSpace

    with pytest.raises(DataError, match=r"text/lstm works on text.*PointSpace"):
        token_space(PointSpace(), "text/lstm")
