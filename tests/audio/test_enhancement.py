"""The enhancer's mask, the metric discriminator and the band extender."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from sparring.errors import DataError, TrainingError
from sparring.interfaces.discriminator import Critique
from sparring.spaces.array import ArraySpace
from sparring_audio.networks.enhancement import LOUDEST, MaskEnhancer, MetricDiscriminator
from sparring_audio.networks.extension import BandExtender
from sparring_audio.waveform import WaveformSpace

torch.set_num_threads(1)

LENGTH = 4000
SPACE = WaveformSpace(16000, LENGTH)
NOISY, NARROW = {"noisy": SPACE}, {"narrow": SPACE}


def sound(rows: int = 2, length: int = LENGTH) -> Tensor:
    return 0.2 * torch.randn(rows, 1, length, generator=torch.Generator().manual_seed(0))


def latent_of(network: BandExtender, rows: int = 2) -> Tensor:
    drawn = network.latent(rows, rng=torch.Generator().manual_seed(1))
    assert drawn is not None
    return drawn


def test_the_papers_sizes_are_the_defaults() -> None:
    enhancer = MaskEnhancer(SPACE, NOISY)
    assert sum(value.numel() for value in enhancer.parameters()) == 1_895_514  # SpeechBrain's has 1.90 million
    assert (enhancer.resolution.transform, enhancer.resolution.hop) == (512, 256)  # 32 and 16 ms


def test_the_mask_lies_between_its_floor_and_its_ceiling() -> None:
    enhancer = MaskEnhancer(SPACE, NOISY, width=4, hidden=4, floor=0.1)
    logits = torch.linspace(-50, 50, 257).expand(1, 3, 257)
    mask = enhancer.mask(logits)
    assert mask.min().item() == pytest.approx(0.1)
    assert mask.max().item() == pytest.approx(LOUDEST)
    with torch.no_grad():
        enhancer.slope.fill_(100.0)  # the slope ends at 3.5, so that the gradient never dies away
    assert enhancer.mask(torch.full((1, 1, 257), 0.1))[0, 0, 0].item() == pytest.approx(1.2 / (1 + 2.718281828**-0.35))


@pytest.mark.parametrize("level", [-1000.0, 0.0])
def test_a_mask_that_is_the_same_everywhere_is_a_gain(level: float) -> None:
    """The noisy phase is kept, and the transform and its inverse lose nothing."""
    enhancer = MaskEnhancer(SPACE, NOISY, width=4, hidden=4)
    torch.nn.init.zeros_(enhancer.head[2].weight)
    torch.nn.init.constant_(enhancer.head[2].bias, level)
    gain = 0.05 if level else LOUDEST / 2
    with torch.no_grad():
        made = enhancer(None, {"noisy": sound()})
    assert (made - gain * sound()).abs().max() < 1e-5


@pytest.mark.parametrize("length", [1, 100, 511, 4001])
def test_any_length_can_be_enhanced_and_judged(length: int) -> None:
    with torch.no_grad():
        made = MaskEnhancer(SPACE, NOISY, width=4, hidden=4)(None, {"noisy": sound(length=length)})
        assert made.shape == (2, 1, length)
        opinion = MetricDiscriminator(SPACE, channels=2)(made, {"reference": sound(length=length)})
        extender = BandExtender(SPACE, NARROW, width=4, depth=1)
        wide = extender(torch.randn(2, 1, length), {"narrow": sound(length=length)})
    assert wide.shape == (2, 1, length)
    for value in (made, opinion.logits[0], wide):
        assert value.isfinite().all()


def test_silence_stays_silent() -> None:
    silent = torch.zeros(1, 1, LENGTH, requires_grad=True)
    made = MaskEnhancer(SPACE, NOISY, width=4, hidden=4)(None, {"noisy": silent})
    assert not made.any()
    made.square().sum().backward()
    assert silent.grad is not None
    assert silent.grad.isfinite().all()


def test_the_score_is_the_only_logit_and_an_output() -> None:
    critic = MetricDiscriminator(SPACE, channels=3, depth=2)
    opinion = critic(sound(), {"reference": sound() / 2})
    assert isinstance(opinion, Critique)
    assert opinion.logits[0] is opinion.outputs["score"]
    assert opinion.logits[0].shape == (2,)
    assert [len(scale) for scale in opinion.features] == [2]
    beside = MetricDiscriminator(SPACE, beside="narrow", channels=3)
    assert beside(sound(), {"narrow": sound()}).logits[0].shape == (2,)
    with pytest.raises(TrainingError, match="no condition 'narrow'"):
        beside(sound(), {"reference": sound()})


def test_the_extender_leaves_what_is_there_and_adds_above() -> None:
    extender = BandExtender(SPACE, NARROW, width=8, depth=1, cutoff=0.5).eval()
    time = torch.arange(LENGTH) / 16000
    narrow = 0.5 * torch.sin(2 * torch.pi * 1000 * time)[None, None]
    with torch.no_grad():
        extender.head.bias.fill_(3.0)  # gains near full
        made = extender(latent_of(extender, 1), {"narrow": narrow})
    before, after = (torch.fft.rfft(one[0, 0]).abs() for one in (narrow, made))
    middle = len(before) // 2
    edge = 40  # bins that a window's slopes reach over: 160 Hz
    assert (after - before)[: middle - edge].abs().max() < 0.02 * before.max()
    assert after[middle + edge :].mean() > 20 * before[middle + edge :].mean()
    # The tone is mirrored to 16000 / 2 - 1000 Hz.
    assert after[middle + edge :].argmax() + middle + edge == pytest.approx(7000 / 4, abs=2)


def test_the_extender_adds_little_at_first() -> None:
    torch.manual_seed(0)
    extender = BandExtender(SPACE, NARROW, width=16)
    with torch.no_grad():
        made = extender(latent_of(extender), {"narrow": sound()})
    assert (made - sound()).square().mean() < 0.01 * sound().square().mean()
    with pytest.raises(TrainingError, match="needs a latent"):
        extender(None, {"narrow": sound()})


def test_what_does_not_fit_is_named() -> None:
    with pytest.raises(DataError, match="driven by the condition 'noisy'") as caught:
        MaskEnhancer(SPACE, {})
    assert "audio/noisy" in caught.value.remedy
    with pytest.raises(DataError, match="works on waveforms"):
        MetricDiscriminator(ArraySpace([1, 4, 4]))
    with pytest.raises(DataError, match="which is of shape"):
        BandExtender(SPACE, {"narrow": WaveformSpace(8000, 10)})
    with pytest.raises(ValueError, match="hop is 300"):
        MaskEnhancer(SPACE, NOISY, hop=300)
    with pytest.raises(ValueError, match="floor is 1"):
        MaskEnhancer(SPACE, NOISY, floor=1.0)
    with pytest.raises(ValueError, match="cutoff is 1"):
        BandExtender(SPACE, NARROW, cutoff=1.0)
