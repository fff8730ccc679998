"""Data that are fetched: drum hits by kind, and prompts with what they say. Made-up files lie as the packages do."""

from __future__ import annotations

import importlib
from array import array
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sparring.errors import DataError
from sparring.interfaces.data import Batch, Data
from sparring.spaces.label import LabelSpace
from sparring_audio.drums import KINDS, DrumHits, kind_of
from sparring_audio.prompts import Prompts, g722_reader, read_texts
from sparring_audio.spaces import LogMelSpace
from sparring_audio.waveform import WaveformSpace
from tests.audio.files import fill, fill_kits, fill_prompts, small_space, tone

torch.set_num_threads(1)

NAMES = {
    "PearlKick-Softest": "kick",
    "BD_02": "kick",
    "bassdrum-4mics-br-stereo-soft2": "kick",
    "EE_Snare_3": "snare",
    "SN3_04": "snare",
    "jsnare_01": "snare",
    "snare-opaque-normal-mic-normal_shot3": "snare",
    "HiHatSemiopen-4": "hat",
    "hhclosed_04": "hat",
    "Hard_CHH_02": "hat",
    "HH2_04": "hat",
    "TM2_04": "tom",
    "floortom_04": "tom",
    "99931__menegass__noise-tom1": "tom",
    "CrashRide18Bell-1": "cymbal",
    "RD2_03": "cymbal",
    "ZildjianSplashChoke-Hard": "cymbal",
    "Cowbell-Med": None,
    "RimClick-3": None,
    "beats_01-10": None,
    "EE_Kick_Stomp": None,  # which has a tom inside
    "Fingersnap-Med": None,
}


def everything(data: Data) -> Batch:
    return data.gather(torch.arange(len(data)), rng=torch.Generator())


def test_the_list_is_not_empty() -> None:
    assert len(NAMES) > 10


@pytest.mark.parametrize(("name", "kind"), NAMES.items())
def test_a_file_s_name_tells_the_kind(name: str, kind: str | None) -> None:
    assert kind_of(name) == kind


def test_strokes_of_five_kinds_at_one_peak(tmp_path: Path) -> None:
    fill_kits(tmp_path, 12)
    data = DrumHits(tmp_path, WaveformSpace(8000, 1024), held_out=0.25)
    label = data.conditions["label"]
    assert isinstance(label, LabelSpace)
    assert label.classes == list(KINDS)
    assert torch.bincount(everything(data).condition["label"]).tolist() == [9] * 5
    assert torch.bincount(everything(data.split("test")).condition["label"]).tolist() == [3] * 5
    peaks = everything(data).sample.abs().amax((1, 2))
    torch.testing.assert_close(peaks, torch.full_like(peaks, 0.95), atol=1e-3, rtol=0)
    assert not DrumHits(tmp_path, WaveformSpace(8000, 1024), labels=False).conditions


def test_kits_that_are_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARRING_DATA", str(tmp_path / "nowhere"))
    if not Path("/usr/share/hydrogen/data/drumkits").is_dir():
        with pytest.raises(DataError) as caught:
            DrumHits()
        assert "sparring data fetch audio/drum-hits" in caught.value.remedy
    fill_kits(tmp_path / "few", 3)
    with pytest.raises(DataError, match="3 of kick"):
        DrumHits(tmp_path / "few", small_space())
    fill(tmp_path / "other", 20)
    with pytest.raises(DataError, match="0 of kick"):
        DrumHits(tmp_path / "other", small_space())


def test_prompts_come_with_what_they_say(tmp_path: Path) -> None:
    fill_prompts(tmp_path, 20)
    data = Prompts(8000, tmp_path, small_space(), cut="beginning")
    assert (len(data), len(data.split("test"))) == (18, 2)
    said = sorted(data.transcripts + data.split("test").transcripts)
    assert said == sorted(f"number {index}" for index in range(20))  # neither the beep nor the silence
    short = Prompts(8000, tmp_path, WaveformSpace(8000, 256), cut="random").split("test")
    assert [len(short.waveform(index)) for index in range(2)] == [4000, 4000]  # whole, and not the clips of 256
    with pytest.raises(DataError) as caught:
        Prompts(8000, tmp_path, LogMelSpace())
    assert "8000 Hz" in caught.value.what
    assert "16000 Hz" in caught.value.what


def test_prompts_that_are_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARRING_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(DataError) as caught:
        Prompts(8000)
    assert "sparring data fetch audio/prompts" in caught.value.remedy
    fill_prompts(tmp_path, 20)
    with pytest.raises(DataError, match="none of the prompts"):
        Prompts(16000, tmp_path)
    (broken,) = (tmp_path / "asterisk-core-sounds-en").rglob("*.gz")
    broken.write_bytes(b"no archive")
    with pytest.raises(DataError, match="transcripts cannot be read"):
        read_texts(broken)


def test_a_missing_decoder_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(DataError) as caught:
        g722_reader()
    assert "sparring-audio[prompts]" in caught.value.remedy


def test_wideband_prompts_are_decoded(tmp_path: Path) -> None:
    codec = pytest.importorskip("G722").G722
    wave = (tone(5000.0, 0.5, 16000) * 32767).astype(np.int16)
    coded = codec(16000, 64000).encode(array("h", wave.tolist()))
    path = tmp_path / "high.g722"
    path.write_bytes(bytes(coded))
    sound = g722_reader()(path)
    assert sound.sample_rate == 16000
    spectrum = np.abs(np.fft.rfft(sound.waveform[1000:7000]))
    assert spectrum.argmax() * 16000 / 6000 == pytest.approx(5000, abs=5)
    assert np.abs(sound.waveform).max() == pytest.approx(0.5, abs=0.1)
    assert len(g722_reader()(path, 0.1).waveform) == 1600
    path.write_bytes(b"")
    with pytest.raises(DataError, match="empty"):
        g722_reader()(path)
