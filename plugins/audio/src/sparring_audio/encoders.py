"""The encoder whose features and classes metrics look at, made without downloading anything.

Letters in names of tensors: B rows of the batch, C channels, M mel bands, T frames, F features, K classes.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sparring.errors import DataError
from sparring.interfaces.data import Data
from sparring.interfaces.metric import Encoder
from sparring.metrics.classifier import batches, held_out_accuracy, learn, remembered, set_apart
from sparring_audio.listening import Listener
from sparring_audio.networks.labels import classes_of
from sparring_audio.networks.sizes import spectrogram_shape

DROPOUT = 0.3
FEATURES = 64  # length of the feature vector: few enough for the covariance of a few hundred held-out sounds
LAST_SIDE = 4  # the feature map is halved until its shorter side is no longer than this


class ClassifierEncoder(Encoder):
    """A small convolutional network, trained on the labels of the data's own training split when it is built.

    Training takes seconds and is a function of the data, the options and the processor alone: it happens on the CPU,
    draws from a random state of its own, and leaves the run's untouched. A second encoder with the same data and
    options takes over the weights of the first.

    It also learns to give every class an equal share of what shows none of them, noise above all, so that a generator
    that makes noise does not score (outlier exposure: Hendrycks, Mazeika and Dietterich 2019, arXiv:1812.04606).

    Attributes:
        name: Such as ``audio-classifier-64x32``, after mel bands and frames.
        accuracy: The share of held-out sounds whose class it finds; NaN where the data hold nothing out.

    Args:
        data: Labelled sounds.
        steps: Training steps, of 64 sounds each, and 24 that are of no class.
        width: Channels of the first layer.
        seed: Of weights, order and shifts.
    """

    def __init__(self, data: Data, steps: int = 200, width: int = 16, seed: int = 0) -> None:
        super().__init__()
        # Levels are a picture that convolutions can look at; phases and waveforms are heard first.
        plain = len(data.space.shape) == 3 and data.space.shape[0] == 1
        self._listener = None if plain else Listener(data.space, "audio/classifier")
        seen = data.space if self._listener is None else self._listener.space
        mels, frames = spectrogram_shape(seen, "audio/classifier")
        classes = classes_of(data.conditions, "audio/classifier")
        if classes < 2:
            raise DataError(
                f"audio/classifier learns to tell classes apart, and these data have {classes or 'no labels'}",
                remedy="use labelled data, or evaluate with audio/sound alone",
            )
        self.name = f"audio-classifier-{mels}x{frames}"
        with set_apart(seed):
            self.layers = _convolutions(mels, frames, width)
            self.head = nn.Linear(FEATURES, classes)
            key = ("audio/classifier", steps, width, seed)
            weights, self.accuracy = remembered(data, key, lambda: self._learn(data, steps, seed))
            self.load_state_dict(weights)
        self.eval().requires_grad_(False)

    def forward(self, sample: Tensor) -> Tensor:
        """Map samples ``(B, *space.shape)`` in [-1, 1] to the activations before the class logits, ``(B, 64)``."""
        self.to(sample.device)
        features_BF: Tensor = self.layers(self._seen(sample))
        return features_BF

    def probabilities(self, sample: Tensor) -> Tensor:
        """Map samples ``(B, *space.shape)`` in [-1, 1] to the probability of each class, ``(B, K)``."""
        probabilities_BK: Tensor = self.head(self(sample)).softmax(dim=1)
        return probabilities_BK

    def _logits(self, sample: Tensor) -> Tensor:
        logits_BK: Tensor = self.head(self.layers(sample))
        return logits_BK

    def _learn(self, data: Data, steps: int, seed: int) -> tuple[dict[str, Tensor], float]:
        draw = torch.Generator().manual_seed(seed)
        shown = (
            (_shifted(self._seen(batch.sample), draw), batch.condition["label"])
            for batch in batches(data.split("train"), draw)
        )
        learn(self, self._logits, shown, steps, unlike=lambda sample: _unlike(sample, draw))
        weights = {name: value.detach().clone() for name, value in self.state_dict().items()}
        return weights, held_out_accuracy(self, lambda sample: self._logits(self._seen(sample)), data)

    def _seen(self, sample: Tensor) -> Tensor:
        """Return spectrograms ``(B, 1, M, T)`` of samples."""
        return sample.float() if self._listener is None else self._listener(sample)


def _convolutions(mels: int, frames: int, width: int) -> nn.Sequential:
    """Return convolutions that end in features: ``(B, 1, M, T)`` -> ``(B, FEATURES)``."""
    layers = nn.Sequential()
    channels, wider = 1, width
    while True:
        layers.append(nn.Conv2d(channels, wider, kernel_size=3, stride=2, padding=1, bias=False))
        layers.append(nn.BatchNorm2d(wider))
        layers.append(nn.ReLU())
        mels, frames = -(-mels // 2), -(-frames // 2)
        if min(mels, frames) <= LAST_SIDE and len(layers) > 3:
            break
        channels, wider = wider, min(2 * wider, 4 * width)
    layers.extend([nn.Flatten(), nn.Dropout(DROPOUT), nn.Linear(wider * mels * frames, FEATURES), nn.ReLU()])
    return layers


def _shifted(sample_BCMT: Tensor, draw: torch.Generator) -> Tensor:
    """Shift a batch in time by up to an eighth of its length, the same for all rows, with its own edge repeated."""
    frames = sample_BCMT.shape[3]
    reach = frames // 8
    if not reach:
        return sample_BCMT
    start = int(torch.randint(0, 2 * reach + 1, (1,), generator=draw))
    return F.pad(sample_BCMT, (reach, reach, 0, 0), mode="replicate")[:, :, :, start : start + frames]


def _unlike(sample_BCMT: Tensor, draw: torch.Generator) -> Tensor:
    """Make three eighths of a batch that are of no class: noise, a sound in another order, and an even level."""
    eighth = max(1, len(sample_BCMT) // 8)
    first_BCMT, second_BCMT, third_BCMT = (sample_BCMT[index * eighth : (index + 1) * eighth] for index in range(3))
    noise_BCMT = torch.rand(first_BCMT.shape, generator=draw) * 2 - 1
    order = torch.randperm(second_BCMT[0, 0].numel(), generator=draw)
    shuffled_BCMT = second_BCMT.flatten(2)[:, :, order].view_as(second_BCMT)
    even_BCMT = (torch.rand(len(third_BCMT), 1, 1, 1, generator=draw) * 2 - 1).expand_as(third_BCMT)
    return torch.cat([noise_BCMT, shuffled_BCMT, even_BCMT])
