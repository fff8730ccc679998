"""A pretrained model's tokens as a space of ours: text is cut as the model's own tokenizer cuts it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from sparring.errors import DataError
from sparring_text.pretrained import load_tokenizer
from sparring_text.pretrained_tokens import adopted, their_numbers
from sparring_text.spaces import TokenSpace
from sparring_text.tokens import END, PADDING, START, UNKNOWN
from tests.text.corpora import SENTENCES, space_of
from tests.text.pretrained_models import source

KINDS = ("gpt2", "llama", "bert", "unigram")
every_kind = pytest.mark.parametrize("kind", KINDS)
NEW = ["The cat's tail", "my dog isn't here", "naïve 我爱你", "kingdoms  of <end> </s> <s> [CLS] <|endoftext|>"]


def plain(folder: str) -> Any:
    """Return the model's own tokenizer, reading special words in a text as text, as ours does."""
    tokenizer = load_tokenizer(folder).backend_tokenizer
    tokenizer.encode_special_tokens = True
    tokenizer.no_padding()
    return tokenizer


@every_kind
def test_text_is_cut_as_the_model_cuts_it(kind: str) -> None:
    space, own = TokenSpace(adopted(source(kind)), 40), plain(source(kind))
    numbers, _ = their_numbers(space, source(kind))
    # A Unigram model takes the words "</s>" in a text for its own sign, and ours for text.
    for line in (*SENTENCES[:50], *(NEW[:-1] if kind == "unigram" else NEW)):
        ours = torch.tensor(space.encode_lines([line])[0][:-1])
        assert numbers[ours].tolist() == own.encode(line, add_special_tokens=False).ids


@every_kind
def test_special_tokens_stand_for_those_of_the_model(kind: str) -> None:
    tokenizer = load_tokenizer(source(kind))
    space = TokenSpace(adopted(source(kind)), 40)
    numbers, knows_unknown = their_numbers(space, source(kind))
    texts = tokenizer.convert_ids_to_tokens(numbers[[PADDING, START, END, UNKNOWN]].tolist())
    assert (
        texts
        == {
            "gpt2": ["<|endoftext|>"] * 4,
            "llama": ["</s>", "<s>", "</s>", "<unk>"],
            "bert": ["[PAD]", "[CLS]", "[SEP]", "[UNK]"],
            "unigram": ["<pad>", "</s>", "</s>", "<unk>"],
        }[kind]
    )
    assert knows_unknown == (kind != "gpt2")
    assert len(numbers) == space.vocabulary
    # Every token but the model's own special ones has a number of its own.
    assert len(set(numbers[4:].tolist())) == space.vocabulary - 4
    assert not set(numbers[4:].tolist()) & set(tokenizer.all_special_ids)


@every_kind
def test_text_comes_back(kind: str) -> None:
    space = TokenSpace(adopted(source(kind)), 40)
    for line in (*SENTENCES[:30], "my dog"):
        written = space.decode(space.encode(line))
        if kind == "bert":  # it cuts off every mark, and writes a space in its place
            assert written.replace(" ", "") == line.replace(" ", "")
        else:
            assert written == line
    sample = space.encode("my dog")
    sample[-3:] = sample[0]
    assert space.decode(sample) == "my dog"  # what stands past the end is not text


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_any_character_comes_back_by_its_bytes(kind: str) -> None:
    space = TokenSpace(adopted(source(kind)), 60)
    for line in ("naïve 我爱你", "👩‍👩‍👧 مرحبا"):
        assert UNKNOWN not in space.encode(line)
        assert space.decode(space.encode(line)) == line


@every_kind
def test_a_smaller_vocabulary_cuts_its_lines_the_same(kind: str) -> None:
    some = SENTENCES[:40:3]
    whole, small = TokenSpace(adopted(source(kind)), 40), TokenSpace(adopted(source(kind), some), 40)
    assert small.vocabulary < whole.vocabulary
    texts = [[[space.token(number) for number in row] for row in space.encode_lines(some)] for space in (whole, small)]
    assert texts[0] == texts[1]
    numbers, _ = their_numbers(small, source(kind))
    assert len(numbers) == small.vocabulary
    for line in SENTENCES:  # of the same letters, so that they can be written in smaller pieces
        sample = small.encode(line)
        assert UNKNOWN not in sample
        assert small.decode(sample).replace(" ", "") == line.replace(" ", "")


def test_a_sentence_is_one_line() -> None:
    """A model of bytes may write line breaks, and signs that would control a terminal."""
    space = TokenSpace(adopted(source("gpt2")), 40)
    assert space.decode(space.encode("a\n b\x1b[31m\u2028\x85c  d")) == "a b [31m c d"


def test_a_space_is_rebuilt_from_plain_values() -> None:
    space = TokenSpace(adopted(source("gpt2")), 40)
    again = TokenSpace(**space.options())
    assert torch.equal(again.encode("the cat"), space.encode("the cat"))
    assert again.words(again.encode("the cat's tail")) == ["the", "cat", "'s", "tail"]


def test_mistakes_are_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(DataError, match="not those of the pretrained model") as caught:
        their_numbers(space_of(), source("gpt2"))
    assert "the same model" in caught.value.remedy
    for folder, words in ((str(tmp_path), "has no model that can be read"), ("absent/nothing", "no folder here")):
        with pytest.raises(DataError, match=words):
            adopted(folder)
