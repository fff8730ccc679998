"""Vocoders and their critics: published sizes, exact lengths, synthesis in pieces, and what does not fit."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from sparring.errors import DataError, TrainingError
from sparring.interfaces.discriminator import Critique
from sparring.interfaces.generator import Generator
from sparring.networks.folding import fold_weight_norm
from sparring.spaces.array import ArraySpace
from sparring.spaces.label import LabelSpace
from sparring_audio.mels import MelSpace
from sparring_audio.networks.critics import MultiPeriod, MultiResolution, MultiScale, Together
from sparring_audio.networks.driven import stream
from sparring_audio.networks.hifigan import HiFiGANGenerator
from sparring_audio.networks.istft import ISTFTVocoder
from sparring_audio.networks.spectrogram import SpectrogramGenerator
from sparring_audio.stft import overlapped
from sparring_audio.waveform import WaveformSpace
from tests.audio.files import small_mel, small_space, small_waveform

PUBLISHED = (WaveformSpace(22050, length=8192), {"mel": MelSpace(22050)})
SMALL = (small_waveform(), {"mel": small_mel()})
HOP = 64


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def vocoders() -> dict[str, HiFiGANGenerator | ISTFTVocoder]:
    torch.manual_seed(0)
    return {
        "v2": HiFiGANGenerator(*SMALL, version="v2", width=32, rates=[8, 4, 2]),
        "v3": HiFiGANGenerator(*SMALL, version="v3", width=32, rates=[8, 8]),
        "istft": ISTFTVocoder(*SMALL, width=24, blocks=3),
    }


def mel(frames: int, rows: int = 1) -> Tensor:
    return torch.randn(rows, 20, frames, generator=torch.Generator().manual_seed(frames)) * 2 - 4


# ---- sizes ----


@pytest.mark.parametrize(("version", "parameters"), [("v1", 13_926_017), ("v2", 925_985), ("v3", 1_462_273)])
def test_the_published_sizes(version: str, parameters: int) -> None:
    """13.93, 0.93 and 1.46 million, as HiFi-GAN's paper has them; weight norm adds a number a channel."""
    network = HiFiGANGenerator(*PUBLISHED, version=version)  # type: ignore[arg-type]
    assert network.hop == 256
    assert count(network) > parameters
    network.remove_weight_norm()
    assert count(network) == parameters


def test_the_published_sizes_of_the_critics() -> None:
    """41.11 and 29.62 million, counted in the published code with its weight norm."""
    assert count(MultiPeriod(PUBLISHED[0])) == 41_105_770
    assert count(MultiScale(PUBLISHED[0])) == 29_618_821
    both = Together([MultiPeriod(PUBLISHED[0], width=2), MultiScale(PUBLISHED[0], width=16)])
    assert count(both) < 1_500_000


def test_the_size_of_vocos() -> None:
    """13.5 million, with 100 mel bands."""
    network = ISTFTVocoder(WaveformSpace(24000, length=8192), {"mel": ArraySpace([100, 32])})
    assert count(network) == pytest.approx(13.53e6, rel=0.005)


# ---- lengths and rates ----


@pytest.mark.parametrize("name", ["v2", "v3", "istft"])
@pytest.mark.parametrize("frames", [1, 2, 16, 37])
def test_every_frame_has_its_hop(name: str, frames: int) -> None:
    network = vocoders()[name].eval()
    made = network(None, {"mel": mel(frames, rows=2)})
    assert made.shape == (2, 1, frames * HOP)
    assert made.isfinite().all()


@settings(max_examples=30, deadline=None)
@given(rates=st.lists(st.integers(1, 9), min_size=1, max_size=3))
def test_any_rates_give_the_exact_length(rates: list[int]) -> None:
    hop = math.prod(rates)
    network = HiFiGANGenerator(ArraySpace([1, 4 * hop]), {"mel": ArraySpace([5, 4])}, "v3", width=8, rates=rates)
    assert network(None, {"mel": torch.randn(1, 5, 3)}).shape == (1, 1, 3 * hop)


def test_rates_are_checked_against_the_hop() -> None:
    with pytest.raises(DataError) as caught:
        HiFiGANGenerator(*SMALL)
    assert "8 x 8 x 2 x 2 = 256" in caught.value.what
    assert "hop of 64 samples" in caught.value.what
    assert "[8, 8]" in caught.value.remedy
    space, conditions = WaveformSpace(16000, 1600), {"mel": MelSpace(hop=200, frames=8)}
    with pytest.raises(DataError) as caught:
        HiFiGANGenerator(space, conditions)
    suggested = [int(one) for one in caught.value.remedy.partition("[")[2].partition("]")[0].split(",")]
    assert math.prod(suggested) == 200
    HiFiGANGenerator(space, conditions, width=128, rates=suggested)
    with pytest.raises(DataError, match="cannot be halved"):
        HiFiGANGenerator(*SMALL, width=36, rates=[4, 4, 4])
    with pytest.raises(DataError, match="overlaps windows of 100 samples"):
        ISTFTVocoder(*SMALL, window=100)


def test_what_does_not_fit_is_refused() -> None:
    for network in (HiFiGANGenerator, ISTFTVocoder):
        with pytest.raises(DataError, match="makes waveforms"):
            network(small_space(), {"mel": small_mel()})
        with pytest.raises(DataError, match="label"):
            network(small_waveform(), {"label": LabelSpace(["a", "b"])})
        with pytest.raises(DataError, match="no multiple"):
            network(small_waveform(), {"mel": ArraySpace([20, 15])})
    built = vocoders()["istft"]
    with pytest.raises(TrainingError, match="no mel"):
        built(None, {})
    with pytest.raises(TrainingError, match="20 mel bands"):
        built(None, {"mel": torch.zeros(1, 80, 3)})
    for critic in (MultiPeriod, MultiScale, MultiResolution):
        with pytest.raises(DataError, match="works on waveforms"):
            critic(small_space())
    with pytest.raises(DataError, match="multiple of 16"):
        MultiScale(small_waveform(), width=20)
    with pytest.raises(DataError, match="periods"):
        MultiPeriod(small_waveform(), periods=[0])
    with pytest.raises(DataError, match="windows"):
        MultiResolution(small_waveform(), windows=[])
    with pytest.raises(DataError, match="no critics"):
        Together([])


# ---- weight norm ----


@pytest.mark.parametrize("name", ["v2", "v3"])
def test_folding_weight_norm_changes_no_sound(name: str) -> None:
    network = vocoders()[name]
    assert isinstance(network, HiFiGANGenerator)
    folded = copy.deepcopy(network)
    folded.remove_weight_norm()
    assert not any("parametrizations" in key for key in folded.state_dict())
    given = {"mel": mel(20)}
    with torch.no_grad():
        assert (network(None, given) - folded(None, given)).abs().max() < 1e-5
    # The original, of which the folded one is a copy, is whole and learns.
    network(None, given).sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    assert type(copy.deepcopy(folded).first) is nn.Conv1d


def test_folding_leaves_other_parametrisations() -> None:
    critic = MultiScale(small_waveform(), width=16)
    layers = sum(1 for module in critic.modules() if isinstance(module, nn.Conv1d))
    assert fold_weight_norm(critic) == layers * 2 // 3  # the first of three scales has spectral norm
    assert fold_weight_norm(critic) == 0


# ---- in pieces ----


@pytest.mark.parametrize("name", ["v2", "v3", "istft"])
@pytest.mark.parametrize("sizes", [[1] * 90, [5, 60, 25], [90], [89, 1], [7, 1, 1, 40, 41]])
def test_in_pieces_it_sounds_as_whole(name: str, sizes: list[int]) -> None:
    network = vocoders()[name].eval()
    whole = mel(90, rows=2)
    pieces = list(stream(network, whole.split(sizes, dim=2)))
    with torch.no_grad():
        assert (torch.cat(pieces, dim=2) - network(None, {"mel": whole})).abs().max() < 1e-5
    if sizes == [1] * 90:
        # It does not wait for the end: a frame sounds as soon as its context has arrived.
        assert len(pieces) == 90 - network.context + 1
        assert all(piece.shape[2] == HOP for piece in pieces[:-1])


@pytest.mark.parametrize("name", ["v2", "v3", "istft"])
def test_the_context_is_what_the_network_hears_and_hardly_more(name: str) -> None:
    network = vocoders()[name].eval()
    given = mel(81).requires_grad_(True)
    network(None, {"mel": given})[0, 0, 40 * HOP : 41 * HOP].square().sum().backward()
    assert given.grad is not None
    heard = given.grad.abs().sum((0, 1)).nonzero().flatten()
    reach = max(40 - int(heard.min()), int(heard.max()) - 40)
    assert network.context - 1 <= reach <= network.context


def test_nothing_in_pieces_is_nothing_and_others_are_refused() -> None:
    assert list(stream(vocoders()["istft"], [])) == []
    other: Generator = SpectrogramGenerator(small_space(), {}, width=2)
    with pytest.raises(TrainingError, match="how many frames"):
        list(stream(other, [mel(3)]))


# ---- the iSTFT head ----


def test_the_head_inverts_a_transform_exactly() -> None:
    """Given the windowed frames of a sound, overlapping gives the sound, but for the half windows at its ends."""
    network = vocoders()["istft"]
    assert isinstance(network, ISTFTVocoder)
    sound = torch.randn(1, 20 * HOP, generator=torch.Generator().manual_seed(0))
    padded = nn.functional.pad(sound, (96, 96))
    frames = padded.unfold(1, 256, HOP) * network.hann
    assert (overlapped(frames, network.hann, HOP) - sound).abs().max() < 1e-5


# ---- critics ----


@pytest.mark.parametrize("length", [1024, 777, 100])
def test_every_small_critic_gives_logits_and_all_its_layers(length: int) -> None:
    space = WaveformSpace(8000, length)
    critics = {
        MultiPeriod(space, periods=[2, 5], width=2): (2, 6),
        MultiScale(space, width=16): (3, 8),
        MultiResolution(space, windows=[64, 128], width=2): (2, 6),
    }
    sample = torch.randn(3, 1, length)
    for critic, (several, layers) in critics.items():
        found = critic(sample, {})
        assert isinstance(found, Critique)
        assert len(found.logits) == len(found.features) == several
        assert all(len(one) == layers for one in found.features)
        for logits, features in zip(found.logits, found.features, strict=True):
            assert logits.dim() == 2
            assert torch.equal(logits, features[-1])
    together = Together(list(critics))(sample, {})
    assert isinstance(together, Critique)
    assert len(together.logits) == 7
    assert [len(one) for one in together.features] == [6, 6, 8, 8, 8, 6, 6]


def test_a_period_critic_sees_each_place_of_a_period_alone() -> None:
    """A change of one sample changes only the column of its place in the period."""
    critic = MultiPeriod(small_waveform(), periods=[4], width=2)
    sample = torch.zeros(1, 1, 400)
    changed = sample.clone()
    changed[0, 0, 102] = 1.0  # the place 2 of its period
    ((first, *_),), ((second, *_),) = critic(sample, {}).features, critic(changed, {}).features  # type: ignore[union-attr]
    differs = (first - second).abs().sum((0, 1, 2)) > 0
    assert differs.tolist() == [False, False, True, False]
