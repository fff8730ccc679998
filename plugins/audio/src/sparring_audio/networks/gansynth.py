"""A generator and a critic in GANSynth's style: levels and instantaneous frequencies, by upsampling and convolutions.

Engel et al. 2019, "GANSynth: Adversarial Neural Audio Synthesis", arXiv:1902.08710, whose networks are those of Karras
et al. 2018, "Progressive Growing of GANs", arXiv:1710.10196. What differs: all layers are trained at full size from the
start, instead of growing; weights are drawn with He's variance and trained as they are, instead of being scaled at run
time; an embedding of the label takes the place of a one-hot vector of 61 pitches. The class is named by core's
``heads`` around the critic, and taught by the term ``auxiliary-classifier``, as in the paper. The paper's largest
networks make 2 channels of 1,024 frequencies and 128 frames; it trains them with batches of 8, the Wasserstein loss
with gradient penalty, a drift of 0.001, Adam with a rate of 8e-4 and betas 0 and 0.99, and averages generators with
0.999.

Letters in names of tensors: B rows of the batch, L latent values, E values of a label's embedding, C channels, N
frequencies, T frames, F features.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sparring.errors import DataError
from sparring.interfaces.data import Condition
from sparring.interfaces.discriminator import Critique, Discriminator
from sparring.interfaces.generator import Generator
from sparring.interfaces.space import Space
from sparring_audio.networks.labels import LabelledLatent
from sparring_audio.networks.sizes import strides

NAME = "audio/gansynth"
SLOPE = 0.2  # of LeakyReLU below zero, as in the paper
DEEPEST = 8  # times `width`: the paper has 32 channels at full size, and 256 at the smallest
SMALLEST = 1e-8  # of a mean of squares


class GansynthGenerator(Generator):
    """Make levels and instantaneous frequencies by doubling maps and two 3×3 convolutions at each size.

    Maps are enlarged by repeating their values; every convolution is followed by LeakyReLU and by a division of each
    place by the root mean square over its channels. A class label, where the data have one, enters as an embedding
    beside the latent.

    Args:
        space: The samples' space: ``(channels, frequencies, frames)`` in [-1, 1].
        conditions: None, or ``label``.
        latent_dim: Length of the latent vector. The paper has 256.
        width: Channels at full size; each smaller size has twice as many, up to 8 times. The paper has 32.
        label_dim: Length of a label's embedding.
    """

    def __init__(
        self,
        space: Space,
        conditions: Mapping[str, Space],
        latent_dim: int = 256,
        width: int = 32,
        label_dim: int = 32,
    ) -> None:
        super().__init__()
        steps, sizes = _steps(space)
        self.latent_shape = (latent_dim,)
        self.labelled = LabelledLatent(conditions, latent_dim, label_dim, NAME)
        channels = _channels(width, len(steps))
        self.start_shape = (channels[-1], *sizes)
        self.project = nn.Linear(self.labelled.width, math.prod(self.start_shape))
        self.first = nn.Sequential(_Activation(), _convolution(channels[-1], channels[-1]), _Activation())
        self.blocks = nn.Sequential()
        for (wide, narrow), step in zip(pairwise(reversed(channels)), reversed(steps), strict=True):
            enlarge = nn.Upsample(scale_factor=(float(step[0]), float(step[1])), mode="nearest")
            self.blocks.append(
                nn.Sequential(
                    enlarge, _convolution(wide, narrow), _Activation(), _convolution(narrow, narrow), _Activation()
                )
            )
        self.to_sample = nn.Sequential(nn.Conv2d(width, space.shape[0], kernel_size=1), nn.Tanh())

    def forward(self, latent: Tensor | None, condition: Condition) -> Tensor:
        """Make ``(B, C, N, T)`` in [-1, 1] from ``(B, latent_dim)`` and, where there are labels, ``label`` ``(B,)``."""
        latent_BL = self.labelled(latent if latent is None else pixel_norm(latent), condition)
        hidden_BCNT = self.first(self.project(latent_BL).unflatten(1, self.start_shape))
        sample_BCNT: Tensor = self.to_sample(self.blocks(hidden_BCNT))
        return sample_BCNT


class GansynthDiscriminator(Discriminator):
    """Judge levels and instantaneous frequencies by two 3×3 convolutions at each size, which averages halve.

    Before the last layers, the spread over the batch, averaged over everything, becomes a further channel, so that a
    generator without variety is found out. The critic is not told the class: wrap it in ``heads`` with ``label: true``,
    and it names the class.

    Args:
        space: The samples' space: ``(channels, frequencies, frames)`` in [-1, 1].
        width: Channels at full size; each smaller size has twice as many, up to 8 times. The paper has 32.
    """

    def __init__(self, space: Space, width: int = 32) -> None:
        super().__init__()
        steps, sizes = _steps(space)
        channels = _channels(width, len(steps))
        self.from_sample = nn.Sequential(nn.Conv2d(space.shape[0], width, kernel_size=1), nn.LeakyReLU(SLOPE))
        self.blocks = nn.ModuleList()
        for (narrow, wide), step in zip(pairwise(channels), steps, strict=True):
            self.blocks.append(
                nn.Sequential(
                    *(_convolution(narrow, narrow), nn.LeakyReLU(SLOPE)),
                    *(_convolution(narrow, wide), nn.LeakyReLU(SLOPE)),
                    nn.AvgPool2d(step),
                )
            )
        widest = channels[-1]
        self.last = nn.Sequential(
            *(_convolution(widest + 1, widest), nn.LeakyReLU(SLOPE), nn.Flatten()),
            *(nn.Linear(widest * math.prod(sizes), widest), nn.LeakyReLU(SLOPE)),
        )
        self.head = nn.Linear(widest, 1)

    def forward(self, sample: Tensor, condition: Condition, lengths: Tensor | None = None) -> Critique:
        """Judge ``(B, C, N, T)``: logits ``(B,)``, and the activations after every size as features."""
        features = []
        hidden_BCNT = self.from_sample(sample)
        for block in self.blocks:
            hidden_BCNT = block(hidden_BCNT)
            features.append(hidden_BCNT)
        hidden_BF = self.last(torch.cat([hidden_BCNT, batch_spread(hidden_BCNT)], dim=1))
        return Critique((self.head(hidden_BF).squeeze(1),), ((*features, hidden_BF),))


class _Activation(nn.Module):
    """LeakyReLU, and a division of each place by the root mean square over its channels."""

    def forward(self, hidden_BCNT: Tensor) -> Tensor:
        return pixel_norm(F.leaky_relu(hidden_BCNT, SLOPE))


def pixel_norm(hidden: Tensor) -> Tensor:
    """Divide ``(B, C, …)`` by the root mean square over channels (Karras et al. 2018, section 4.2)."""
    return hidden * (hidden.square().mean(dim=1, keepdim=True) + SMALLEST).rsqrt()


def batch_spread(hidden: Tensor) -> Tensor:
    """Return the standard deviation over the batch, averaged over everything (Karras et al. 2018, section 3).

    Args:
        hidden: ``(B, C, N, T)``.

    Returns:
        ``(B, 1, N, T)`` of one value.
    """
    spread = (hidden.var(dim=0, correction=0) + SMALLEST).sqrt().mean()
    rows, _, frequencies, frames = hidden.shape
    return spread.expand(rows, 1, frequencies, frames)


def _convolution(inputs: int, outputs: int) -> nn.Conv2d:
    layer = nn.Conv2d(inputs, outputs, kernel_size=3, padding=1)
    nn.init.kaiming_normal_(layer.weight, a=SLOPE)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer


def _channels(width: int, halvings: int) -> list[int]:
    """Return the channels at each size, from the full one inwards."""
    return [width * min(1 << depth, DEEPEST) for depth in range(halvings + 1)]


def _steps(space: Space) -> tuple[list[tuple[int, int]], tuple[int, int]]:
    """Return by how much each size is reduced, from the full one inwards, and the smallest size.

    Raises:
        DataError: The samples are no maps, or do not halve evenly.
    """
    if len(space.shape) != 3:
        raise DataError(
            f"{NAME} works on maps (channels, frequencies, frames), and the data's samples have the shape "
            f"{space.shape}",
            remedy="use data in the space audio/instantaneous-frequency, or a network that is made for these data",
        )
    _, frequencies, frames = space.shape
    steps = strides(frequencies, frames, NAME)
    return steps, (
        frequencies // math.prod(step[0] for step in steps),
        frames // math.prod(step[1] for step in steps),
    )
