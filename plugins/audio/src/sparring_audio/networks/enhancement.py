"""Enhancement of speech by a mask over its spectrum, and the critic that predicts how good it sounds.

The layout is that of MetricGAN+ (Fu, Yu, Hsieh, Plantinga, Ravanelli, Lu and Tsao 2021, arXiv:2104.03538), and the
critic that of MetricGAN (Fu, Liao, Tsao and Lin 2019, arXiv:1905.04874).

Letters in names of tensors: B rows of the batch, L samples of a waveform, N frequencies of a spectrum, T frames,
C channels, F features.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from sparring.errors import DataError, TrainingError
from sparring.interfaces.data import Condition
from sparring.interfaces.discriminator import Critique, Discriminator
from sparring.interfaces.generator import Generator
from sparring.interfaces.space import Space
from sparring_audio.stft import Resolution, magnitude, spectrum, waveform

ENHANCER, CRITIC = "audio/mask-enhancer", "audio/metric-discriminator"
LOUDEST = 1.2  # times the noisy magnitude: what the mask can reach, where noise had taken something away
STEEPEST = 3.5  # the largest slope of the learnable sigmoid
SLOPE = 0.3  # of LeakyReLU below zero
KERNEL = 5
HIDDEN = (50, 10)  # units between the critic's pooled channels and its score


class MaskEnhancer(Generator):
    """Take noise away: a recurrent network reads the noisy spectrum both ways, and says how much of each place to keep.

    The mask has a slope of its own for each frequency, and a floor below which it never falls; the phase stays that of
    the noisy sound. There is no latent. The paper's sizes are the defaults, for 16 kHz: 1.9 million parameters.

    Args:
        space: Of waveforms.
        conditions: ``noisy``, in the same space.
        width: Units of the recurrent layers, in each direction.
        layers: Recurrent layers.
        hidden: Units of the layer before the mask.
        window: Of the spectrum, in samples.
        hop: From frame to frame, in samples; at most half of ``window``.
        floor: The smallest value of the mask, in [0, 1).
    """

    def __init__(
        self,
        space: Space,
        conditions: Mapping[str, Space],
        width: int = 200,
        layers: int = 2,
        hidden: int = 300,
        window: int = 512,
        hop: int = 256,
        floor: float = 0.05,
    ) -> None:
        super().__init__()
        waveform_length(space, ENHANCER)
        require(conditions, "noisy", space, ENHANCER, "audio/noisy")
        if not 0 <= floor < 1:
            raise ValueError(f"floor is {floor}, and must be in [0, 1)")
        self.floor, self.resolution = floor, checked_resolution(window, hop)
        frequencies = window // 2 + 1
        self.reader = nn.LSTM(frequencies, width, layers, batch_first=True, bidirectional=True)
        self.head = nn.Sequential(nn.Linear(2 * width, hidden), nn.LeakyReLU(SLOPE), nn.Linear(hidden, frequencies))
        self.slope = nn.Parameter(torch.ones(frequencies))
        self.hamming: Tensor
        self.register_buffer("hamming", torch.hamming_window(window), persistent=False)

    def forward(self, latent: Tensor | None, condition: Condition) -> Tensor:
        """Make ``(B, 1, L)`` of the condition ``noisy`` ``(B, 1, L)``."""
        noisy_BL = asked_for(condition, "noisy", ENHANCER)[:, 0]
        with torch.autocast(noisy_BL.device.type, enabled=False):
            spectrum_BNT = spectrum(noisy_BL.float(), self.resolution, self.hamming)
            seen_BTN = magnitude(spectrum_BNT).log1p().transpose(1, 2)
        read_BTF, _ = self.reader(seen_BTN)
        mask_BNT = self.mask(self.head(read_BTF)).transpose(1, 2).float()
        with torch.autocast(noisy_BL.device.type, enabled=False):
            clean_BL = waveform(spectrum_BNT * mask_BNT, self.resolution, self.hamming, noisy_BL.shape[1])
        return clean_BL[:, None]

    def mask(self, logit_BTN: Tensor) -> Tensor:
        """Turn ``(B, T, N)`` into shares to keep, from ``floor`` to 1.2."""
        slope_N = self.slope.clamp(max=STEEPEST)
        return (LOUDEST * torch.sigmoid(slope_N * logit_BTN)).clamp_min(self.floor)


class MetricDiscriminator(Discriminator):
    """Predict a score from the magnitudes of two sounds' spectra, one beside the other; or judge the first by them.

    The objective ``metric-critic`` reads the prediction as ``outputs["score"]`` and shows the clean sound as the
    condition ``reference``. The only logit is the same number, so that the network also serves as an ordinary critic of
    a sound beside one of the data's conditions.

    MetricGAN+ normalises what comes in over the batch. Here nothing is: noisy, enhanced and clean sounds come in
    batches of their own, and what told them apart was normalised away.

    Args:
        space: Of waveforms.
        beside: The condition that the sample is compared with.
        channels: Of each convolution; the papers have 15.
        depth: Convolutions; the papers have 4.
        window: Of the spectrum, in samples.
        hop: From frame to frame, in samples; at most half of ``window``.
    """

    def __init__(
        self,
        space: Space,
        beside: str = "reference",
        channels: int = 15,
        depth: int = 4,
        window: int = 512,
        hop: int = 256,
    ) -> None:
        super().__init__()
        waveform_length(space, CRITIC)
        self.beside, self.resolution = beside, checked_resolution(window, hop)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                spectral_norm(nn.Conv2d(channels if layer else 2, channels, KERNEL, padding=KERNEL // 2)),
                nn.LeakyReLU(SLOPE),
            )
            for layer in range(depth)
        )
        first, second = HIDDEN
        self.head = nn.Sequential(
            *(spectral_norm(nn.Linear(channels, first)), nn.LeakyReLU(SLOPE)),
            *(spectral_norm(nn.Linear(first, second)), nn.LeakyReLU(SLOPE)),
            spectral_norm(nn.Linear(second, 1)),
        )
        self.hamming: Tensor
        self.register_buffer("hamming", torch.hamming_window(window), persistent=False)

    def forward(self, sample: Tensor, condition: Condition, lengths: Tensor | None = None) -> Critique:
        """Judge ``(B, 1, L)`` beside the condition of the same shape: a score ``(B,)``, as logit and as output."""
        pair = (sample[:, 0], asked_for(condition, self.beside, CRITIC)[:, 0])
        with torch.autocast(sample.device.type, enabled=False):
            seen = [magnitude(spectrum(one.float(), self.resolution, self.hamming)).log1p() for one in pair]
        hidden_BCNT = torch.stack(seen, dim=1)
        features = []
        for block in self.blocks:
            hidden_BCNT = block(hidden_BCNT)
            features.append(hidden_BCNT)
        score_B = self.head(hidden_BCNT.mean((2, 3))).squeeze(1)
        return Critique((score_B,), (tuple(features),), {"score": score_B})


# ---- what networks on waveforms ask for ----


def waveform_length(space: Space, network: str) -> int:
    """Return how many samples a waveform of a space has.

    Raises:
        DataError: It is no space of waveforms.
    """
    if len(space.shape) != 2 or space.shape[0] != 1:
        raise DataError(
            f"{network} works on waveforms (1, length), and the data's samples have the shape {space.shape}",
            remedy="give the data `space: {use: audio/waveform}`",
        )
    return space.shape[1]


def require(conditions: Mapping[str, Space], name: str, space: Space, network: str, data: str) -> None:
    """Raise where the data lack the condition that drives a network, or it is of another shape."""
    if name not in conditions or conditions[name].shape != space.shape:
        shown = f"of shape {conditions[name].shape}" if name in conditions else "not there"
        raise DataError(
            f"{network} is driven by the condition '{name}' of shape {space.shape}, which is {shown}",
            where="data",
            remedy=f"wrap the data in {data}",
        )


def asked_for(condition: Condition, name: str, network: str) -> Tensor:
    """Return a condition ``(B, 1, L)``.

    Raises:
        TrainingError: It is missing.
    """
    if name not in condition:
        raise TrainingError(
            f"{network} was given no condition '{name}'",
            remedy=f"give condition={{'{name}': waveforms (B, 1, L)}}; the objective metric-critic gives 'reference'",
        )
    return condition[name]


def checked_resolution(window: int, hop: int) -> Resolution:
    """Return a resolution whose frames overlap by half or more, so that a sound can be put together again."""
    if not 0 < 2 * hop <= window:
        raise ValueError(f"hop is {hop}, and must be between 1 and half of the window, {window} samples")
    return Resolution(window, hop, window)
