"""Griffin-Lim from mended magnitudes: the bands' sums are kept, sounds repeat, and its loss knows the real ones."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from sparring.errors import DataError, TrainingError
from sparring.interfaces.context import Context
from sparring.interfaces.data import Batch, Condition
from sparring.interfaces.generator import Generated, Generator
from sparring.spaces.array import ArraySpace
from sparring.testing.modules import perturbed
from sparring_audio import magnitudes
from sparring_audio.mels import MelSpace
from sparring_audio.networks.driven import stream
from sparring_audio.networks.griffin_lim import GriffinLimVocoder
from sparring_audio.networks.linear import QuickLinear
from sparring_audio.waveform import WaveformSpace
from sparring_audio.waveform_terms import LogMagnitude
from tests.audio.files import small_mel, small_waveform

SPACE, MEL = small_waveform(), small_mel()
DIALECTS = {
    "HiFi-GAN's": MelSpace(8000, 256, 64, 20, 16, highest=4000.0),
    "decimal": MelSpace(8000, 256, 64, 20, 16, highest=4000.0, logarithm="decimal"),
    "powers": MelSpace(8000, 256, 64, 20, 16, highest=4000.0, power=2, filters="htk", smallest=1e-8),
    "odd": MelSpace(8000, 256, 75, 20, 16, lowest=100.0, highest=3000.0, padding="zeros"),
}


def glide(space: MelSpace, rows: int = 2, frames: int = 40) -> Tensor:
    """Voices that rise, of ten harmonics each, and a little noise: ``(B, frames * hop)``."""
    rng = torch.Generator().manual_seed(0)
    seconds_L = torch.arange(frames * space.hop) / space.sample_rate
    pitch_B1 = torch.linspace(100, 160, rows)[:, None]
    turns_BL = pitch_B1 * seconds_L * (1 + seconds_L)
    voice_BL = torch.stack([(6.2832 * k * turns_BL).sin() / k for k in range(1, 11)]).sum(0)
    return 0.1 * voice_BL + 0.003 * torch.randn(voice_BL.shape, generator=rng)


def vocoder(mel: MelSpace = MEL, iterations: int = 8) -> GriffinLimVocoder:
    torch.manual_seed(0)
    network = GriffinLimVocoder(WaveformSpace(8000, mel.length), {"mel": mel}, 16, 2, iterations)
    return network.eval()


@pytest.mark.parametrize("dialect", DIALECTS)
def test_magnitudes_keep_the_sums_of_the_bands(dialect: str) -> None:
    """Whatever the network adds, the mel spectrogram of the magnitudes is the given one, in any dialect."""
    space = DIALECTS[dialect]
    network = perturbed(vocoder(space))
    given = space.analyse(glide(space))
    with torch.no_grad():
        made = network(None, {"mel": given})
    sums = space.bands(given.device) @ (made.extras["log_magnitude"] * space.power).exp()
    off = (sums.clamp_min(space.smallest).log() - given * network.unit).abs()
    assert off.median() < 0.02
    assert off.mean() < 0.15  # powers converge more slowly than magnitudes
    assert made.sample.shape == (2, 1, 40 * space.hop)


def test_untrained_it_is_as_near_as_griffin_lim() -> None:
    sound = glide(MEL)
    given = MEL.analyse(sound)
    with torch.no_grad():
        made = vocoder(iterations=32)(None, {"mel": given}).sample[:, 0]
    plain = MEL.synthesise(given, 32)
    ours, theirs = ((MEL.analyse(one) - given).abs().mean() for one in (made, plain))
    assert ours < 1.2 * theirs


def test_true_magnitudes_give_the_true_sound() -> None:
    """With the magnitudes of a sound, its phases are found: more iterations leave less of its spectrum amiss."""
    sound = glide(MEL)
    real = magnitudes.magnitudes_by_hop(sound, MEL.window, MEL.hop)

    def amiss(iterations: int) -> float:
        made = vocoder(iterations=iterations)._sound(real.log())
        found = magnitudes.magnitudes_by_hop(made, MEL.window, MEL.hop)
        return float((found - real).norm() / real.norm())

    assert amiss(64) < 0.5 * amiss(1)
    assert amiss(64) < 0.15


@pytest.mark.parametrize("frames", [1, 2, 16, 37])
def test_every_frame_has_its_hop(frames: int) -> None:
    with torch.no_grad():
        made = vocoder()(None, {"mel": torch.full((2, 20, frames), -11.5)})
    assert made.sample.shape == (2, 1, frames * 64)
    assert made.sample.isfinite().all()
    assert made.sample.abs().max() < 1e-3  # a spectrogram at its floor is silence


def test_a_row_does_not_depend_on_the_others() -> None:
    """Not even by rounding, which Griffin-Lim would magnify."""
    network, given = perturbed(vocoder(iterations=32)), MEL.analyse(glide(MEL, rows=3))
    with torch.no_grad():
        together = network(None, {"mel": given}).sample
        alone = torch.cat([network(None, {"mel": row}).sample for row in torch.split(given, 1)])
    assert torch.equal(together, alone)


def test_gradients_pass_by_the_phases() -> None:
    """Louder magnitudes make a louder sound; in training a single iteration does."""
    network = vocoder().train()
    level = torch.full((1, 129, 16), -2.0).requires_grad_()
    sound = network._sound(level)
    sound.square().sum().backward()  # type: ignore[no-untyped-call]
    assert level.grad is not None
    # Phases as they are, a sound is linear in its magnitudes, so that its power changes by twice a logarithm's change.
    assert level.grad.sum().item() == pytest.approx(2 * sound.square().sum().item(), rel=1e-4)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(DataError, match="undoes the bands"):
        GriffinLimVocoder(SPACE, {"mel": ArraySpace([20, 16])})
    with pytest.raises(ValueError, match="at least 1"):
        GriffinLimVocoder(SPACE, {"mel": MEL}, iterations=0)
    with pytest.raises(TrainingError, match="how many frames"):
        list(stream(vocoder(), [torch.zeros(1, 20, 3)]))


# ---- the term ----


class Saying(Generator):
    """Make silence, and say that it has given magnitudes."""

    latent_shape = None

    def __init__(self, extras: dict[str, Tensor]) -> None:
        super().__init__()
        self.said = [extras]

    def forward(self, latent: Tensor | None, condition: Condition) -> Generated:
        return Generated(torch.zeros(2, 1, 2560), extras=self.said[0])


def distance(extras: dict[str, Tensor], sound: Tensor) -> Tensor:
    term = LogMagnitude(SPACE, {"mel": MEL})
    return term(Context({"generator": Saying(extras)}, Batch(sound[:, None])))


def test_the_term_knows_the_real_magnitudes() -> None:
    sound = glide(MEL)
    real = magnitudes.magnitudes_by_hop(sound, MEL.window, MEL.hop).log()
    assert distance({"log_magnitude": real}, sound).item() < 1e-6
    loud = 10 * sound  # so that next to nothing is near the faintest
    louder = magnitudes.magnitudes_by_hop(loud, MEL.window, MEL.hop).log() + 0.5
    assert distance({"log_magnitude": louder}, loud).item() == pytest.approx(0.5, abs=0.02)


def test_the_term_says_what_it_lacks() -> None:
    sound = glide(MEL)
    with pytest.raises(TrainingError, match="does not"):
        distance({}, sound)
    with pytest.raises(TrainingError, match="differ in shape"):
        distance({"log_magnitude": torch.zeros(2, 129, 3)}, sound)
    with pytest.raises(DataError, match="no audio/mel"):
        LogMagnitude(SPACE, {})
    with pytest.raises(ValueError, match="faintest"):
        LogMagnitude(SPACE, {"mel": MEL}, faintest=0.0)


# ---- linear layers ----


@pytest.mark.parametrize("gelu", [True, False])
def test_a_quick_linear_layer_computes_what_a_plain_one_does(gelu: bool) -> None:
    torch.manual_seed(0)
    layer, values = QuickLinear(24, 40, gelu), torch.randn(2, 7, 24)
    plain = nn.functional.linear(values, layer.weight, layer.bias)
    wanted = nn.functional.gelu(plain) if gelu else plain
    assert torch.equal(layer(values), wanted)  # where gradients are wanted
    with torch.no_grad():
        torch.testing.assert_close(layer(values), wanted, rtol=1e-5, atol=1e-6)
        traced = torch.jit.trace(layer, values)  # type: ignore[no-untyped-call]
        assert torch.equal(traced(values), wanted)  # a graph has torch's own operations
        half = layer.to(torch.float64)(values.double())
    torch.testing.assert_close(half.float(), wanted, rtol=1e-5, atol=1e-6)
