"""Waveforms in one tensor, and the clips that are cut from them."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sparring_audio import joined
from sparring_audio.joined import FULL_SCALE, Joined, quantised


def ramps(lengths: list[int]) -> Joined:
    """Return waveforms whose samples say where they are."""
    return Joined([(torch.arange(length) + 1 + 100 * index).to(torch.int16) for index, length in enumerate(lengths)])


def test_samples_of_16_bits_are_kept_exactly() -> None:
    file = torch.tensor([-32768, -1, 0, 1, 12345, 32767]) / FULL_SCALE  # as libsndfile reads them
    waveform = quantised(file)
    assert torch.equal(Joined([waveform]).waveform(0), file)


def test_what_goes_beyond_full_scale_is_made_quieter_and_not_clipped() -> None:
    loud = torch.tensor([0.5, -2.0, 1.0])
    kept = Joined([quantised(loud)]).waveform(0)
    torch.testing.assert_close(kept, loud / 2, rtol=0, atol=1 / FULL_SCALE)
    assert quantised(torch.tensor([1.0, -0.5])).tolist() == [FULL_SCALE - 1, -FULL_SCALE // 2]


@given(st.lists(st.integers(1, 40), min_size=1, max_size=5), st.integers(1, 16), st.integers(0, 99))
def test_clips_lie_within_one_waveform_or_hold_all_of_it(lengths: list[int], length: int, seed: int) -> None:
    sounds = ramps(lengths)
    owner = torch.arange(len(lengths)).repeat(3)
    clips = sounds.cut(owner, sounds.anywhere(owner, length, torch.Generator().manual_seed(seed)), length)
    for index, clip in zip(owner.tolist(), (clips * FULL_SCALE).long(), strict=True):
        heard = clip[clip > 0]
        assert len(heard) == min(length, lengths[index])
        assert (heard.diff() == 1).all()
        assert heard[0] > 100 * index
        assert heard[-1] <= 100 * index + lengths[index]
        before = int((clip.cumsum(0) == 0).sum())
        assert before == (length - len(heard)) // 2  # a short one lies in the middle


@given(st.lists(st.integers(1, 40), min_size=1, max_size=5), st.integers(1, 16))
def test_pieces_lie_one_behind_the_other(lengths: list[int], length: int) -> None:
    sounds = ramps(lengths)
    owner, first = sounds.pieces(length)
    for index, extent in enumerate(lengths):
        assert first[owner == index].tolist() == [length * piece for piece in range(max(1, extent // length))]


def test_places_of_clips_reach_both_ends_and_are_equally_likely() -> None:
    owner = torch.zeros(4000, dtype=torch.long)
    first = ramps([13]).anywhere(owner, 10, torch.Generator().manual_seed(0))
    counts = first.bincount().tolist()
    assert len(counts) == 4
    assert min(counts) > 900


def test_too_many_samples_stay_where_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joined, "PLACE_LIMIT", 10)
    assert ramps([100]).place(torch.device("cpu"))
    assert not ramps([100]).place(torch.device("meta"))


def test_floats_are_refused_which_would_be_silent() -> None:
    with pytest.raises(TypeError, match="quantised"):
        Joined([torch.zeros(3)])
