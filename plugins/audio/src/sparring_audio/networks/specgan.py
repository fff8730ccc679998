"""SpecGAN: log-magnitude spectrograms by transposed convolutions without normalisation.

Donahue, McAuley and Puckette 2019, "Adversarial Audio Synthesis", arXiv:1802.04208, section 3.3 and appendix D.
The paper trains it by the Wasserstein loss with gradient penalty, five critic steps for each of the generator, batches
of 64 and Adam with a rate of 1e-4 and betas 0.5 and 0.9.

Letters in names of tensors: B rows of the batch, L latent values, E values of a label's embedding, C channels, N
frequencies, T frames, F features.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import Tensor, nn

from sparring.interfaces.data import Condition
from sparring.interfaces.discriminator import Critique, Discriminator
from sparring.interfaces.generator import Generator
from sparring.interfaces.space import Space
from sparring_audio.networks.labels import LabelledLatent, ProjectionHead
from sparring_audio.networks.sizes import spectrogram_shape, strides

NAME = "audio/specgan"
SLOPE = 0.2  # of LeakyReLU below zero, as in the paper
KERNEL = 5
DEEPEST = 16  # times `width`: the paper's five layers end there; larger spectrograms get more layers, not wider ones


class SpecganGenerator(Generator):
    """Make spectrograms by transposed 5×5 convolutions that each double the size, with ReLU and tanh.

    The latent is uniform in [-1, 1]. A class label, where the data have one, enters as an embedding beside it; the
    paper has no labels. Frequencies and frames need not be equally many.

    Args:
        space: The spectrograms' space: ``(1, frequencies, frames)`` in [-1, 1].
        conditions: None, or ``label``.
        latent_dim: Length of the latent vector.
        width: Channels of the last hidden layer; each earlier one has twice as many, up to 16 times. The paper has 64.
        label_dim: Length of a label's embedding.
    """

    def __init__(
        self,
        space: Space,
        conditions: Mapping[str, Space],
        latent_dim: int = 100,
        width: int = 64,
        label_dim: int = 16,
    ) -> None:
        super().__init__()
        frequencies, frames = spectrogram_shape(space, NAME)
        steps = strides(frequencies, frames, NAME)
        self.latent_dim, self.latent_shape = latent_dim, (latent_dim,)
        self.labelled = LabelledLatent(conditions, latent_dim, label_dim, NAME)
        channels = [width * min(1 << depth, DEEPEST) for depth in range(len(steps))]
        self.start_shape = (channels[-1], *_reduced(frequencies, frames, steps))
        self.project = nn.Linear(self.labelled.width, math.prod(self.start_shape))
        self.layers = nn.Sequential(nn.ReLU())
        for (wide, narrow), step in zip(pairwise([*channels[::-1], 1]), reversed(steps), strict=True):
            self.layers.append(_enlarge(wide, narrow, step))
            self.layers.append(nn.ReLU())
        self.layers[-1] = nn.Tanh()

    def latent(self, n: int, *, rng: torch.Generator) -> Tensor:
        """Draw ``(n, latent_dim)``, uniform in [-1, 1]."""
        return torch.rand(n, self.latent_dim, generator=rng, device=rng.device) * 2 - 1

    def forward(self, latent: Tensor | None, condition: Condition) -> Tensor:
        """Make ``(B, 1, N, T)`` in [-1, 1] from ``(B, latent_dim)`` and, where there are labels, ``label`` ``(B,)``."""
        latent_BL = self.labelled(latent, condition)
        spectrogram_B1NT: Tensor = self.layers(self.project(latent_BL).unflatten(1, self.start_shape))
        return spectrogram_B1NT


class SpecganDiscriminator(Discriminator):
    """Judge spectrograms by 5×5 convolutions that each halve the size, with LeakyReLU and without normalisation.

    A class label, where the data have one, enters by projection (Miyato and Koyama 2018, arXiv:1802.05637).

    Args:
        space: The spectrograms' space: ``(1, frequencies, frames)`` in [-1, 1].
        conditions: None, or ``label``.
        width: Channels of the first layer; each later one has twice as many, up to 16 times. The paper has 64.
    """

    def __init__(self, space: Space, conditions: Mapping[str, Space], width: int = 64) -> None:
        super().__init__()
        frequencies, frames = spectrogram_shape(space, NAME)
        steps = strides(frequencies, frames, NAME)
        channels = [1, *(width * min(1 << depth, DEEPEST) for depth in range(len(steps)))]
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Conv2d(narrow, wide, KERNEL, step, padding=KERNEL // 2), nn.LeakyReLU(SLOPE))
            for (narrow, wide), step in zip(pairwise(channels), steps, strict=True)
        )
        self.head = ProjectionHead(conditions, channels[-1] * math.prod(_reduced(frequencies, frames, steps)), NAME)

    def forward(self, sample: Tensor, condition: Condition, lengths: Tensor | None = None) -> Critique:
        """Judge ``(B, 1, N, T)``: logits ``(B,)``, and the activations after every layer as features."""
        features = []
        hidden_BCNT = sample
        for block in self.blocks:
            hidden_BCNT = block(hidden_BCNT)
            features.append(hidden_BCNT)
        return Critique((self.head(hidden_BCNT, condition),), (tuple(features),))


def _enlarge(wide: int, narrow: int, step: tuple[int, int]) -> nn.Module:
    """Return a transposed convolution that multiplies each axis by its step exactly."""
    further = (step[0] - 1, step[1] - 1)
    return nn.ConvTranspose2d(wide, narrow, KERNEL, step, padding=KERNEL // 2, output_padding=further)


def _reduced(frequencies: int, frames: int, steps: list[tuple[int, int]]) -> tuple[int, int]:
    """Return what is left of frequencies and frames after all steps."""
    return frequencies // math.prod(step[0] for step in steps), frames // math.prod(step[1] for step in steps)
