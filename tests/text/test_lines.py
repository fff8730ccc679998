"""One's own text: splits, odd files, and messages that say what, where and what to do."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sparring.errors import DataError
from sparring_text.data.corpus import FEWEST
from sparring_text.data.lines import Lines, read_lines
from sparring_text.networks.causal_lm import CausalLMGenerator
from sparring_text.spaces import TokenSpace
from sparring_text.tokens import END, UNKNOWN
from tests.text.corpora import SENTENCES, everything, small, space_of, texts, write
from tests.text.pretrained_models import source


def test_every_sentence_is_a_row(tmp_path: Path) -> None:
    data = small(write(tmp_path / "text"), held_out=0.2)
    assert (len(data), len(data.split("test"))) == (200, 50)
    assert not set(texts(data)) & set(texts(data.split("test")))
    assert sorted(texts(data) + texts(data.split("test"))) == sorted(SENTENCES)
    batch = everything(data)
    assert batch.sample.dtype == torch.int64
    assert batch.lengths is not None
    assert torch.equal(batch.lengths, batch.sample.ne(0).sum(1))
    assert (batch.sample[torch.arange(200), batch.lengths - 1] == END).all()
    assert not data.notes


def test_the_choice_of_held_out_lines_is_fixed(tmp_path: Path) -> None:
    path = write(tmp_path / "text")
    assert texts(small(path)) == texts(small(path))
    assert texts(small(path)) != texts(small(path, seed=1))
    with pytest.raises(DataError, match="'other'"):
        small(path).split("other")
    with pytest.raises(DataError, match="no split 'test'"):
        small(path, held_out=0).split("test")
    with pytest.raises(DataError, match=r"1\.5 of the sentences"):
        small(path, held_out=1.5)


def test_held_out_lines_are_not_in_training_even_where_lines_repeat(tmp_path: Path) -> None:
    lines = [sentence for index, sentence in enumerate(SENTENCES) for _ in range(1 + index % 3)]
    data = small(write(tmp_path / "text", [*lines, *(line.upper() for line in lines)]), lowercase=True)
    training, testing = texts(data), texts(data.split("test"))
    assert not set(training) & set(testing)
    assert len(training) > len(set(training)), "repetitions are kept: they say how common a sentence is"
    # Unknown words make sentences equal that were not.
    lines = [*SENTENCES, *(f"word{index} comes" for index in range(100))]
    data = small(write(tmp_path / "rare", lines), minimum_count=2)
    assert texts(data).count("<unknown> comes") > 50
    assert "<unknown> comes" not in texts(data.split("test"))
    with pytest.raises(DataError, match="none fits, or differs"):
        small(write(tmp_path / "all", lines[250:]), minimum_count=2)


def test_the_vocabulary_is_made_of_training_lines_alone(tmp_path: Path) -> None:
    data = small(write(tmp_path / "text", [f"say word{index}" for index in range(100)]), unknown="keep", held_out=0.3)
    assert UNKNOWN not in everything(data).sample
    assert (everything(data.split("test")).sample == UNKNOWN).any(1).all()


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r", "\n\n \t\n"])
def test_any_line_ending(tmp_path: Path, ending: str) -> None:
    assert read_lines(write(tmp_path / "text", ending=ending)) == SENTENCES


LINE = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20).filter(
    lambda text: text.strip()
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lines=st.lists(st.tuples(LINE, st.sampled_from(["\n", "\r\n", "\r"])), min_size=1, max_size=20), mark=st.booleans()
)
def test_mixed_endings_and_a_byte_order_mark(tmp_path: Path, lines: list[tuple[str, str]], mark: bool) -> None:
    path = tmp_path / "text"
    content = "".join(line + ending for line, ending in lines)
    path.write_bytes(content.encode("utf-8-sig" if mark and not content.startswith("\ufeff") else "utf-8"))
    expected = [line for line, _ in lines]
    if content.startswith("\ufeff"):
        expected = [text for text in (expected[0].removeprefix("\ufeff"), *expected[1:]) if text.strip()]
    if expected:
        assert read_lines(path) == expected


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(content=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_in_words(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bytes"
    path.write_bytes(content)
    errors = []
    try:
        found = read_lines(path)
    except DataError as error:
        errors.append(error)
    else:
        assert found
        assert all(line.strip() for line in found)
    assert all(error.remedy and str(path) in error.where for error in errors)


def test_mistakes_say_what_where_and_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "blank").write_bytes(b"\n \r\n\t\n")
    write(tmp_path / "one", SENTENCES[:1])
    write(tmp_path / "few", SENTENCES[: FEWEST - 1])
    write(tmp_path / "same", SENTENCES[:1] * 100)
    write(tmp_path / "long", [f"{index} " + "very " * 30 for index in range(100)])
    (tmp_path / "latin").write_bytes(b"one\r\ntwo\rcaf\xe9\n")
    (tmp_path / "binary").write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR")
    (tmp_path / "zero").write_bytes(b"one\n\ntw\x00o\n")
    (tmp_path / "wide").write_bytes("one\ntwo".encode("utf-16"))
    for name, words, where in (
        ("absent", "cannot be read: No such file", "absent"),
        (".", "a folder, not a file", ""),
        ("empty", "no text", "empty"),
        ("blank", "no text", "blank"),
        ("one", "1 sentences are too few", "one"),
        ("few", f"{FEWEST - 1} sentences are too few", "few"),
        ("same", "1 sentences are too few", "same"),
        ("long", "0 sentences that fit are too few", "long"),
        ("latin", "not UTF-8: byte 0xe9 at place 4", "latin, line 3"),
        ("binary", "not UTF-8: byte 0x89 at place 1", "binary, line 1"),
        ("zero", "binary: it has a zero byte", "zero, line 3"),
        ("wide", "UTF-16", "wide"),
    ):
        with pytest.raises(DataError, match=words) as caught:
            small(tmp_path / name)
        assert caught.value.where.endswith(str(tmp_path / where) if where else str(tmp_path))
        assert caught.value.remedy
    with pytest.raises(DataError, match="0 sentences that fit are too few") as caught:
        small(tmp_path / "long")
    assert "`length`" in caught.value.remedy
    assert "cut" in caught.value.remedy


def test_lines_that_do_not_fit_are_counted_and_left_out_or_cut(tmp_path: Path) -> None:
    long = "nobody sees " + "the cat and " * 10
    path = write(tmp_path / "text", [*SENTENCES, long])
    (note,) = small(path).notes
    assert f"1 of {len(SENTENCES) + 1} sentences of {path} do not fit a `length` of 12 and were left out" in note
    data = small(path, too_long="cut", held_out=0)
    assert "were cut" in data.notes[0]
    assert texts(data)[-1] == "nobody sees the cat and the cat and the cat and the"
    batch = everything(data)
    assert batch.lengths is not None
    assert batch.lengths[-1] == 12
    assert END not in batch.sample[-1]


@pytest.mark.parametrize("line", ["word " * 200_000, "x" * 1_000_000, "我" * 350_000, "e\u0301" * 400_000])
@pytest.mark.parametrize("tokens", ["word", "bpe"])
def test_a_line_of_a_megabyte(tmp_path: Path, line: str, tokens: str) -> None:
    path = write(tmp_path / "text", [*SENTENCES, line])
    start = time.perf_counter()
    data = small(path, tokens=tokens, held_out=0, length=40)
    cut = small(path, tokens=tokens, held_out=0, length=40, too_long="cut")
    assert time.perf_counter() - start < 5
    assert (len(data), len(cut)) == (len(SENTENCES), len(SENTENCES) + 1)
    assert len(data.notes) == 1
    assert "1 of 251 sentences" in data.notes[0]
    assert set(texts(data)) == set(SENTENCES)
    assert everything(cut).sample.shape == (251, 40)


def test_unknown_words_are_kept_or_their_lines_left_out(tmp_path: Path) -> None:
    path = write(tmp_path / "text", [*SENTENCES, "an okapi sees me", "a quagga sees me"])
    kept = small(path, minimum_count=2, held_out=0)
    assert len(kept) == 252
    assert "2 of " in kept.notes[0]
    assert "<unknown>" in kept.notes[0]
    skipped = small(path, minimum_count=2, held_out=0, unknown="skip")
    assert len(skipped) == 250
    assert "2 of 252 sentences" in skipped.notes[0]


CHINESE = [
    f"我{who}{what}吃{food}。" for who in "爱想要不" for what in "你他她我们" for food in ("米饭", "面条", "水果")
]
HEBREW = [
    f"{who} {does} את {what}" for who in ("הילד", "האם", "המלך") for does in ("רואה", "אוהב") for what in "אבגדהוז"
]
ARABIC = [
    f"{who} {does} {what}؟"
    for who in ("الولد", "أُمّي")
    for does in ("يرى", "يحب", "وجد")
    for what in ("بيت", "قط", "كلب", "شجرة", "ماء", "خبز", "باب")
]


@pytest.mark.parametrize("lines", [CHINESE, HEBREW, ARABIC], ids=["chinese", "hebrew", "arabic"])
@pytest.mark.parametrize("tokens", ["word", "bpe"])
def test_chinese_and_text_from_right_to_left(tmp_path: Path, lines: list[str], tokens: str) -> None:
    assert len(set(lines)) >= FEWEST
    data = Lines(write(tmp_path / "text", lines), length=20, tokens=tokens, minimum_count=1, held_out=0.2)  # type: ignore[arg-type]
    assert sorted(texts(data) + texts(data.split("test"))) == sorted(lines)
    (path,) = data.space.save(everything(data).sample, tmp_path / "out")
    assert path.read_text(encoding="utf-8").splitlines() == texts(data)


def test_chinese_characters_are_words_and_pieces_join_them() -> None:
    line = "我爱你吃米饭。"
    assert len(space_of(CHINESE, length=20).encode_lines([line])[0]) == len(line) + 1
    assert len(space_of(CHINESE, kind="bpe", size=200, length=20).encode_lines([line])[0]) < len(line)


def test_control_characters_and_our_own_sign_are_spaces(tmp_path: Path) -> None:
    odd = "the\tcat\x0bsees\u2028the\x85house▁again"
    data = small(write(tmp_path / "text", [*SENTENCES, odd]), held_out=0)
    assert texts(data)[-1] == "the cat sees the house again"


def test_tokens_may_be_those_of_a_pretrained_model(tmp_path: Path) -> None:
    """A causal language model then writes these sentences, and what they need of its vocabulary is all there is."""
    model = source("gpt2")
    data = Lines(write(tmp_path / "mine.txt"), length=24, tokens=model)
    space = data.space
    assert isinstance(space, TokenSpace)
    assert [space.decode(row) for row in data.gather(torch.arange(3), rng=torch.Generator()).sample]
    assert CausalLMGenerator(space, {}, model).vocabulary == space.vocabulary


def test_a_misspelt_kind_of_token_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no pretrained model can be loaded"):
        Lines(write(tmp_path / "mine.txt"), tokens=str(tmp_path / "wrod"))
