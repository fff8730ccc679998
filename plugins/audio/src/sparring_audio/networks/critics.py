"""Critics of waveforms: by periods and by scales, as HiFi-GAN has them, and by resolutions of the spectrum.

Each consists of several small critics. Every one of them gives one tensor of logits, and the activations of all its
layers as features, the logits among them, as the papers' feature matching wants them.

Letters in names of tensors: B rows of the batch, L samples, C channels, P samples of a period, R periods, N
frequencies, T frames.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

from torch import Tensor, nn
from torch.nn.functional import leaky_relu
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

from sparring.errors import DataError
from sparring.interfaces.data import Condition
from sparring.interfaces.discriminator import Critique, Discriminator, lift_critique
from sparring.interfaces.space import Space
from sparring_audio.magnitudes import magnitudes, mirrored
from sparring_audio.waveform import waveform_space

SLOPE, RESOLUTION_SLOPE = 0.1, 0.2  # of LeakyReLU below zero, in HiFi-GAN and in UnivNet
DEEPEST = 32  # times `width`, of the period critics' last layers
SCALES = 3
PAPER_SIZE, PAPER_HOP, PAPER_WINDOW = 1024, 120, 600  # samples, of UnivNet's first resolution
Normalise = Callable[[nn.Module], nn.Module]


class MultiPeriod(Discriminator):
    """Judge a waveform folded at several periods (HiFi-GAN: Kong, Kim and Bae 2020, arXiv:2010.05646).

    It compares samples that lie a period apart: what is periodic in speech shows at primes.

    Args:
        space: Of waveforms.
        periods: In samples.
        width: Channels of the first layer; the later ones have 4, 16, 32 and 32 times as many. HiFi-GAN has 32, which
            makes 41 million parameters.
    """

    def __init__(self, space: Space, periods: list[int] | None = None, width: int = 32) -> None:
        super().__init__()
        waveform_space(space, "audio/multi-period")
        periods = [2, 3, 5, 7, 11] if periods is None else periods
        if not periods or min(periods) < 1:
            raise DataError(f"the periods {periods} are none", remedy="name numbers of samples, such as 2, 3, 5, 7, 11")
        self.critics = nn.ModuleList(_PeriodCritic(period, width) for period in periods)

    def forward(self, sample: Tensor, condition: Condition, lengths: Tensor | None = None) -> Critique:
        """Judge ``(B, 1, L)``: for each period logits ``(B, …)`` and features."""
        return _joined(critic(sample) for critic in self.critics)


class _PeriodCritic(nn.Module):
    def __init__(self, period: int, width: int) -> None:
        super().__init__()
        self.period = period
        channels = [1, *(width * min(4**depth, DEEPEST) for depth in range(4)), width * DEEPEST]
        self.layers = nn.ModuleList(
            weight_norm(nn.Conv2d(one, other, (5, 1), (3 if depth < 4 else 1, 1), padding=(2, 0)))
            for depth, (one, other) in enumerate(pairwise(channels))
        )
        self.last = weight_norm(nn.Conv2d(channels[-1], 1, (3, 1), padding=(1, 0)))

    def forward(self, sample_B1L: Tensor) -> tuple[Tensor, ...]:
        padded_B1L = mirrored(sample_B1L, 0, -sample_B1L.shape[2] % self.period)
        folded_B1RP = padded_B1L.reshape(len(padded_B1L), 1, -1, self.period)
        return _through(folded_B1RP, self.layers, self.last, SLOPE)


class MultiScale(Discriminator):
    """Judge a waveform as it is, and averaged over two and over four samples (MelGAN's, as in HiFi-GAN).

    Args:
        space: Of waveforms.
        width: Channels of the first layer, a multiple of 16; later ones have up to 8 times as many. HiFi-GAN has 128,
            which makes 30 million parameters.
    """

    def __init__(self, space: Space, width: int = 128) -> None:
        super().__init__()
        waveform_space(space, "audio/multi-scale")
        if width < 1 or width % 16:
            raise DataError(
                f"a width of {width} cannot be divided into 16 groups", remedy="set `width` to a multiple of 16"
            )
        # Spectral norm on the first alone, as in the paper's code.
        self.critics = nn.ModuleList(
            _ScaleCritic(width, spectral_norm if scale == 0 else weight_norm) for scale in range(SCALES)
        )
        self.halve = nn.AvgPool1d(4, 2, padding=2)

    def forward(self, sample: Tensor, condition: Condition, lengths: Tensor | None = None) -> Critique:
        """Judge ``(B, 1, L)``: for each scale logits ``(B, …)`` and features."""
        found = []
        for scale, critic in enumerate(self.critics):
            sample = self.halve(sample) if scale else sample
            found.append(critic(sample))
        return _joined(iter(found))


class _ScaleCritic(nn.Module):
    """Grouped convolutions of 41 samples, each on fewer samples than the one before."""

    def __init__(self, width: int, normalise: Normalise) -> None:
        super().__init__()
        # Channels, kernel, stride and groups of each layer.
        shapes = [
            *((width, 15, 1, 1), (width, 41, 2, 4), (2 * width, 41, 2, 16), (4 * width, 41, 4, 16)),
            *((8 * width, 41, 4, 16), (8 * width, 41, 1, 16), (8 * width, 5, 1, 1)),
        ]
        self.layers, before = nn.ModuleList(), 1
        for channels, kernel, stride, groups in shapes:
            layer = nn.Conv1d(before, channels, kernel, stride, padding=kernel // 2, groups=groups)
            self.layers.append(normalise(layer))
            before = channels
        self.last = normalise(nn.Conv1d(before, 1, 3, padding=1))

    def forward(self, sample_B1L: Tensor) -> tuple[Tensor, ...]:
        return _through(sample_B1L, self.layers, self.last, SLOPE)


class MultiResolution(Discriminator):
    """Judge the magnitudes of spectra of several resolutions (UnivNet: Jang et al. 2021, arXiv:2106.07889).

    Args:
        space: Of waveforms.
        windows: Samples of each Fourier transform; a frame follows the other after about a ninth of it, and its Hann
            window is five ninths long: 1024, 120 and 600 samples in the paper.
        width: Channels; UnivNet has 32.
    """

    def __init__(self, space: Space, windows: list[int] | None = None, width: int = 32) -> None:
        super().__init__()
        waveform_space(space, "audio/multi-resolution")
        windows = [1024, 2048, 512] if windows is None else windows
        if not windows or min(windows) < 16:
            raise DataError(
                f"the windows {windows} are none, or too short", remedy="name numbers of samples, such as 1024, 2048"
            )
        self.critics = nn.ModuleList(_ResolutionCritic(window, width) for window in windows)

    def forward(self, sample: Tensor, condition: Condition, lengths: Tensor | None = None) -> Critique:
        """Judge ``(B, 1, L)``: for each resolution logits ``(B, …)`` and features."""
        return _joined(critic(sample) for critic in self.critics)


class _ResolutionCritic(nn.Module):
    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        self.size, self.hop, self.window = size, PAPER_HOP * size // PAPER_SIZE, PAPER_WINDOW * size // PAPER_SIZE
        self.layers, before = nn.ModuleList(), 1
        for kernel, stride in (((3, 9), 1), *(((3, 9), 2),) * 3, ((3, 3), 1)):
            padding = (kernel[0] // 2, kernel[1] // 2)
            self.layers.append(weight_norm(nn.Conv2d(before, width, kernel, (1, stride), padding)))
            before = width
        self.last = weight_norm(nn.Conv2d(width, 1, (3, 3), padding=1))

    def forward(self, sample_B1L: Tensor) -> tuple[Tensor, ...]:
        magnitude_BNT = magnitudes(sample_B1L[:, 0], self.window, self.hop, self.size)
        return _through(magnitude_BNT[:, None], self.layers, self.last, RESOLUTION_SLOPE)


class Together(Discriminator):
    """Let several critics judge the same samples, as HiFi-GAN's periods and scales do.

    Args:
        of: The critics.
    """

    def __init__(self, of: list[Discriminator]) -> None:
        super().__init__()
        if not of:
            raise DataError("there are no critics", remedy="name at least one: of: [{use: audio/multi-period}]")
        self.critics = nn.ModuleList(of)

    def forward(self, sample: Tensor, condition: Condition, lengths: Tensor | None = None) -> Critique:
        """Judge samples; return the logits, features and further outputs of all critics in their order."""
        found = [lift_critique(critic(sample, condition, lengths)) for critic in self.critics]
        outputs: dict[str, Tensor] = {}
        for critique in found:
            outputs |= critique.outputs
        logits = tuple(logit for critique in found for logit in critique.logits)
        return Critique(logits, tuple(layers for critique in found for layers in critique.features), outputs)


def _through(hidden: Tensor, layers: nn.ModuleList, last: nn.Module, slope: float) -> tuple[Tensor, ...]:
    """Return what every layer makes, the logits ``(B, …)`` last."""
    found = []
    for layer in layers:
        hidden = leaky_relu(layer(hidden), slope)
        found.append(hidden)
    return *found, last(hidden).flatten(1)


def _joined(found: Iterator[tuple[Tensor, ...]]) -> Critique:
    features = tuple(found)
    return Critique(tuple(layers[-1] for layers in features), features)
