"""Pitch of tones to a cent, and where there is none."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from sparring.errors import DataError
from sparring.interfaces.data import Batch
from sparring_audio.metrics.pitch import Pitch, cents, pitch
from sparring_audio.waveform import WaveformSpace
from tests.audio.files import tone

torch.set_num_threads(1)

RATE, LENGTH = 8000, 4000
SPACE = WaveformSpace(RATE, LENGTH)
INNER = slice(3, -3)  # frames that lie wholly within the sound


def sounds(*frequencies: float) -> Batch:
    return Batch(torch.stack([torch.from_numpy(tone(one, LENGTH / RATE, RATE)) for one in frequencies])[:, None])


@pytest.mark.parametrize("frequency", [80.0, 123.4, 220.0, 333.3, 480.0])
def test_a_tone_has_its_pitch_to_a_cent(frequency: float) -> None:
    (sound,) = sounds(frequency).sample[0]
    found = pitch(sound, RATE, 65.0, 500.0)[INNER]
    assert np.abs(cents(found, np.full_like(found, frequency))).max() < 1


def test_an_interval_is_found_in_cents() -> None:
    metric = Pitch(SPACE)
    interval = 2 ** (30 / 1200)
    metric.update(sounds(200.0, 300.0), sounds(200.0 * interval, 300.0))
    values = metric.compute()
    assert list(values) == ["voicing_error", "pitch_error"]
    assert values["voicing_error"] == 0
    assert values["pitch_error"] == pytest.approx(30 / np.sqrt(2), abs=1)


def test_silence_has_no_voice() -> None:
    metric = Pitch(SPACE)
    silent: Tensor = torch.zeros(1, 1, LENGTH)
    metric.update(sounds(200.0), Batch(silent))
    assert metric.compute()["voicing_error"] > 0.8
    assert "pitch_error" not in metric.compute()
    metric.reset()
    metric.update(Batch(silent), Batch(torch.full_like(silent, torch.nan)))
    assert metric.compute() == {"voicing_error": 0}
    metric.reset()
    with pytest.raises(DataError, match="no pairs"):
        metric.compute()


def test_a_range_that_frames_cannot_hold_is_refused() -> None:
    for lowest, highest in ((20.0, 500.0), (300.0, 200.0), (65.0, 3000.0)):
        with pytest.raises(ValueError, match="must lie between"):
            Pitch(SPACE, lowest, highest)
