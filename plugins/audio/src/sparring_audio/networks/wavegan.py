"""WaveGAN: waveforms by transposed convolutions in time, judged with shuffled phases.

Donahue, McAuley and Puckette 2019, "Adversarial Audio Synthesis", arXiv:1802.04208, section 3.2, 3.3 and appendix D.
The paper trains it by the Wasserstein loss with gradient penalty, five critic steps for each of the generator, batches
of 64 and Adam with a rate of 1e-4 and betas 0.5 and 0.9.

Letters in names of tensors: B rows of the batch, L latent values, E values of a label's embedding, C channels, T
samples in time, F features.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import Tensor, nn

from sparring.errors import DataError
from sparring.interfaces.data import Condition
from sparring.interfaces.discriminator import Critique, Discriminator
from sparring.interfaces.generator import Generator
from sparring.interfaces.space import Space
from sparring_audio.networks.labels import LabelledLatent, ProjectionHead

NAME = "audio/wavegan"
SLOPE = 0.2  # of LeakyReLU below zero, as in the paper
KERNEL, STRIDE = 25, 4
SHORTEST_START = 8  # samples; a start of 4 times as many would pass through it one layer further in
DEEPEST = 16  # times `width`


class WaveganGenerator(Generator):
    """Make waveforms by transposed convolutions of length 25 that each quadruple the length, with ReLU and tanh.

    The latent is uniform in [-1, 1]. A class label, where the data have one, enters as an embedding beside it; the
    paper has no labels.

    Args:
        space: The waveforms' space: ``(1, length)`` in [-1, 1]. The length is 8 to 31, times a power of four: the
            paper's 16,384 samples are 16 · 4⁵.
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
        start, depth = start_of(space)
        self.latent_dim, self.latent_shape = latent_dim, (latent_dim,)
        self.labelled = LabelledLatent(conditions, latent_dim, label_dim, NAME)
        channels = channels_of(width, depth)
        self.start_shape = (channels[-1], start)
        self.project = nn.Linear(self.labelled.width, math.prod(self.start_shape))
        self.layers = nn.Sequential(nn.ReLU())
        for wide, narrow in pairwise([*channels[::-1], 1]):
            enlarge = nn.ConvTranspose1d(wide, narrow, KERNEL, STRIDE, padding=11, output_padding=1)
            self.layers.append(enlarge)
            self.layers.append(nn.ReLU())
        self.layers[-1] = nn.Tanh()

    def latent(self, n: int, *, rng: torch.Generator) -> Tensor:
        """Draw ``(n, latent_dim)``, uniform in [-1, 1]."""
        return torch.rand(n, self.latent_dim, generator=rng, device=rng.device) * 2 - 1

    def forward(self, latent: Tensor | None, condition: Condition) -> Tensor:
        """Make ``(B, 1, T)`` in [-1, 1] from ``(B, latent_dim)`` and, where there are labels, ``label`` ``(B,)``."""
        latent_BL = self.labelled(latent, condition)
        waveform_B1T: Tensor = self.layers(self.project(latent_BL).unflatten(1, self.start_shape))
        return waveform_B1T


class WaveganDiscriminator(Discriminator):
    """Judge waveforms by convolutions of length 25 that each quarter the length, with shuffled phases between them.

    Phase shuffle (section 3.3) shifts the activations of each layer but the last by a few samples, drawn anew for each
    row, layer and pass, and mirrors what it cuts off: a transposed convolution leaves a pattern at always the same
    phase, by which the critic would otherwise tell all generated sounds. It happens in training alone, and draws as
    dropout does, from the random state that the loop sets for every update: a resumed run draws the same.

    A class label, where the data have one, enters by projection (Miyato and Koyama 2018, arXiv:1802.05637).

    Args:
        space: The waveforms' space: ``(1, length)`` in [-1, 1]; the length is 8 to 31, times a power of four.
        conditions: None, or ``label``.
        width: Channels of the first layer; each later one has twice as many, up to 16 times. The paper has 64.
        phase_shuffle: The largest shift to either side, in samples of a layer; 0 switches it off. The paper has 2.
    """

    def __init__(self, space: Space, conditions: Mapping[str, Space], width: int = 64, phase_shuffle: int = 2) -> None:
        super().__init__()
        start, depth = start_of(space)
        if not 0 <= phase_shuffle < start:
            raise DataError(
                f"a phase shuffle of {phase_shuffle} samples does not fit maps of {start} samples",
                remedy=f"choose from 0 to {start - 1}; the paper has 2",
            )
        self.phase_shuffle = phase_shuffle
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Conv1d(narrow, wide, KERNEL, STRIDE, padding=11), nn.LeakyReLU(SLOPE))
            for narrow, wide in pairwise([1, *channels_of(width, depth)])
        )
        self.head = ProjectionHead(conditions, channels_of(width, depth)[-1] * start, NAME)

    def forward(self, sample: Tensor, condition: Condition, lengths: Tensor | None = None) -> Critique:
        """Judge ``(B, 1, T)``: logits ``(B,)``, and the activations after every layer as features."""
        features: list[Tensor] = []
        hidden_BCT = sample
        for block in self.blocks:
            if features and self.training and self.phase_shuffle:
                hidden_BCT = shuffle_phase(hidden_BCT, self.phase_shuffle)
            hidden_BCT = block(hidden_BCT)
            features.append(hidden_BCT)
        return Critique((self.head(hidden_BCT, condition),), (tuple(features),))


def shuffle_phase(hidden: Tensor, most: int) -> Tensor:
    """Shift each row by -``most`` to ``most`` samples, the same for its channels, and mirror what is cut off.

    Args:
        hidden: ``(B, C, T)``.
        most: Less than T.
    """
    rows, channels, length = hidden.shape
    shift_B1 = torch.randint(-most, most + 1, (rows, 1), device=hidden.device)
    place_BT = (torch.arange(length, device=hidden.device) + shift_B1).abs()
    place_BT = length - 1 - (length - 1 - place_BT).abs()
    return hidden.gather(2, place_BT[:, None].expand(rows, channels, length))


def start_of(space: Space) -> tuple[int, int]:
    """Return the length that is left after quartering, and how often a space's length is quartered.

    Raises:
        DataError: Its samples are no waveforms, or do not quarter evenly; the message names the nearest lengths.
    """
    if len(space.shape) != 2 or space.shape[0] != 1:
        raise DataError(
            f"{NAME} works on waveforms (1, length), and the data's samples have the shape {space.shape}",
            remedy="use data in the space audio/waveform, or a network that is made for these data",
        )
    start, depth = space.shape[1], 0
    while start >= STRIDE * SHORTEST_START and start % STRIDE == 0:
        start, depth = start // STRIDE, depth + 1
    if depth and start < STRIDE * SHORTEST_START:
        return start, depth
    length = space.shape[1]
    working = [
        start * STRIDE**depth for depth in range(1, 12) for start in range(SHORTEST_START, STRIDE * SHORTEST_START)
    ]
    near = [one for one in working if one < length][-1:] + [one for one in working if one > length][:1]
    raise DataError(
        f"{NAME} cannot make {length} samples: it quadruples a map of {SHORTEST_START} to "
        f"{STRIDE * SHORTEST_START - 1} samples until it has their number",
        remedy=f"set the space's `length` to {' or '.join(map(str, near))}",
    )


def channels_of(width: int, depth: int) -> list[int]:
    """Return the channels of each layer, from the waveform inwards: doubled at each, up to ``DEEPEST`` × width."""
    return [width * min(1 << layer, DEEPEST) for layer in range(depth)]
