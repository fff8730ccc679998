"""Sound to mel spectrograms and back, beside a torchaudio whose compiled part may not load."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from sparring_audio import transforms
from sparring_audio.bands import mel_bands
from sparring_audio.phases import griffin_lim
from sparring_audio.transforms import MelAnalysis, MelSettings, MelSynthesis, resample
from tests.audio.files import tone

SETTINGS = MelSettings(8000, window=512, hop=128, mels=40, lowest=0.0, highest=4000.0)


def run(program: str) -> None:
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True, timeout=120)


def test_torchaudio_works_where_its_extension_cannot_be_loaded() -> None:
    """Whatever this machine's torchaudio is: its loader is made to fail as a CPU-only torch makes it fail."""
    run(
        "import torch\n"
        "def fails(path):\n"
        "    raise OSError('libcudart.so.13: cannot open shared object file')\n"
        "torch.ops.load_library = fails\n"
        "try:\n"
        "    import torchaudio\n"
        "except OSError: pass\n"
        "from sparring_audio import transforms\n"
        "assert not transforms.torchaudio._extension._IS_TORCHAUDIO_EXT_AVAILABLE\n"
        "assert transforms.resample(torch.ones(100), 16000, 8000).shape == (50,)\n"
        "import torchaudio\n"
        "assert torchaudio is transforms.torchaudio\n"
    )


def test_a_torchaudio_that_loads_is_left_as_it_is() -> None:
    run(
        "import sys, types\n"
        "whole = types.ModuleType('torchaudio')\n"
        "whole.transforms = whole.functional = whole\n"
        "sys.modules['torchaudio'] = whole\n"
        "from sparring_audio import transforms\n"
        "assert transforms.torchaudio is whole\n"
    )


@pytest.mark.parametrize("frequency", [250.0, 1000.0, 3000.0])
@pytest.mark.parametrize("rate", [8000, 16000])
def test_a_sine_of_full_scale_has_no_decibels(frequency: float, rate: int) -> None:
    settings = SETTINGS._replace(sample_rate=rate, mels=20)
    sine = torch.from_numpy(tone(frequency, 1.0, rate, level=1.0))
    power = MelAnalysis(settings)(sine[None])[0, :, 10:-10].mean(1)
    assert 10 * power.sum().log10().item() == pytest.approx(0, abs=0.1)
    quieter = MelAnalysis(settings)(sine[None] / 10)[0, :, 10:-10].mean(1)
    assert 10 * (power.sum() / quieter.sum()).log10().item() == pytest.approx(20, abs=0.01)


def test_the_bands_are_librosa_s() -> None:
    import librosa

    ours = mel_bands(8000, 512, 40, 0.0, 4000.0, "htk", torch.device("cpu")).numpy()
    theirs = librosa.filters.mel(sr=8000, n_fft=512, n_mels=40, fmin=0.0, fmax=4000.0, htk=True, norm=None)
    assert np.abs(ours - theirs).max() < 1e-5


def test_bands_between_two_frequencies_are_counted_without_a_warning() -> None:
    assert transforms.empty_bands(SETTINGS) == 0
    assert transforms.empty_bands(SETTINGS._replace(mels=200, window=256)) > 20


def test_unmixing_gives_the_bands_back() -> None:
    synthesis = MelSynthesis(SETTINGS, 1, torch.device("cpu"))
    draw = torch.Generator().manual_seed(0)
    spectrum = torch.rand(2, 257, 5, generator=draw, dtype=synthesis.bands_MN.dtype) ** 4
    bands = synthesis.bands_MN @ spectrum
    found = synthesis.unmix(bands)
    assert found.min() >= 0
    assert 10 * ((synthesis.bands_MN @ found) / bands).log10().abs().mean() < 0.5
    assert not synthesis.unmix(torch.zeros(1, 40, 3, dtype=spectrum.dtype)).any()


def test_griffin_lim_is_deterministic_and_momentum_helps() -> None:
    draw = torch.Generator().manual_seed(0)
    # Noise that swells and fades: every frame has its own level.
    noise = torch.randn(4, 31 * 128, generator=draw) * torch.linspace(0, 6.28, 31 * 128).sin().abs()
    analysis = MelAnalysis(SETTINGS)
    power = analysis(noise)
    errors = {}
    for momentum in (0.0, 0.99):
        synthesis = MelSynthesis(SETTINGS, 32, noise.device)
        synthesis.griffin_lim = griffin_lim(512, 128, 32, noise.device, momentum)
        sound = synthesis(power)
        assert sound.shape == noise.shape
        assert torch.equal(sound, synthesis(power))
        errors[momentum] = (10 * (analysis(sound) / power.clamp_min(1e-8)).clamp_min(1e-8).log10()).abs().mean().item()
    assert errors[0.99] < errors[0.0]


@pytest.mark.parametrize(
    ("rate", "wanted"), [(44100, 8000), (96000, 8000), (8000, 16000), (44101, 8000), (11025, 22050)]
)
def test_resampling_keeps_the_pitch_and_the_level(rate: int, wanted: int) -> None:
    sound = resample(torch.from_numpy(tone(1000.0, 0.5, rate)), rate, wanted)
    assert sound.dtype == torch.float32
    assert len(sound) == pytest.approx(wanted / 2, abs=1)
    expected = torch.from_numpy(tone(1000.0, 0.5, wanted))[: len(sound)]
    inner = slice(len(sound) // 10, -len(sound) // 10)
    assert (sound[: len(expected)] - expected)[inner].abs().max() < 0.01


def test_resampling_removes_what_the_new_rate_cannot_hold() -> None:
    sound = resample(torch.from_numpy(tone(7000.0, 0.5, 16000)), 16000, 8000)
    assert sound[100:-100].abs().max() < 0.01
    same = torch.ones(5)
    assert resample(same, 8000, 8000) is same


def test_transforms_are_made_once_for_a_device() -> None:
    device = torch.device("cpu")
    assert transforms.analysis(SETTINGS, device) is transforms.analysis(SETTINGS, device)
    assert transforms.synthesis(SETTINGS, 4, device) is transforms.synthesis(SETTINGS, 4, device)


@pytest.mark.gpu
def test_transforms_agree_on_a_gpu() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    sine = torch.from_numpy(tone(440.0, 0.5))[None]
    here = transforms.analysis(SETTINGS, torch.device("cpu"))(sine)
    there = transforms.analysis(SETTINGS, torch.device("cuda", 0))(sine.cuda()).cpu()
    torch.testing.assert_close(here, there, rtol=1e-3, atol=1e-6)
