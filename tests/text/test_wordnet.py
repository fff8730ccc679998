"""The sentences that ship with the plugin."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest
import torch

from sparring_text.data.wordnet import WordNetExamples, sentences
from sparring_text.tokens import END, PADDING, START, UNKNOWN
from tests.text.corpora import everything, texts

TOOL = Path(__file__).parents[2] / "plugins" / "text" / "tools" / "make_wordnet_examples.py"


@pytest.fixture(scope="module")
def data() -> WordNetExamples:
    return WordNetExamples(length=12, vocabulary=4000)


def test_the_file_is_the_one_that_was_made() -> None:
    found = sentences()
    assert len(found) == 32_248
    assert len({text.lower() for text in found}) == len(found)
    assert all(4 <= len(text.split()) <= 12 for text in found)
    assert all(re.fullmatch(r"[A-Za-z0-9 ',.;:?!-]+", text) for text in found)
    digest = hashlib.sha256("".join(f"{text}\n" for text in found).encode()).hexdigest()
    assert digest == "47648de3998bf42e13e2fadf6ca1c2c308d5d83ce755ec7ccd1c51335c553979"
    assert f"{len(found):,}" in (WordNetExamples.__doc__ or "")


def test_credits_and_licence_are_with_it() -> None:
    folder = files("sparring_text").joinpath("wordnet_data")
    licence = folder.joinpath("LICENCE.txt").read_text(encoding="utf-8")
    for words in ("WordNet 3.0 Copyright 2006 by Princeton University", "for any purpose and without fee or"):
        assert words in licence
    credit = folder.joinpath("CREDITS.md").read_text(encoding="utf-8")
    assert "wordnet-base" in credit
    assert f"{len(sentences()):,}" in credit


def test_every_sentence_is_readable_and_short(data: WordNetExamples) -> None:
    test = data.split("test")
    assert (len(data), len(test)) == (7077, 659)
    whole = set(sentences())
    for part in (data, test):
        batch = everything(part)
        assert batch.lengths is not None
        assert UNKNOWN not in batch.sample
        assert START not in batch.sample
        assert torch.equal(batch.lengths, batch.sample.ne(PADDING).sum(1))
        assert (batch.sample[torch.arange(len(part)), batch.lengths - 1] == END).all()
        assert batch.sample.shape[1] == 12
        assert set(texts(part)) <= whole
    assert not set(texts(data)) & set(texts(test))
    assert len(data.notes) == 2


def test_cleaning(tmp_path: Path) -> None:
    """The program that made the file, on a few examples of each kind."""
    program = f"""
import importlib.util
spec = importlib.util.spec_from_file_location("tool", {str(TOOL)!r})
tool = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tool)
raw = ["She sat down there.", "we like her and him", "too few words", "she  sat down there", "we visit France often",
       "France is a country", "I sat down there", "the statement `this' is true", "the 'so-called' expert sat down",
       "the boys' room is there", "he sat...and she stood", "it cost $5 a day", "once " * 13, "NATO sat down there",
       "there she and we sat ,", "\\u00e9t\\u00e9 is a word"]
assert tool.clean(raw) == ["France is a country", "I sat down there", "NATO sat down there", "she sat down there",
                           "the boys' room is there", "there she and we sat", "we like her and him",
                           "we visit France often"], tool.clean(raw)
folder = tool.Path({str(tmp_path)!r})
for part in tool.PARTS_OF_SPEECH:
    (folder / f"data.{{part}}").write_text(
        '  1 the licence says "do not read this"\\n'
        '01 02 n | a thing; "an example"; "another one" - Shakespeare\\n02 03 n | no example\\n')
assert list(tool.examples(folder)) == ["an example", "another one"] * 4
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
