"""One's own sounds: labels, splits, lengths, and files that cannot be used."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from sparring.errors import DataError
from sparring.interfaces.data import Batch, Data
from sparring.spaces.label import LabelSpace
from sparring_audio.folder import FEWEST, Folder
from sparring_audio.reading import MOST_NOTES
from sparring_audio.waveform import WaveformSpace
from tests.audio.files import fill, small_space, tone, write


def everything(data: Data) -> Batch:
    return data.gather(torch.arange(len(data)), rng=torch.Generator())


def small(path: Path, **options: object) -> Folder:
    return Folder(path, small_space(), **options)  # type: ignore[arg-type]


def test_a_flat_folder_has_no_labels(tmp_path: Path) -> None:
    fill(tmp_path, 30, seconds=0.2)
    data = small(tmp_path)
    assert not data.conditions
    assert (len(data), len(data.split("test"))) == (27, 3)
    assert everything(data).sample.shape == (27, 1, 16, 16)
    assert not data.notes
    assert Folder(tmp_path).space.shape == (1, 80, 64)  # by default


def test_samples_are_what_the_space_makes_of_the_files(tmp_path: Path) -> None:
    fill(tmp_path, 20, seconds=0.2)
    data = small(tmp_path, held_out=0.0, trim=False)
    expected = torch.stack([small_space().encode(file) for file in sorted(tmp_path.iterdir())])
    torch.testing.assert_close(everything(data).sample, expected, atol=1e-3, rtol=0)


def test_nested_folders_are_labels(tmp_path: Path) -> None:
    for name in ("cat", "ant", "bee"):
        fill(tmp_path / name / "deeper", 10)
    data = small(tmp_path, held_out=0.0)
    space = data.conditions["label"]
    assert isinstance(space, LabelSpace)
    assert space.classes == ["ant", "bee", "cat"]
    assert everything(data).condition["label"].tolist() == [0] * 10 + [1] * 10 + [2] * 10
    assert not small(tmp_path, labels=False).conditions


def test_labels_that_cannot_be_told(tmp_path: Path) -> None:
    fill(tmp_path / "mixed", 10)
    fill(tmp_path / "mixed" / "a", 10)
    fill(tmp_path / "mixed" / "b", 10)
    assert "unlabelled" in small(tmp_path / "mixed").notes[0]
    with pytest.raises(DataError, match="some lie in none"):
        small(tmp_path / "mixed", labels=True)
    fill(tmp_path / "single" / "a", 20)
    assert not small(tmp_path / "single").conditions
    with pytest.raises(DataError, match="only a"):
        small(tmp_path / "single", labels=True)
    fill(tmp_path / "splits" / "train", 20)
    fill(tmp_path / "splits" / "test", 20)
    with pytest.raises(DataError, match="look like splits"):
        small(tmp_path / "splits")


def test_files_that_cannot_be_used_are_skipped_and_listed(tmp_path: Path) -> None:
    fill(tmp_path, 22, seconds=0.2)
    (tmp_path / "003.wav").write_bytes(b"")
    (tmp_path / "007.wav").write_text("not a sound")
    write(tmp_path / "008.wav", np.zeros(4000, dtype=np.float32))
    write(tmp_path / "009.wav", np.zeros(0, dtype=np.float32))
    write(tmp_path / "short.wav", tone(seconds=0.01))  # a hundredth of a second is padded
    write(tmp_path / "wide.wav", np.stack([tone(seconds=0.2, rate=96000)] * 2, axis=1), 96000, "PCM_24")
    (tmp_path / "notes.txt").write_text("no sound, and not taken for one")
    (tmp_path / ".hidden.wav").write_text("passed over")
    data = small(tmp_path, held_out=0.0)
    assert len(data) == 20
    assert len(data.notes) == 4
    reasons = ("file is empty", "no sound format", "every sample is zero", "no samples")
    for note, name, reason in zip(data.notes, ("003", "007", "008", "009"), reasons, strict=True):
        assert f"{name}.wav: " in note
        assert reason in note


def test_many_notes_are_summed_up(tmp_path: Path) -> None:
    fill(tmp_path, FEWEST, seconds=0.2)
    for index in range(MOST_NOTES + 10):
        (tmp_path / f"bad{index}.wav").write_bytes(b"bad")
    notes = small(tmp_path).notes
    assert len(notes) == MOST_NOTES + 1
    assert notes[-1] == "skipped 10 more that cannot be read, of 50 files"


def test_longer_sounds_lose_their_end_or_become_several_clips(tmp_path: Path) -> None:
    fill(tmp_path, 20, seconds=1.0)
    clip = small_space().seconds
    assert clip == pytest.approx(0.24)
    start = small(tmp_path, held_out=0.0)
    assert len(start) == 20
    assert "20 sounds" in start.notes[0]
    assert "cut: pieces" in start.notes[0]
    pieces = small(tmp_path, held_out=0.0, cut="pieces")
    assert len(pieces) == 20 * 4
    assert not pieces.notes


def test_clips_of_a_file_stay_together_when_some_are_held_out(tmp_path: Path) -> None:
    fill(tmp_path, 20, lowest=400.0, seconds=1.0)
    data = small(tmp_path, cut="pieces", held_out=0.25)
    assert (len(data), len(data.split("test"))) == (60, 20)
    again = small(tmp_path, cut="pieces", held_out=0.25)
    assert torch.equal(everything(data.split("test")).sample, everything(again.split("test")).sample)
    other = small(tmp_path, cut="pieces", held_out=0.25, seed=1)
    assert not torch.equal(everything(data.split("test")).sample, everything(other.split("test")).sample)
    rows = {row.numpy().tobytes() for row in everything(data).sample}
    assert not rows & {row.numpy().tobytes() for row in everything(data.split("test")).sample}


def test_silence_at_the_ends_is_trimmed_unless_it_is_wanted(tmp_path: Path) -> None:
    for index in range(20):
        sound = np.concatenate([np.zeros(4000, dtype=np.float32), tone(500.0 + 50 * index, 0.1)])
        write(tmp_path / f"{index:02d}.wav", sound)
    trimmed, whole = small(tmp_path), small(tmp_path, trim=False)
    assert everything(trimmed).sample.amax((1, 2, 3)).min() > 0
    assert everything(whole).sample.amax() == -1  # its beginning, which is silent


def test_another_sample_rate_is_resampled_or_refused_with_both_values(tmp_path: Path) -> None:
    fill(tmp_path, 20, rate=44100, seconds=0.2)
    assert len(small(tmp_path)) == 18
    with pytest.raises(DataError) as caught:
        small(tmp_path, resample=False)
    assert "44100 Hz" in caught.value.what
    assert "8000 Hz" in caught.value.what
    assert "000.wav" in caught.value.where


def test_folders_without_sounds(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        small(tmp_path / "absent")
    (tmp_path / "notes.txt").write_text("text")
    with pytest.raises(DataError, match="no sounds among the 1 files"):
        small(tmp_path)
    with pytest.raises(DataError, match="a file"):
        small(tmp_path / "notes.txt")
    fill(tmp_path, 3)
    (tmp_path / "bad.wav").write_bytes(b"bad")
    with pytest.raises(DataError, match=r"3 sounds are too few to train on \(1 more cannot be used\)"):
        small(tmp_path)
    for file in tmp_path.glob("0*.wav"):
        file.unlink()
    with pytest.raises(DataError, match="0 sounds are too few"):
        small(tmp_path)
    with pytest.raises(DataError, match="LabelSpace"):
        Folder(tmp_path, LabelSpace(["a"]))


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    fill(tmp_path / "elsewhere", 12)
    fill(tmp_path / "sounds" / "a", 12, lowest=900.0)
    (tmp_path / "sounds" / "b").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (tmp_path / "sounds" / "a" / "back").symlink_to(tmp_path / "sounds", target_is_directory=True)
    data = small(tmp_path / "sounds", held_out=0.0)
    assert torch.bincount(everything(data).condition["label"]).tolist() == [12, 12]


def test_random_clips_come_from_anywhere_and_follow_the_rng(tmp_path: Path) -> None:
    # Each sound rises evenly from silence to full scale, so that a clip's level says where it comes from.
    ramp = np.linspace(0.01, 0.9, 8000, dtype=np.float32) * (-1.0) ** np.arange(8000, dtype=np.float32)
    for index in range(20):
        write(tmp_path / f"{index:02d}.wav", ramp)
    data = Folder(tmp_path, WaveformSpace(8000, 400), cut="random", trim=False, held_out=0.0)
    assert not data.notes
    rows = torch.arange(20).repeat(20)
    clips = data.gather(rows, rng=torch.Generator().manual_seed(0)).sample
    level = clips.abs().mean((1, 2))
    assert level.min() < 0.1
    assert level.max() > 0.8
    assert torch.equal(clips, data.gather(rows, rng=torch.Generator().manual_seed(0)).sample)
    assert not torch.equal(clips, data.gather(rows, rng=torch.Generator().manual_seed(1)).sample)
    steps = clips[:, 0].abs().diff(dim=1)
    torch.testing.assert_close(steps, torch.full_like(steps, 0.89 / 7999), atol=1e-4, rtol=0)  # nothing is skipped


def test_a_short_sound_lies_in_the_middle_whatever_the_cut(tmp_path: Path) -> None:
    for index in range(20):
        write(tmp_path / f"{index:02d}.wav", np.full(101, 0.5, dtype=np.float32))
    for cut in ("beginning", "random", "pieces"):
        data = Folder(tmp_path, WaveformSpace(8000, 400), cut=cut, trim=False, held_out=0.0)  # type: ignore[arg-type]
        (clip,) = everything(data).sample[:1, 0]
        assert len(data) == 20
        assert clip.nonzero().flatten().tolist() == list(range(149, 250))


def test_louder_than_full_scale_is_made_quieter(tmp_path: Path) -> None:
    fill(tmp_path, 19, seconds=0.2)
    write(tmp_path / "loud.wav", tone(level=3.0, seconds=0.05), subtype="FLOAT")
    data = Folder(tmp_path, WaveformSpace(8000, 400), trim=False, held_out=0.0)
    clip = everything(data).sample[-1, 0]
    assert np.abs(clip.numpy() - tone(level=1.0, seconds=0.05)).max() < 0.01


def test_transcripts_come_from_a_table_as_ljspeech_has_it(tmp_path: Path) -> None:
    fill(tmp_path / "wavs", 20, seconds=0.2)
    lines = [f'{index:03d}|He said "{index}".|He said "number {index}".' for index in range(1, 20)]
    (tmp_path / "metadata.csv").write_text("\n".join(lines), encoding="utf-8")
    data = small(tmp_path)
    assert not data.conditions
    assert len(data.transcripts) == 18
    assert len(data.split("test").transcripts) == 2
    said = data.transcripts + data.split("test").transcripts
    assert sorted(said)[:2] == ["", 'He said "number 1".']
    assert "1 of 20 files have no transcript" in data.notes[0]
    whole = small(tmp_path, held_out=0.0)
    assert whole.transcripts[7] == 'He said "number 7".'
    (tmp_path / "metadata.csv").write_text("a,b,c\n", encoding="utf-8")
    other = small(tmp_path, held_out=0.0)
    assert other.transcripts == [""] * 20
    assert "left aside" in other.notes[0]
    (tmp_path / "metadata.csv").write_bytes(b"\xff\xfe|x")
    assert "cannot be read as text" in small(tmp_path).notes[0]
