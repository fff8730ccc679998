"""Spectral losses: known values, silence, and what HiFi-GAN's weights become in this framework."""

from __future__ import annotations

import math

import librosa
import numpy as np
import pytest
import torch
from torch import Tensor

from sparring.errors import DataError, TrainingError
from sparring.interfaces.context import Context
from sparring.interfaces.data import Batch, Condition
from sparring.interfaces.generator import Generator
from sparring.losses.least_squares import LeastSquares
from sparring.terms.feature_matching import FeatureMatching
from sparring_audio.networks.critics import MultiPeriod, MultiScale, Together
from sparring_audio.waveform import WaveformSpace
from sparring_audio.waveform_terms import MelL1, MultiResolutionSTFT
from tests.audio.files import small_space

SPACE = WaveformSpace(8000, 2048)
TERMS = (MelL1(SPACE), MelL1(SPACE, windows=[512, 128], mels=40), MultiResolutionSTFT(SPACE))
NOISE = torch.randn(3, 1, 2048, generator=torch.Generator().manual_seed(0)) * 0.1


class Given(Generator):
    """Make a given sample, whatever the condition."""

    latent_shape = None

    def __init__(self, sample: Tensor) -> None:
        super().__init__()
        self.sample = torch.nn.Parameter(sample.clone())

    def forward(self, latent: Tensor | None, condition: Condition) -> Tensor:
        return self.sample


def context(made: Tensor, real: Tensor) -> Context:
    return Context({"generator": Given(made)}, Batch(real))


@pytest.mark.parametrize("term", TERMS)
def test_equal_sounds_have_no_distance(term: MelL1 | MultiResolutionSTFT) -> None:
    assert term(context(NOISE, NOISE)).item() < 1e-6
    assert term(context(NOISE, NOISE.flip(2))).item() > 0.05


@pytest.mark.parametrize("term", TERMS)
@pytest.mark.parametrize("real", [torch.zeros_like(NOISE), NOISE])
@pytest.mark.parametrize("made", [torch.zeros_like(NOISE), NOISE])
def test_silence_has_a_finite_distance_and_gradient(
    term: MelL1 | MultiResolutionSTFT, made: Tensor, real: Tensor
) -> None:
    given = context(made, real)
    value = term(given)
    value.backward()  # type: ignore[no-untyped-call]
    assert value.isfinite()
    gradient = given.networks["generator"].get_parameter("sample").grad
    assert gradient is not None
    assert gradient.isfinite().all()


def test_a_louder_sound_is_away_by_the_logarithm() -> None:
    """Twice as loud: ln 2 in every band, a convergence of 1, and ln 2 in every frequency."""
    loud = 5 * NOISE  # far above what is added to a power before its root
    assert MelL1(SPACE)(context(2 * loud, loud)).item() == pytest.approx(math.log(2), abs=1e-4)
    assert MultiResolutionSTFT(SPACE)(context(2 * loud, loud)).item() == pytest.approx(1 + math.log(2), abs=1e-3)


def test_known_values_of_the_stft_distance() -> None:
    """By numpy and librosa, as the paper has it."""
    wanted = []
    for size, hop, window in ((1024, 120, 600), (2048, 240, 1200), (512, 50, 240)):
        made, real = (
            np.sqrt(np.abs(librosa.stft(sound, n_fft=size, hop_length=hop, win_length=window)) ** 2 + 1e-7)
            for sound in NOISE[:2, 0].numpy()
        )
        convergence = np.linalg.norm(real - made) / np.linalg.norm(real)
        wanted.append(convergence + np.abs(np.log(real) - np.log(made)).mean())
    found = MultiResolutionSTFT(SPACE)(context(NOISE[:1], NOISE[1:2])).item()
    assert found == pytest.approx(np.mean(wanted), rel=1e-4)


def test_known_values_of_the_mel_distance() -> None:
    spectra = []
    for sound in NOISE[:2, 0].numpy():
        spectrum = librosa.stft(sound, n_fft=1024, hop_length=256, pad_mode="reflect")
        bands = librosa.filters.mel(sr=8000, n_fft=1024, n_mels=80, fmin=0, fmax=4000)
        spectra.append(np.log(np.maximum(bands @ np.sqrt(np.abs(spectrum) ** 2 + 1e-9), 1e-5)))
    found = MelL1(SPACE)(context(NOISE[:1], NOISE[1:2])).item()
    assert found == pytest.approx(np.abs(spectra[0] - spectra[1]).mean(), rel=1e-4)


def test_what_does_not_fit_is_said() -> None:
    with pytest.raises(TrainingError, match="differ in shape"):
        MelL1(SPACE)(context(NOISE[..., :1000], NOISE))
    for term in (MelL1, MultiResolutionSTFT):
        with pytest.raises(DataError, match="works on waveforms"):
            term(small_space())
    with pytest.raises(DataError, match="measure nothing"):
        MelL1(SPACE, windows=[])


def test_hifi_gan_s_weights_in_this_framework() -> None:
    """HiFi-GAN adds up what this framework averages: its eight critics, their layers, and both halves of the squares.

    Divided by 16, its losses are these: least squares as they are, the mel term by 45 / 16. Feature matching, 2 / 16
    times a sum over layers, is 6 times the mean where a critic has six layers (the periods), and 8 times where it has
    eight (the scales); the recipes take the mean of that over the eight critics, 6.75.
    """
    torch.manual_seed(0)
    critic = Together([MultiPeriod(SPACE, width=2), MultiScale(SPACE, width=16)]).eval()
    given = Context({"generator": Given(NOISE), "discriminator": critic}, Batch(NOISE.flip(2)))
    real = given.critique("discriminator", given.batch.sample)
    fake = given.critique("discriminator", given.generate().sample)
    theirs = sum(
        ((1 - one) ** 2).mean() + (other**2).mean() for one, other in zip(real.logits, fake.logits, strict=True)
    )
    torch.testing.assert_close(LeastSquares().discriminator(real, fake) * 16, theirs)
    torch.testing.assert_close(
        LeastSquares().generator(None, fake) * 16, sum(((1 - one) ** 2).mean() for one in fake.logits)
    )
    sums = [
        sum((one - other).abs().mean() for one, other in zip(ours, layers, strict=True))
        for ours, layers in zip(real.features, fake.features, strict=True)
    ]
    assert [len(layers) for layers in real.features] == [6] * 5 + [8] * 3
    weighted = 2 * torch.stack([torch.as_tensor(one) for one in sums]).sum().item() / 16
    ours = FeatureMatching()(given).item()
    assert 6 * ours < weighted < 8 * ours
    assert (6 * 5 + 8 * 3) / 8 == 6.75
