"""From a typed text to symbols: what is read, what is refused, where the stress is, which phones a letter has."""

from __future__ import annotations

import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sparring.errors import DataError
from sparring_audio import spoken_text
from sparring_audio.alignment import align, as_spoken
from sparring_audio.metrics.words import words
from sparring_audio.russian_text import BETWEEN, LETTERS, NUMBERS, SYMBOLS, symbols_of, text_of
from sparring_audio.spoken_text import UNKNOWN, SpokenText
from sparring_audio.stress import Dictionary, read_dictionary
from tests.audio.speaking import FILES, SENTENCES, WORDS, speech

torch.set_num_threads(1)
speech()  # writes the voice
VOICE = Path(FILES.name) / "usr/share/festival/voices/russian/msu_ru_nsh_clunits"


def unmarked(text: str) -> str:
    """What is read of a text whose words are left without stress."""
    return text_of(symbols_of(text, lambda word: word))


# ---- what is read ----


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("Привет", "привет."),
        ("  ДА,   нет!  ", "да, нет!"),
        ("Что?!", "что?"),
        ("Да… нет", "да. нет."),
        ("кто-то", "кто то."),
        ("он \u2014 я", "он, я."),
        ("он - я", "он, я."),
        ("\u00abДа\u00bb, (нет); так: вот", "да, нет, так, вот."),
        ("...да", "да."),
        ("строка\nи ещё\tодна", "строка и ещё одна."),
        ("окн+о", "окно\u0301."),
        ("окно\u0301", "окно\u0301."),
        ("й" + "е\u0308", "йё."),  # letters that are written as two signs
        ("+ок+н", "о\u0301кн."),  # a mark ahead of a consonant means nothing
    ],
)
def test_texts_are_read(text: str, read: str) -> None:
    assert unmarked(text) == read
    assert unmarked(read) == read


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("Hello", "'e', 'h', 'l', 'o'"),
        ("дом 3", "'3'"),
        ("50 %", "'%', '0', '5'"),
        ("привет \U0001f600", "'\U0001f600'"),
        ("ґрунт", "'ґ'"),
        ("a\x00б", r"'\\x00'"),
    ],
)
def test_what_has_no_sound_is_named(text: str, named: str) -> None:
    with pytest.raises(DataError, match=named) as caught:
        unmarked(text)
    assert "Russian letters" in caught.value.remedy


@pytest.mark.parametrize("text", ["", "   ", "\n", "?!", "+", "-", "..."])
def test_what_has_no_words_is_refused(text: str) -> None:
    with pytest.raises(DataError, match="no words"):
        unmarked(text)


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=LETTERS + LETTERS.upper() + " ,.?!-+\u0301\u2026\"'", max_size=40))
def test_what_was_read_reads_the_same_again(text: str) -> None:
    try:
        found = symbols_of(text, lambda word: word)
    except DataError:
        return
    assert set(found) <= set(SYMBOLS[1:])
    assert found[0] == " "
    assert found[-1] in BETWEEN
    assert not any(one in BETWEEN and other in BETWEEN for one, other in pairwise(found[1:]))
    assert symbols_of(text_of(found), lambda word: word) == found


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = SpokenText(8).encode(text)
    except DataError:
        return
    assert found.isfinite().all()


# ---- stress ----


def test_stress_is_looked_up_and_guessed_by_the_ending() -> None:
    dictionary = read_dictionary(VOICE)
    assert dictionary.stresses == WORDS
    assert [dictionary.stressed(word) for word in ("окно", "молоко", "и", "зеленый", "вздрг")] == [
        *("окн+о", "молок+о", "и", "зелёный", "вздрг")
    ]
    # Not there: 'волокно' ends as 'окно' and 'молоко' do; a word of one vowel has no choice; nothing ends as 'кенгуру'.
    assert dictionary.stressed("волокно") == "волокн+о"
    assert dictionary.stressed("дом") == "д+ом"
    assert dictionary.stressed("кенгуруся") == "кенгур+уся"


def test_a_mark_of_the_user_goes_before_the_dictionary() -> None:
    dictionary = Dictionary(WORDS)
    assert text_of(symbols_of("+окно мама ещё", dictionary.stressed)) == "о\u0301кно ма\u0301ма ещё."


def test_without_a_dictionary_a_word_of_two_vowels_needs_its_mark(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def missing() -> Path:
        raise DataError("the Russian speech is not on this machine")

    monkeypatch.setattr(spoken_text, "voice_folder", missing)
    space = SpokenText(8)
    assert space.decode(space.encode("Кот и м+ама.")) == "ко\u0301т и ма\u0301ма."
    with pytest.raises(DataError, match="'мама' is, is not known: the Russian speech is not") as caught:
        space.encode("мама")
    assert "окн+о" in caught.value.remedy
    (tmp_path / "dict").mkdir()
    with pytest.raises(DataError, match="cannot be read"):
        read_dictionary(tmp_path)
    shutil.copy(VOICE / "etc" / "txt.done.data", tmp_path / "dict" / "msu_ru_nsh_dict.scm")
    with pytest.raises(DataError, match="has no words"):
        read_dictionary(tmp_path)


def test_a_page_is_refused_and_a_number_is_no_text() -> None:
    with pytest.raises(DataError, match="at most 4096"):
        SpokenText().encode("да " * 3000)
    with pytest.raises(DataError, match="is no text"):
        SpokenText().encode(3)
    with pytest.raises(DataError, match="says nothing"):
        SpokenText(0)


def test_what_is_not_known_of_a_text_is_marked() -> None:
    found = SpokenText(8).encode("д+а")
    assert found[0].tolist() == [NUMBERS[one] for one in (" ", "д", "+а", ".")] + [0] * 4
    assert (found[1:] == UNKNOWN).all()
    assert SpokenText(2).encode("д+а").shape == (3, 4)


def test_word_errors_count_a_text_without_its_accents() -> None:
    space = SpokenText(8)
    assert words(space.decode(space.encode("Окн+о, ёлка и +я!"))) == ["окно", "елка", "и", "я"]


# ---- alignment ----


@pytest.mark.parametrize("text", SENTENCES)
def test_every_phone_has_a_letter(text: str) -> None:
    phones = SENTENCES[text].split()
    symbols = symbols_of(text, lambda word: word)
    shares, cost = align(symbols, phones)
    assert sum(shares) == len(phones)
    assert set(shares) <= {0, 1, 2}
    assert cost <= 1.0


@pytest.mark.parametrize(
    ("word", "phones", "shares"),
    [
        ("яма", "j aa m ay", [2, 1, 1]),
        ("съел", "s j ee l", [1, 0, 2, 1]),
        ("день", "dd ee nn", [1, 1, 1, 0]),
        ("друг", "d r uu k", [1, 1, 1, 1]),
        ("что", "sh t oo", [1, 1, 1]),
        ("его", "j i v oo", [2, 1, 1]),
        ("счастье", "sch aa s tt j e", [0, 1, 1, 1, 1, 0, 2]),
    ],
)
def test_letters_take_the_phones_that_they_are_spoken_as(word: str, phones: str, shares: list[int]) -> None:
    symbols = symbols_of(f"{word}.", lambda one: one)
    found, _ = align(symbols, ["pau", *phones.split(), "pau"])
    if word == "счастье":  # either of the first two letters may be the silent one
        assert sum(found[1:3]) == 1
        found[1:3] = shares[:2]
    assert found == [1, *shares, 1]


def test_stress_and_yo_are_read_from_the_phones() -> None:
    symbols, phones = (
        symbols_of("Все в огне.", lambda word: word),
        ["pau", "f", "ss", "oo", "v", "a", "g", "nn", "ee", "pau"],
    )
    shares, _ = align(symbols, phones)
    assert text_of(as_spoken(symbols, phones, shares)) == "всё в огне\u0301."


def test_an_alignment_is_the_cheapest_of_all() -> None:
    """Against every way to share three phones out among three letters."""
    symbols, phones = ["т", "я", "+о"], ["t", "j", "aa"]
    shares, cost = align(symbols, phones)
    assert (shares, cost) == ([1, 2, 0], 3.0)
    assert np.isinf(align(["т"], ["t", "j", "aa", "oo"])[1])
