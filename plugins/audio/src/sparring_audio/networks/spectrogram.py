"""DCGAN on spectrograms: strided convolutions over mel bands and frames.

The layout is that of Radford, Metz and Chintala 2016 (arXiv:1511.06434), which SpecGAN brought to spectrograms
(Donahue, McAuley and Puckette 2019, "Adversarial Audio Synthesis", arXiv:1802.04208); there need not be as many bands
as frames.

Letters in names of tensors: B rows of the batch, L latent values, E values of a label's embedding, C channels, M mel
bands, T frames, F features.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise

from torch import Tensor, nn

from sparring.interfaces.data import Condition
from sparring.interfaces.discriminator import Critique, Discriminator
from sparring.interfaces.generator import Generator
from sparring.interfaces.space import Space
from sparring_audio.networks.labels import LabelledLatent, LabelledNorm, ProjectionHead
from sparring_audio.networks.sizes import spectrogram_shape, strides

NAME = "audio/spectrogram"
SLOPE = 0.2  # of LeakyReLU below zero, in both papers
DEEPEST = 8  # times `width`: larger spectrograms get more layers, not wider ones


class SpectrogramGenerator(Generator):
    """Make spectrograms by transposed convolutions that each double the size, with batch norm, and a last convolution.

    A class label, where the data have one, enters as an embedding beside the latent, and as the scale and shift of
    every batch norm. The last convolution is not in the papers: it mends the grid that strides leave, which is heard as
    noise and blurs what is as short as a [t].

    Args:
        space: The spectrograms' space: ``(1, mels, frames)`` in [-1, 1].
        conditions: None, or ``label``.
        latent_dim: Length of the latent vector; SpecGAN has 100.
        width: Channels of the last hidden layers; each earlier one has twice as many. SpecGAN has 64.
        label_dim: Length of a label's embedding.
    """

    def __init__(
        self,
        space: Space,
        conditions: Mapping[str, Space],
        latent_dim: int = 64,
        width: int = 32,
        label_dim: int = 16,
    ) -> None:
        super().__init__()
        mels, frames = spectrogram_shape(space, NAME)
        steps = strides(mels, frames, NAME)
        self.latent_shape = (latent_dim,)
        self.labelled = LabelledLatent(conditions, latent_dim, label_dim, NAME)
        channels = [channels_at(width, depth) for depth in range(len(steps))]
        self.start_shape = (channels[-1], *_reduced(mels, frames, steps))
        # A bias before batch norm would be subtracted again.
        self.project = nn.Linear(self.labelled.width, math.prod(self.start_shape), bias=False)
        self.norms = nn.ModuleList([LabelledNorm(conditions, channels[-1], NAME)])
        self.enlarge = nn.ModuleList()
        for (wide, narrow), step in zip(pairwise([*channels[::-1], width]), reversed(steps), strict=True):
            self.enlarge.append(nn.ConvTranspose2d(wide, narrow, _kernel(step), step, padding=1, bias=False))
            self.norms.append(LabelledNorm(conditions, narrow, NAME))
        self.to_spectrogram = nn.Conv2d(width, 1, kernel_size=3, padding=1)

    def forward(self, latent: Tensor | None, condition: Condition) -> Tensor:
        """Make ``(B, 1, M, T)`` in [-1, 1] from ``(B, latent_dim)`` and, where there are labels, ``label`` ``(B,)``."""
        latent_BL = self.labelled(latent, condition)
        hidden_BCMT = self.project(latent_BL).unflatten(1, self.start_shape)
        hidden_BCMT = self.norms[0](hidden_BCMT, condition).relu()
        for enlarge, norm in zip(self.enlarge, self.norms[1:], strict=True):
            hidden_BCMT = norm(enlarge(hidden_BCMT), condition).relu()
        spectrogram_B1MT: Tensor = self.to_spectrogram(hidden_BCMT).tanh()
        return spectrogram_B1MT


class SpectrogramDiscriminator(Discriminator):
    """Judge spectrograms by convolutions that each halve the size, with LeakyReLU and without normalisation.

    A class label, where the data have one, enters by projection (Miyato and Koyama 2018, arXiv:1802.05637).

    Args:
        space: The spectrograms' space: ``(1, mels, frames)`` in [-1, 1].
        conditions: None, or ``label``.
        width: Channels of the first layer; each later one has twice as many. SpecGAN has 64.
    """

    def __init__(self, space: Space, conditions: Mapping[str, Space], width: int = 32) -> None:
        super().__init__()
        mels, frames = spectrogram_shape(space, NAME)
        steps = strides(mels, frames, NAME)
        self.blocks = nn.ModuleList()
        channels = 1
        for depth, step in enumerate(steps):
            wider = channels_at(width, depth)
            convolution = nn.Conv2d(channels, wider, _kernel(step), step, padding=1)
            self.blocks.append(nn.Sequential(convolution, nn.LeakyReLU(SLOPE)))
            channels = wider
        self.head = ProjectionHead(conditions, channels * math.prod(_reduced(mels, frames, steps)), NAME)

    def forward(self, sample: Tensor, condition: Condition, lengths: Tensor | None = None) -> Critique:
        """Judge ``(B, 1, M, T)``: logits ``(B,)``, and the activations after every layer as features."""
        features = []
        hidden_BCMT = sample
        for block in self.blocks:
            hidden_BCMT = block(hidden_BCMT)
            features.append(hidden_BCMT)
        return Critique((self.head(hidden_BCMT, condition),), (tuple(features),))


def channels_at(width: int, depth: int) -> int:
    """Return the channels of a layer, counted from the spectrogram: doubled at each, up to ``DEEPEST`` × width."""
    return width * min(1 << depth, DEEPEST)


def _kernel(step: tuple[int, int]) -> tuple[int, int]:
    """Return a kernel that, with one row of padding, divides an axis by its step exactly."""
    return step[0] + 2, step[1] + 2


def _reduced(mels: int, frames: int, steps: list[tuple[int, int]]) -> tuple[int, int]:
    """Return what is left of bands and frames after all steps."""
    return mels // math.prod(step[0] for step in steps), frames // math.prod(step[1] for step in steps)
