"""The speaker encoder: the published network's arithmetic, its pieces, and weights that are none."""

from __future__ import annotations

import importlib.util
from itertools import pairwise
from pathlib import Path

import librosa
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from sparring.errors import DataError
from sparring.spaces.array import ArraySpace
from sparring_audio.speakers import COVERED, HOP, PIECE, SpeakerEncoder, louder, pieces
from sparring_audio.waveform import WaveformSpace
from tests.audio.files import tone
from tests.audio.speaker_weights import write_weights

torch.set_num_threads(1)


def reference(sound: np.ndarray, state: dict[str, Tensor]) -> Tensor:
    """The published arithmetic, by librosa's mel spectrogram and one piece at a time."""
    reader, head = nn.LSTM(40, 256, 3, batch_first=True), nn.Linear(256, 256)
    reader.load_state_dict({name[5:]: value for name, value in state.items() if name.startswith("lstm.")})
    head.load_state_dict({name[7:]: value for name, value in state.items() if name.startswith("linear.")})
    level = 20 * np.log10(np.sqrt(np.mean(sound.astype(np.float64) ** 2)))
    raised = sound * 10 ** (max(0.0, -30 - level) / 20)
    starts = pieces(len(sound))
    padded = np.pad(raised, (0, max(0, (starts[-1] + PIECE) * HOP - len(sound))))
    mel = librosa.feature.melspectrogram(y=padded, sr=16000, n_fft=400, hop_length=160, n_mels=40).T
    found = []
    for start in starts:
        with torch.no_grad():
            _, (hidden, _) = reader(torch.from_numpy(mel[None, start : start + PIECE].astype(np.float32)))
            raw = head(hidden[-1]).relu()
        found.append(raw / raw.norm())
    mean = torch.cat(found).mean(0)
    return mean / mean.norm()


@pytest.mark.parametrize("seconds", [0.5, 1.0, 2.0, 4.3])
@pytest.mark.parametrize("level", [0.005, 0.5])
def test_features_are_those_of_the_published_arithmetic(seconds: float, level: float, tmp_path: Path) -> None:
    state = write_weights(tmp_path / "pretrained.pt")
    sound = tone(150.0, seconds, 16000, level) + tone(900.0, seconds, 16000, level / 3)
    encoder = SpeakerEncoder(WaveformSpace(16000, len(sound)), tmp_path / "pretrained.pt")
    found = encoder(torch.from_numpy(sound)[None, None])[0]
    assert (found - reference(sound, state)).abs().max() < 1e-5
    assert float(found.norm()) == pytest.approx(1, abs=1e-5)
    assert encoder.name.startswith("resemblyzer-")


@pytest.mark.skipif(importlib.util.find_spec("resemblyzer") is None, reason="the package resemblyzer is not installed")
def test_the_published_weights_are_known_by_name() -> None:
    encoder = SpeakerEncoder(WaveformSpace(16000, 16000))
    assert encoder.name == "resemblyzer"
    one, other = (torch.from_numpy(tone(frequency, 1.0, 16000))[None, None] for frequency in (120.0, 240.0))
    assert float((encoder(one) * encoder(other)).sum()) < 0.95


@given(length=st.integers(1, 200_000))
def test_pieces_cover_the_sound_and_are_hardly_silent(length: int) -> None:
    starts = pieces(length)
    assert starts[0] == 0
    assert all(later - earlier == 77 for earlier, later in pairwise(starts))
    end = (starts[-1] + PIECE) * HOP
    assert end >= length - COVERED * PIECE * HOP
    if len(starts) > 1:
        assert length - starts[-1] * HOP >= COVERED * PIECE * HOP


def test_quiet_sounds_are_raised_and_silence_has_no_features(tmp_path: Path) -> None:
    quiet = 1e-3 * torch.sin(torch.arange(16000) / 5)[None]
    assert 20 * louder(quiet).square().mean().sqrt().log10() == pytest.approx(-30, abs=0.01)
    loud = 500 * quiet
    assert torch.equal(louder(loud), loud)
    write_weights(tmp_path / "pretrained.pt")
    encoder = SpeakerEncoder(WaveformSpace(8000, 4000), tmp_path / "pretrained.pt")
    found = encoder(torch.zeros(2, 1, 4000))
    assert found.shape == (2, 256)
    assert not found.any()
    assert encoder(torch.full((1, 1, 4000), torch.nan)).isfinite().all()


def test_what_is_no_file_of_weights_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    space = WaveformSpace(16000, 1000)
    with pytest.raises(DataError, match="no such file"):
        SpeakerEncoder(space, tmp_path / "missing.pt")
    (tmp_path / "text.pt").write_text("no weights")
    torch.save({"model_state": {"lstm.weight": torch.zeros(1)}}, tmp_path / "other.pt")
    torch.save([1, 2], tmp_path / "list.pt")
    for name in ("text.pt", "other.pt", "list.pt"):
        with pytest.raises(DataError, match="holds no weights") as caught:
            SpeakerEncoder(space, tmp_path / name)
        assert "pretrained.pt" in caught.value.remedy
    with pytest.raises(DataError, match="ArraySpace"):
        SpeakerEncoder(ArraySpace([1, 5]), tmp_path / "missing.pt")
    monkeypatch.setenv("SPARRING_DATA", str(tmp_path))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DataError, match="not on this machine") as caught:
        SpeakerEncoder(space)
    assert "sparring data fetch audio/speaker" in caught.value.remedy
