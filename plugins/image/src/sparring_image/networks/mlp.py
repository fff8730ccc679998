"""The GAN of 2014: fully connected layers, for pictures (Goodfellow et al. 2014, arXiv:1406.2661)."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from sparring.interfaces.data import Condition
from sparring.interfaces.generator import Generator
from sparring.interfaces.space import Space
from sparring.networks import mlp
from sparring_image.networks.sizes import image_shape


class MLPGenerator(Generator):
    """Make pictures by fully connected layers: the core's ``mlp``, with tanh at the end.

    Pixels live in [-1, 1], and half of those of a handwritten digit are exactly -1. The core's ``mlp`` has no bounds:
    trained on scikit-learn's digits for 3,000 steps of 64, it set a fifth of the pixels outside that range, and next to
    none to -1, by which a critic can tell its samples whatever they show. The paper's own generator of digits ends on
    a sigmoid, which is tanh by another scale.

    Args:
        space: The pictures' space: ``(C, H, W)`` in [-1, 1].
        conditions: The data's conditions; ``label`` is embedded and joined to the latent (Mirza and Osindero 2014).
        latent_dim: Length of the latent vector; the paper has 100.
        width: The hidden layers' size.
        depth: How many hidden layers there are.
    """

    def __init__(
        self,
        space: Space,
        conditions: Mapping[str, Space],
        latent_dim: int = 64,
        width: int = 128,
        depth: int = 3,
    ) -> None:
        super().__init__()
        image_shape(space, "image/mlp")
        self.network = mlp.MLPGenerator(space, conditions, latent_dim, width, depth)
        self.latent_shape = self.network.latent_shape

    def forward(self, latent: Tensor | None, condition: Condition) -> Tensor:
        """Make ``(B, C, H, W)`` in [-1, 1] from ``(B, latent_dim)`` and, where there are labels, ``label`` ``(B,)``."""
        picture: Tensor = self.network(latent, condition)
        return picture.tanh()
