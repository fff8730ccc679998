"""What image networks are driven by: latents, and class labels in the ways of the literature.

Letters in names of tensors: B rows of the batch, L latent values, E values of a label's embedding, C channels,
H rows and W columns of pixels, F features, M rows after packing (B / packing).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn

from sparring.errors import TrainingError
from sparring.interfaces.data import Condition
from sparring.interfaces.space import Space
from sparring_image.networks.sizes import classes_of

GeneratorLabel = Literal["concatenation", "batch-norm"]
CriticLabel = Literal["projection", "concatenation", "none"]


def label_of(condition: Condition, network: str) -> Tensor:
    """Return the labels ``(B,)`` of a condition.

    Raises:
        TrainingError: There are none.
    """
    if "label" not in condition:
        raise TrainingError(
            f"{network} was built for labelled data, and was given no label",
            remedy="pass condition={'label': tensor of B class numbers}",
        )
    return condition["label"]


# ---- generators ----


def latent_of(latent: Tensor | None, network: str) -> Tensor:
    """Return the latent that a generator was given.

    Raises:
        TrainingError: There is none.
    """
    if latent is None:
        raise TrainingError(f"{network} needs a latent", remedy="draw it with `generator.latent(n, rng=…)`")
    return latent


def join_label(latent_BL: Tensor, label_B: Tensor, embedding: nn.Embedding) -> Tensor:
    """Lay a label's embedding beside the latent (Mirza and Osindero 2014): ``(B, L)`` -> ``(B, L + E)``."""
    return torch.cat([latent_BL, embedding(label_B)], dim=1)


class ConditionalBatchNorm(nn.Module):
    """Batch norm whose gain and bias belong to the class (Dumoulin et al. 2017; de Vries et al. 2017).

    Args:
        channels: The feature map's channels.
        classes: How many classes there are.
    """

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        # Parameters rather than nn.Embedding: an initialiser would draw an embedding's gains around 0.
        self.gain = nn.Parameter(torch.ones(classes, channels))
        self.bias = nn.Parameter(torch.zeros(classes, channels))

    def forward(self, hidden_BCHW: Tensor, label_B: Tensor) -> Tensor:
        """Normalise ``(B, C, H, W)``, then scale and shift each row as its class ``(B,)`` asks."""
        normal_BCHW: Tensor = self.norm(hidden_BCHW)
        gain_BC11 = self.gain[label_B][:, :, None, None].to(normal_BCHW.dtype)
        bias_BC11 = self.bias[label_B][:, :, None, None].to(normal_BCHW.dtype)
        return torch.addcmul(bias_BC11, normal_BCHW, gain_BC11)


def batch_norm(channels: int, classes: int) -> nn.Module:
    """Return batch norm: plain where there are no classes, and conditional where there are."""
    return ConditionalBatchNorm(channels, classes) if classes else nn.BatchNorm2d(channels)


def through(layers: nn.Module, hidden_BCHW: Tensor, label_B: Tensor | None) -> Tensor:
    """Pass a feature map through layers, and the labels to those that look at them."""
    for layer in layers.children():
        hidden_BCHW = layer(hidden_BCHW, label_B) if isinstance(layer, ConditionalBatchNorm) else layer(hidden_BCHW)
    return hidden_BCHW


# ---- critics ----


def critic_classes(conditions: Mapping[str, Space], label: CriticLabel, network: str) -> int:
    """Return how many classes a critic is to know of: 0 where there are no labels, or it is not to look at them.

    Raises:
        DataError: There are conditions that the network cannot use.
    """
    classes = classes_of(conditions, network)
    return 0 if label == "none" else classes


def label_embeddings(
    label: CriticLabel, classes: int, *, features: int, pixels: int, packing: int = 1
) -> tuple[nn.Embedding | None, nn.Embedding | None]:
    """Return the embeddings with which a critic looks at labels: of maps for its input, and of its features.

    Args:
        label: The critic's option; one of the two embeddings goes with it, or none.
        classes: How many classes there are; 0 for none.
        features: Size of the features that a projection is taken on.
        pixels: Height times width of a picture.
        packing: How many pictures are judged together.
    """
    if not classes or label == "none":
        return None, None
    if label == "concatenation":
        return nn.Embedding(classes, pixels), None
    # Each place in a pack has its own embeddings: their sum would otherwise not tell whose label is whose.
    return None, nn.Embedding(packing * classes, features)


def join_label_map(sample_BCHW: Tensor, label_B: Tensor, embedding: nn.Embedding) -> Tensor:
    """Lay a learned map of the label over the picture, as one more channel.

    The critic's layers then see both together (Mirza and Osindero 2014, whose critic joins them at its input). Joined
    to the last features instead, a label could only shift the logit, whatever the picture shows.

    Args:
        sample_BCHW: Pictures ``(B, C, H, W)``.
        label_B: Their labels ``(B,)``.
        embedding: One value for each pixel, by class.

    Returns:
        ``(B, C + 1, H, W)``.
    """
    map_B1HW = embedding(label_B).unflatten(1, (1, *sample_BCHW.shape[2:]))
    return torch.cat([sample_BCHW, map_B1HW.to(sample_BCHW.dtype)], dim=1)


def project_label(hidden_MF: Tensor, label_B: Tensor, embedding: nn.Embedding, packing: int = 1) -> Tensor:
    """Say how well features fit their labels: the inner product with the label's embedding (Miyato and Koyama 2018).

    Args:
        hidden_MF: The critic's last features.
        label_B: The labels, ``packing`` for each row of features.
        embedding: F values for each class, and for each place in a pack.
        packing: How many samples were judged together.

    Returns:
        What is to be added to the logits, ``(M,)``.
    """
    if packing > 1:
        classes = embedding.num_embeddings // packing
        first_P = classes * torch.arange(packing, device=label_B.device)
        label_MF = embedding(label_B.reshape(-1, packing) + first_P).sum(1)
    else:
        label_MF = embedding(label_B)
    fit_M: Tensor = (hidden_MF * label_MF).sum(1)
    return fit_M
