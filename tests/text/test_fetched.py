"""Corpora that are fetched: their files as published, in small, and what is wrong with others."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparring.errors import DataError
from sparring_text.data.bible import Bible, decompressed, read_verses
from sparring_text.data.brown import GENRES, Brown, sentence
from sparring_text.data.fortunes import INSIDE, Fortunes, entry
from tests.text import fetched
from tests.text.corpora import SENTENCES, everything, texts

Corpora = list[tuple[type[Any], Callable[[Path], Path]]]
CORPORA: Corpora = [(Brown, fetched.brown), (Bible, fetched.bible), (Fortunes, fetched.fortunes)]


def whole(data: Any) -> list[str]:
    return sorted(texts(data) + texts(data.split("test")))


@pytest.mark.parametrize(("kind", "make"), CORPORA)
def test_every_sentence_comes_back(kind: type[Any], make: Callable[[Path], Path], tmp_path: Path) -> None:
    data = kind(make(tmp_path), length=12, minimum_count=1, unknown="keep")
    assert whole(data) == sorted(SENTENCES)
    assert kind.source.sha256
    assert kind.source.licence
    assert kind.source.credit


@pytest.mark.parametrize(("kind", "make"), CORPORA)
def test_fetched_files_are_found_and_missing_ones_named(
    kind: type[Any], make: Callable[[Path], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARRING_DATA", str(tmp_path / "data"))
    name = f"text/{kind.__name__.lower()}"
    with pytest.raises(DataError, match="not on this machine") as caught:
        kind()
    assert f"sparring data fetch {name}" in caught.value.remedy
    (tmp_path / "data").mkdir()
    make(tmp_path).rename(tmp_path / "data" / name.replace("/", "-"))
    assert len(kind(length=12)) > 100


def test_genres_are_labels_and_can_be_chosen(tmp_path: Path) -> None:
    path = fetched.brown(tmp_path)
    data = Brown(path, length=12)
    assert data.conditions["label"].options() == {"classes": sorted(GENRES.values())}
    press = Brown(path, genres=["news", "reviews"], length=12, minimum_count=1, unknown="keep")
    assert whole(press) == sorted(SENTENCES[0::15] + SENTENCES[2::15])
    label = everything(press).condition["label"].tolist()
    assert [number == 0 for number in label] == [text in SENTENCES[0::15] for text in texts(press)]
    assert not Brown(path, labels=False, length=12).conditions
    for genres in ([], ["poems"]):
        with pytest.raises(DataError, match="genre") as caught:
            Brown(path, genres=genres)
        assert "belles lettres" in caught.value.remedy


def test_tagged_text_becomes_text_with_its_spaces() -> None:
    tagged = "``/`` Hello/uh ,/, you/ppss ''/'' (/( he/pps said/vbd )/) --/-- and/cc 1/2/cd :/: left/vbd-hl ?/. ?/."
    assert sentence(tagged) == '"Hello, you" (he said) -- and 1/2: left?'
    assert sentence("It/pps was/bedz Mr./np Allen/np Jr./np ./.") == "It was Mr. Allen Jr."
    assert sentence("odd") == "odd"


def test_topics_are_labels_and_can_be_chosen(tmp_path: Path) -> None:
    path = fetched.fortunes(tmp_path)
    assert Fortunes(path, length=12).conditions["label"].options() == {"classes": ["art", "riddles", "zippy"]}
    one = Fortunes(path / "fortunes" / INSIDE, length=12, labels=False, minimum_count=1)
    assert whole(one) == sorted(SENTENCES[0::3] + SENTENCES[1::3])
    with pytest.raises(DataError, match="no topic 'law'") as caught:
        Fortunes(path, topics=["law"])
    assert "riddles" in caught.value.remedy
    (path / "fortunes" / INSIDE / "art").write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match="not as it was published"):
        Fortunes(path)


def test_an_entry_is_one_line_without_its_author() -> None:
    assert entry('Two lines\n\tof  text.\n\t\t-- Somebody,\n\t\t   "A Book"\n') == "Two lines of text."
    assert entry("a -- dash and _\bu_\bnder") == "a -- dash and under"
    assert entry("\n-- only an author\n") == ""


@given(content=st.one_of(st.binary(max_size=3000), st.text("ab", max_size=3000).map(str.encode)))
def test_what_was_compressed_comes_back(content: bytes) -> None:
    assert decompressed(fetched.compressed(content)) == content


def test_gzip_reads_what_we_read() -> None:
    """Gzip knows the format of compress too; 40,000 bytes need codes of 9 to 13 bits."""
    program = shutil.which("gzip")
    assert program, "these tests need gzip, which every Linux has"
    content = "\n".join(SENTENCES * 6).encode()[:40_000]
    packed = fetched.compressed(content)
    done = subprocess.run([program, "-dc"], input=b"\x1f\x9d\x90" + packed, capture_output=True, check=True)
    assert done.stdout == decompressed(packed) == content


@given(content=st.binary(max_size=500), cut=st.integers(0, 3000))
def test_damaged_files_are_refused_in_words(content: bytes, cut: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    file = fetched.bible(folder) / "usr" / "lib" / "bible.data"
    good = file.read_bytes()
    for bad in (content, good[: cut % len(good)], good[:96] + content + good[96 + len(content) :]):
        file.write_bytes(bad)
        errors = []
        try:
            read_verses(file)
        except DataError as error:
            errors.append(error)
        assert all(error.where == str(file) and "fetch text/bible" in error.remedy for error in errors)
