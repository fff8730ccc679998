"""Encoders whose features metrics compare, made without downloading anything.

Letters in names of tensors: B rows of the batch, C channels, H rows and W columns of pixels, F features, K classes.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sparring.errors import DataError
from sparring.interfaces.data import Data
from sparring.interfaces.metric import Encoder
from sparring.interfaces.space import Space
from sparring.metrics.classifier import batches, held_out_accuracy, learn, remembered, set_apart
from sparring_image.networks.sizes import classes_of, image_shape

DROPOUT = 0.3
FEATURES = 64  # length of the feature vector: few enough for the covariance of a few hundred held-out images
SMALL = 16  # pixels: pictures up to this side keep their size in the first layer
LAST_SIDE = 4  # pixels: the feature map is halved until its shorter side is no longer than this


class ClassifierEncoder(Encoder):
    """A small convolutional network, trained on the labels of the data's own training split when it is built.

    Training takes seconds, up to a minute for large images, and is a function of the data, the options and the
    processor alone: it happens on the CPU, draws from a random state of its own, and leaves the run's untouched. A
    second encoder with the same data and options takes over the weights of the first.

    It also learns to give every class an equal share of what shows none of them, noise above all, so that a generator
    that makes noise does not score (outlier exposure: Hendrycks, Mazeika and Dietterich 2019, arXiv:1812.04606).

    Attributes:
        name: Such as ``classifier-8x8``.
        accuracy: The share of held-out images whose class it finds; NaN where the data hold nothing out.

    Args:
        data: Labelled images.
        steps: Training steps, of 64 images each, and 24 that show no class.
        width: Channels of the first layer.
        seed: Of weights, order and shifts.
        labelled: Labelled images of the same size to learn from, for a run whose own data have no labels.
    """

    def __init__(
        self, data: Data, steps: int = 800, width: int = 32, seed: int = 0, labelled: Data | None = None
    ) -> None:
        super().__init__()
        data = data if labelled is None else labelled
        channels, height, pixel_width = image_shape(data.space, "image/classifier")
        classes = classes_of(data.conditions, "image/classifier")
        if classes < 2:
            raise DataError(
                f"image/classifier learns to tell classes apart, and these data have {classes or 'no labels'}",
                remedy="use labelled data, name some by its option `labelled`, or use image/random-features",
            )
        self.name = f"classifier-{height}x{pixel_width}"
        with set_apart(seed):
            self.layers = convolutions(channels, height, pixel_width, width)
            self.head = nn.Linear(FEATURES, classes)
            key = ("image/classifier", steps, width, seed)
            weights, self.accuracy = remembered(data, key, lambda: self._learn(data, steps, seed))
            self.load_state_dict(weights)
        self.eval().requires_grad_(False)

    def forward(self, sample: Tensor) -> Tensor:
        """Map ``(B, C, H, W)`` in [-1, 1] to the activations before the class logits, ``(B, 64)``."""
        self.to(sample.device)
        features_BF: Tensor = self.layers(sample.float())
        return features_BF

    def probabilities(self, sample: Tensor) -> Tensor:
        """Map ``(B, C, H, W)`` in [-1, 1] to the probability of each class, ``(B, K)``."""
        probabilities_BK: Tensor = self.head(self(sample)).softmax(dim=1)
        return probabilities_BK

    def feature_maps(self, sample: Tensor) -> list[Tensor]:
        """Map ``(B, C, H, W)`` in [-1, 1] to the activations of each convolution, ``(B, F, h, w)``."""
        self.to(sample.device)
        maps = []
        hidden_BFHW = sample.float()
        for layer in self.layers:
            if isinstance(layer, nn.Flatten):
                break
            hidden_BFHW = layer(hidden_BFHW)
            if isinstance(layer, nn.ReLU):
                maps.append(hidden_BFHW)
        return maps

    def _logits(self, sample: Tensor) -> Tensor:
        logits_BK: Tensor = self.head(self.layers(sample))
        return logits_BK

    def _learn(self, data: Data, steps: int, seed: int) -> tuple[dict[str, Tensor], float]:
        draw = torch.Generator().manual_seed(seed)
        shown = (
            (shifted(batch.sample.float(), draw), batch.condition["label"])
            for batch in batches(data.split("train"), draw)
        )
        learn(self, self._logits, shown, steps, unlike=lambda sample: _unlike(sample, draw))
        weights = {name: value.detach().clone() for name, value in self.state_dict().items()}
        return weights, held_out_accuracy(self, self._logits, data)


class RandomFeatures(Encoder):
    """Fixed random convolutions, for images without labels.

    Random networks see texture, colour and layout at several scales, and favour no data set; distances over them
    rank models of one data set (Naeem et al. 2020, "Reliable Fidelity and Diversity Metrics for Generative Models",
    arXiv:2002.09797). Their scale is their own: compare only figures of the same encoder name.

    Args:
        space: The images' space: ``(C, H, W)`` in [-1, 1].
        width: Channels of the first of three layers; the later two have twice as many.
        seed: Of the weights, and part of the name.
    """

    def __init__(self, space: Space, width: int = 16, seed: int = 0) -> None:
        super().__init__()
        channels, height, pixel_width = image_shape(space, "image/random-features")
        self.name = f"random-features-{height}x{pixel_width}-seed{seed}"
        self.layers = nn.ModuleList()
        with set_apart(seed):
            for wider in (width, 2 * width, 2 * width):
                convolution = nn.Conv2d(channels, wider, kernel_size=3, stride=2, padding=1)
                nn.init.orthogonal_(convolution.weight, gain=math.sqrt(2))  # sqrt(2) keeps the scale through ReLU
                assert convolution.bias is not None
                nn.init.uniform_(convolution.bias, -0.5, 0.5)
                self.layers.append(convolution)
                channels = wider
        self.eval().requires_grad_(False)

    def forward(self, sample: Tensor) -> Tensor:
        """Map ``(B, C, H, W)`` in [-1, 1] to each layer's mean and spread over the picture, ``(B, 10 × width)``."""
        features = []
        for hidden_BCHW in self.feature_maps(sample):
            features += [hidden_BCHW.mean((2, 3)), hidden_BCHW.var((2, 3), correction=0).sqrt()]
        return torch.cat(features, dim=1)

    def feature_maps(self, sample: Tensor) -> list[Tensor]:
        """Map ``(B, C, H, W)`` in [-1, 1] to each layer's activations, ``(B, width or twice that, h, w)``."""
        self.to(sample.device)
        maps = []
        hidden_BCHW = sample.float()
        for layer in self.layers:
            hidden_BCHW = layer(hidden_BCHW).relu()
            maps.append(hidden_BCHW)
        return maps


def convolutions(channels: int, height: int, pixel_width: int, width: int) -> nn.Sequential:
    """Return convolutions that end in features: ``(B, C, H, W)`` -> ``(B, FEATURES)``."""
    layers = nn.Sequential()
    stride = 1 if max(height, pixel_width) <= SMALL else 2  # large pictures would be slow at full size
    wider = width
    while True:
        layers.append(nn.Conv2d(channels, wider, kernel_size=3, stride=stride, padding=1, bias=False))
        layers.append(nn.BatchNorm2d(wider))
        layers.append(nn.ReLU())
        height, pixel_width = -(-height // stride), -(-pixel_width // stride)
        if min(height, pixel_width) <= LAST_SIDE and len(layers) > 3:
            break
        channels, wider, stride = wider, min(2 * wider, 4 * width), 2
    layers.extend([nn.Flatten(), nn.Dropout(DROPOUT), nn.Linear(wider * height * pixel_width, FEATURES), nn.ReLU()])
    return layers


def shifted(sample_BCHW: Tensor, draw: torch.Generator) -> Tensor:
    """Shift a batch by up to an eighth of its size, the same for all rows, with its own edge repeated."""
    height, width = sample_BCHW.shape[2:]
    most_y, most_x = height // 8, width // 8
    padded_BCHW = F.pad(sample_BCHW, (most_x, most_x, most_y, most_y), mode="replicate")
    top = int(torch.randint(2 * most_y + 1, (), generator=draw))
    left = int(torch.randint(2 * most_x + 1, (), generator=draw))
    return padded_BCHW[:, :, top : top + height, left : left + width]


def _unlike(sample_BCHW: Tensor, draw: torch.Generator) -> Tensor:
    """Make three eighths of a batch that show no class: noise, pixels in another order, and even grey."""
    eighth = max(1, len(sample_BCHW) // 8)
    first_BCHW, second_BCHW, third_BCHW = (sample_BCHW[index * eighth : (index + 1) * eighth] for index in range(3))
    noise_BCHW = torch.rand(first_BCHW.shape, generator=draw) * 2 - 1
    order = torch.randperm(second_BCHW[0, 0].numel(), generator=draw)
    shuffled_BCHW = second_BCHW.flatten(2)[:, :, order].view_as(second_BCHW)
    grey_BCHW = (torch.rand(len(third_BCHW), 1, 1, 1, generator=draw) * 2 - 1).expand_as(third_BCHW)
    return torch.cat([noise_BCHW, shuffled_BCHW, grey_BCHW])
