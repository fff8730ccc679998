"""Segments of whole recordings, a vocoder's data, and the Russian voice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from sparring.errors import DataError
from sparring.interfaces.data import Batch
from sparring_audio.mels import MelSpace
from sparring_audio.numbers import SpokenNumbers
from sparring_audio.recordings import Recordings
from sparring_audio.russian import RussianSpeech
from sparring_audio.vocoding import Vocoding
from sparring_audio.waveform import WaveformSpace
from tests.audio.files import fill, small_mel, small_space, small_waveform, tone, write, write_voice


def gather(data: Recordings | Vocoding, indices: list[int], seed: int = 0) -> Batch:
    return data.gather(torch.tensor(indices), rng=torch.Generator().manual_seed(seed))


def ramps(folder: Path, lengths: tuple[int, ...] = (1000, 3000, 500, 2500)) -> Path:
    """Write recordings whose samples say where they are."""
    for index, length in enumerate(lengths):
        write(folder / f"{index}.wav", (np.arange(length) + 1 + 4000 * index).astype(np.float32) / 32768)
    return folder


def test_segments_come_from_random_places_of_one_recording(tmp_path: Path) -> None:
    data = Recordings(ramps(tmp_path), WaveformSpace(8000, 400), trim=False, held_out=0)
    assert len(data) == 2 + 7 + 1 + 6
    starts = set()
    for seed in range(40):
        segment = (gather(data, [4], seed).sample[0, 0] * 32768).long()
        assert (segment.diff() == 1).all()
        assert int(segment[0]) > 4000  # the second recording
        assert int(segment[-1]) <= 4000 + 3000
        starts.add(int(segment[0]))
    assert len(starts) > 30
    assert max(starts) - min(starts) > 2000


def test_held_out_recordings_lie_in_pieces_one_behind_the_other(tmp_path: Path) -> None:
    data = Recordings(ramps(tmp_path), WaveformSpace(8000, 400), trim=False, held_out=0.25)
    test = data.split("test")
    assert len(test.recordings) == 1
    assert not {one.path for one in test.recordings} & {one.path for one in data.recordings}
    pieces = gather(test, list(range(len(test)))).sample.flatten()
    assert torch.equal(pieces, test.waveform(0)[: len(pieces)])
    assert torch.equal(gather(test, [0], seed=1).sample, gather(test, [0], seed=2).sample)
    with pytest.raises(DataError, match="no split 'dev'"):
        data.split("dev")
    with pytest.raises(DataError, match="no split 'test'"):
        Recordings(tmp_path, WaveformSpace(8000, 400), trim=False, held_out=0).split("test")


def test_recordings_shorter_than_a_segment_lie_in_the_middle(tmp_path: Path) -> None:
    data = Recordings(ramps(tmp_path, (100, 100)), WaveformSpace(8000, 300), trim=False, held_out=0)
    segment = gather(data, [1]).sample[0, 0]
    assert segment.nonzero().flatten().tolist() == list(range(100, 200))


def test_silence_is_cut_loudness_is_set_and_odd_files_are_listed(tmp_path: Path) -> None:
    quiet = np.zeros(2000, dtype=np.float32)
    sound = np.concatenate([quiet, tone(seconds=0.5, level=0.2), quiet])
    write(tmp_path / "a.wav", sound)
    write(tmp_path / "b.wav", tone(seconds=0.5, rate=96000, level=0.1), 96000, "PCM_24")
    write(tmp_path / "c.wav", np.stack([sound, sound], axis=1), subtype="PCM_U8")
    write(tmp_path / "silent.wav", quiet)
    (tmp_path / "text.wav").write_text("words")
    data = Recordings(tmp_path, small_waveform(), peak=0.95, held_out=0)
    assert [one.path.name for one in data.recordings] == ["a.wav", "b.wav", "c.wav"]
    assert any("silent.wav: the sound is silent" in note for note in data.notes)
    assert any("text.wav" in note for note in data.notes)
    for index, one in enumerate(data.recordings):
        assert data.waveform(index).abs().max() == pytest.approx(0.95, abs=1e-3)
        assert one.length < 4600
    assert data.recordings[0].cut == pytest.approx(0.22, abs=0.03)


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    fill(tmp_path, 3)
    with pytest.raises(DataError, match=r"8000 Hz.*16000 Hz"):
        Recordings(tmp_path, WaveformSpace(16000), resample=False)
    with pytest.raises(DataError, match="works on waveforms"):
        Recordings(tmp_path, small_space())
    with pytest.raises(DataError, match="peak of 2"):
        Recordings(tmp_path, small_waveform(), peak=2.0)
    write(tmp_path / "one" / "a.wav", tone())
    with pytest.raises(DataError, match="too few"):
        Recordings(tmp_path / "one", small_waveform())


# ---- a vocoder's data ----


def test_every_segment_comes_with_its_own_spectrogram(tmp_path: Path) -> None:
    fill(tmp_path, 10)
    data = Vocoding(Recordings(tmp_path, small_waveform(), held_out=0.2), small_mel())
    batch = gather(data, [0, 3, 3])
    assert batch.sample.shape == (3, 1, 1024)
    assert batch.condition["mel"].shape == (3, 20, 16)
    assert torch.equal(batch.condition["mel"], small_mel().analyse(batch.sample[:, 0]))
    assert len(data.split("test")) < len(data)
    assert Vocoding(Recordings(tmp_path, small_waveform())).mel.length == 1024


def test_spectrograms_that_do_not_fit_the_waveforms_are_refused_with_both_values(tmp_path: Path) -> None:
    fill(tmp_path, 3)
    recordings = Recordings(tmp_path, small_waveform())
    options = small_mel().options()
    with pytest.raises(DataError, match=r"8000 Hz, and the mel spectrograms 16000 Hz"):
        Vocoding(recordings, MelSpace(frames=4))
    with pytest.raises(DataError, match=r"1024 samples, and 10 frames of 64 samples have 640"):
        Vocoding(recordings, MelSpace(**{**options, "frames": 10}))
    with pytest.raises(DataError, match="LogMelSpace"):
        Vocoding(recordings, small_space())
    with pytest.raises(DataError, match="works on waveforms"):
        Vocoding(SpokenNumbers(small_space(), variants=10))


# ---- the Russian voice ----


def test_texts_and_phones_follow_the_recordings(tmp_path: Path) -> None:
    data = RussianSpeech(write_voice(tmp_path), held_out=0.4)
    names = [one.path.stem for one in data.recordings]
    assert [one.name for one in data.utterances] == names
    assert len(names) == 4
    assert len(data.split("test").utterances) == 2
    one = data.utterances[0]
    assert one.text == f"Слово н+омер {int(one.name[-4:])}."
    assert [phone.name for phone in one.phones] == ["pau", "aa", "b", "pau"]
    # The tone begins 0.2 s into the file; 20 ms before it are kept.
    assert one.phones[1].start == pytest.approx(0.02, abs=0.021)
    assert one.phones[2].stop - one.phones[1].start == pytest.approx(0.5)
    whole = RussianSpeech(tmp_path, trim=False)
    assert whole.utterances[0].phones[0].start == 0
    assert whole.utterances[0].phones[1].start == pytest.approx(0.2)


def test_damaged_files_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    voice = write_voice(tmp_path) / "usr/share/festival/voices/russian/msu_ru_nsh_clunits"
    (voice / "lab" / "ru_0001.lab").write_text("#\n0.2 125 pau\nnonsense\n")
    with pytest.raises(DataError, match="line 3 is no phone") as caught:
        _ = RussianSpeech(voice).utterances
    assert caught.value.where.endswith("ru_0001.lab")
    (voice / "etc" / "txt.done.data").write_text("nothing")
    with pytest.raises(DataError, match="no sentences"):
        RussianSpeech(voice)
    monkeypatch.setenv("SPARRING_DATA", str(tmp_path / "nowhere"))
    if not Path("/usr/share/festival/voices/russian").exists():
        with pytest.raises(DataError) as caught:
            RussianSpeech()
        assert "sparring data fetch audio/russian-speech" in caught.value.remedy
