"""PESQ and STOI: known answers, and every input that makes the packages fail."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from torch import Tensor

from sparring.errors import DataError, TrainingError
from sparring.interfaces.data import Batch
from sparring.interfaces.reward import Reward
from sparring.spaces.array import ArraySpace
from sparring_audio.metrics.quality import PESQ, STOI
from sparring_audio.numbers import recordings
from sparring_audio.quality import WORST_PESQ, pesq_score, stoi_score
from sparring_audio.rewards import PESQReward, STOIReward
from sparring_audio.sounds import fit
from sparring_audio.spaces import LogMelSpace
from sparring_audio.waveform import WaveformSpace

pytest.importorskip("pesq", reason="the extra `quality` is not installed")
pytest.importorskip("pystoi", reason="the extra `quality` is not installed")
torch.set_num_threads(1)

RATE, LENGTH = 8000, 6400
SPACE = WaveformSpace(RATE, LENGTH)
WORDS = torch.stack([fit(word, LENGTH) for word in recordings()[:4]])


def noisy(level: float) -> Tensor:
    return WORDS + level * torch.randn(WORDS.shape, generator=torch.Generator().manual_seed(0))


def batch(waveforms: Tensor) -> Batch:
    return Batch(waveforms[:, None])


def test_a_sound_beside_itself_has_the_best_score() -> None:
    long = torch.cat(list(WORDS))
    wide = torch.from_numpy(np.interp(np.arange(0, len(long), 0.5), np.arange(len(long)), long)).float()
    assert pesq_score(wide, wide, 16000) == pytest.approx(4.64, abs=0.005)
    assert pesq_score(long, long, RATE) == pytest.approx(4.55, abs=0.005)
    # The known answer is what the package gives too.
    import pesq

    assert pesq.pesq(16000, wide.numpy(), wide.numpy(), "wb") == pytest.approx(pesq_score(wide, wide, 16000))
    assert pesq.pesq(RATE, long.numpy(), long.numpy(), "nb") == pytest.approx(pesq_score(long, long, RATE))
    assert stoi_score(long, long, RATE) == pytest.approx(1.0)


def test_more_noise_has_a_lower_score() -> None:
    for metric in (PESQ(SPACE), STOI(SPACE)):
        found = []
        for level in (0.0, 0.01, 0.1):
            metric.reset()
            metric.update(batch(WORDS), batch(noisy(level)))
            found.append(next(iter(metric.compute().values())))
        assert found[0] > found[1] > found[2]


SILENCE, BROKEN = torch.zeros(LENGTH), torch.full((LENGTH,), torch.nan)


@pytest.mark.parametrize(("score", "worst"), [(pesq_score, WORST_PESQ), (stoi_score, 0.0)])
def test_what_is_no_speech_has_the_worst_score_or_none(score: object, worst: float) -> None:
    assert callable(score)
    assert score(WORDS[0], SILENCE, RATE) == worst
    assert score(WORDS[0], BROKEN, RATE) == worst
    assert score(WORDS[0], torch.full((LENGTH,), torch.inf), RATE) == worst
    assert score(SILENCE, WORDS[0], RATE) is None
    assert score(SILENCE, SILENCE, RATE) is None
    assert score(WORDS[0][2000:2400], WORDS[0][2000:2400], RATE) is None  # 50 ms
    assert score(WORDS[0][:1], WORDS[0][:1], RATE) is None


@pytest.mark.parametrize("rate", [7000, 11025, 22050, 96000])
def test_any_sample_rate_will_do(rate: int) -> None:
    sound = torch.from_numpy(np.interp(np.arange(rate) / rate, np.arange(LENGTH) / RATE, WORDS[0])).float()
    value = pesq_score(sound, sound + 0.01 * torch.randn(rate, generator=torch.Generator().manual_seed(0)), rate)
    assert value is not None
    assert 1 < value < 4.6
    assert stoi_score(sound, sound, rate) == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize(("metric", "name"), [(PESQ(SPACE), "pesq"), (STOI(SPACE), "stoi")])
def test_metrics_count_what_they_cannot_score(metric: PESQ | STOI, name: str) -> None:
    real = torch.stack([WORDS[0], SILENCE, WORDS[1]])
    metric.reset()
    metric.update(batch(real), batch(torch.stack([WORDS[0], WORDS[0], SILENCE])))
    values = metric.compute()
    assert list(values) == [name, f"{name}_unscored"]
    assert values[f"{name}_unscored"] == 1
    best, worst = {"pesq": (4.55, WORST_PESQ), "stoi": (1.0, 0.0)}[name]
    assert values[name] == pytest.approx((best + worst) / 2, abs=0.01)
    metric.reset()
    metric.update(batch(SILENCE[None]), batch(WORDS[:1]))
    assert metric.compute() == {name: worst, f"{name}_unscored": 1}
    metric.reset()
    metric.update(batch(WORDS[:0]), batch(WORDS[:0]))
    with pytest.raises(DataError, match="no pairs"):
        metric.compute()


def test_spectrograms_are_measured_as_sounds() -> None:
    space = LogMelSpace(RATE, window=512, hop=200, mels=64, frames=32, lowest=60.0, highest=4000.0)
    real = space.analyse(torch.stack([fit(word, space.length) for word in WORDS]))
    metric = STOI(space)
    metric.update(Batch(real), Batch(real))
    assert metric.compute()["stoi"] == pytest.approx(1.0, abs=1e-3)
    metric.reset()
    broken = real.clone()
    broken[1, 0, 3, 3] = torch.nan
    metric.update(Batch(real), Batch(broken))
    assert metric.compute()["stoi"] == pytest.approx(0.75, abs=1e-3)
    with pytest.raises(DataError, match="ArraySpace"):
        PESQ(ArraySpace([1, 16]))


def test_rewards_are_scaled_and_say_where_there_is_no_score() -> None:
    pesq, stoi = PESQReward(SPACE), STOIReward(SPACE)
    assert isinstance(pesq, Reward)
    real = torch.stack([WORDS[0], WORDS[0], WORDS[0], SILENCE])
    made = torch.stack([WORDS[0], noisy(0.05)[0], BROKEN, WORDS[0]])
    found = pesq(batch(made), batch(real))
    score = pesq_score(WORDS[0], noisy(0.05)[0], RATE)
    assert score is not None
    assert found[:3].tolist() == pytest.approx([1.0, (score + 0.5) / 5, 0.0], abs=1e-5)
    assert found[3].isnan()
    found = stoi(batch(made), batch(real))
    assert found[0] == pytest.approx(1.0)
    assert 0 < found[1] < 1
    assert found[2] == 0
    assert found[3].isnan()
    with pytest.raises(TrainingError, match="no reference"):
        pesq(batch(made), None)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, build in (("pesq", PESQ), ("pystoi", STOI), ("pesq", PESQReward), ("pystoi", STOIReward)):
        monkeypatch.setitem(sys.modules, name, None)
        with pytest.raises(DataError, match=f"{name} is not installed") as caught:
            build(SPACE)  # type: ignore[operator]
        assert "sparring-audio[quality]" in caught.value.remedy
