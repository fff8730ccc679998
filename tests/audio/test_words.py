"""Word error rate: the edit distance by its definition, what counts as a word, and a recogniser that is named."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sparring.errors import DataError
from sparring.interfaces.data import Batch
from sparring.spaces.label import LabelSpace
from sparring_audio.metrics import words as module
from sparring_audio.metrics.words import WordErrors, edits, words
from sparring_audio.waveform import WaveformSpace

torch.set_num_threads(1)

SPACE, LABELS = WaveformSpace(8000, 4000), {"label": LabelSpace(["seven", "twenty one", "no"])}
TEXTS = st.lists(st.sampled_from("abc"), max_size=7)


def slow(wanted: tuple[str, ...], heard: tuple[str, ...]) -> int:
    """The distance as it is defined: the fewest steps, tried one after the other."""

    @cache
    def least(one: tuple[str, ...], other: tuple[str, ...]) -> int:
        if not one or not other:
            return len(one) + len(other)
        return min(
            least(one[1:], other[1:]) + (one[0] != other[0]), least(one[1:], other) + 1, least(one, other[1:]) + 1
        )

    return least(wanted, heard)


@settings(max_examples=300, deadline=None)
@given(wanted=TEXTS, heard=TEXTS)
def test_the_edit_distance_is_the_fewest_steps(wanted: list[str], heard: list[str]) -> None:
    found = edits(wanted, heard)
    assert found == slow(tuple(wanted), tuple(heard))
    assert found == edits(heard, wanted)
    assert abs(len(wanted) - len(heard)) <= found <= max(len(wanted), len(heard))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (" Seven.", ["seven"]),
        ("7", ["seven"]),
        ("1, 2; 12", ["one", "two", "12"]),
        ("Don't", ["don't"]),
        ("CAFÉ — naïve", ["cafe", "naive"]),
        ("Привет, мир!", ["привет", "мир"]),
        ("...", []),
        ("", []),
    ],
)
def test_words_are_compared_without_case_accents_and_punctuation(text: str, wanted: list[str]) -> None:
    assert words(text) == wanted


def test_the_rate_counts_words(monkeypatch: pytest.MonkeyPatch) -> None:
    said = iter(["Seven.", "twenty-two", "", "oh no", "7"])
    monkeypatch.setattr(module, "whisper", lambda folder, language: lambda waveform: next(said))
    metric = WordErrors(SPACE, LABELS, Path("model"))
    label = torch.tensor([0, 1, 1, 2])
    metric.update(
        Batch(torch.zeros(1, 1, 4000), {"label": label[:1]}), Batch(torch.zeros(4, 1, 4000), {"label": label})
    )
    # seven: right; twenty two: one of two wrong; nothing: two missing; oh no: one too many.
    assert metric.compute() == {"word_error_rate": (0 + 1 + 2 + 1) / 6, "real_word_error_rate": 0.0}
    metric.reset()
    with pytest.raises(DataError, match="no generated sounds"):
        metric.compute()
    with pytest.raises(DataError, match="the condition 'said'") as caught:
        WordErrors(SPACE, LABELS, Path("model"), text="said")
    assert "label" in caught.value.remedy


def test_the_recogniser_is_asked_with_16_kilohertz_and_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model.bin").write_bytes(b"")
    heard, built = [], []

    class Segment:
        text = " no"

    class WhisperModel:
        def __init__(self, folder: str, **options: object) -> None:
            built.append(folder)

        def transcribe(self, waveform: np.ndarray, **options: object) -> tuple[list[Segment], None]:
            heard.append((waveform.dtype, len(waveform), options["language"]))
            return [Segment()], None

    package = ModuleType("faster_whisper")
    package.WhisperModel = WhisperModel  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "faster_whisper", package)
    for _ in range(2):
        metric = WordErrors(SPACE, LABELS, tmp_path, language="de")
        batch = Batch(torch.zeros(1, 1, 4000), {"label": torch.tensor([2])})
        metric.update(batch, batch)
        assert metric.compute() == {"word_error_rate": 0.0, "real_word_error_rate": 0.0}
    assert heard == [(np.dtype("float32"), 8000, "de")] * 4
    assert built == [str(tmp_path)]
    with pytest.raises(DataError, match="holds no Whisper model"):
        WordErrors(SPACE, LABELS, tmp_path / "elsewhere")
    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    with pytest.raises(DataError, match="is not installed") as caught:
        WordErrors(SPACE, LABELS, tmp_path / "another")
    assert "sparring-audio[recognition]" in caught.value.remedy
