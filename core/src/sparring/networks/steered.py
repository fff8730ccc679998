"""A policy over the latents of a generator that stays as it is.

Letters in names of tensors: B rows of the batch, Z numbers of a latent, C numbers of the condition, W width.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from sparring.errors import SparringError
from sparring.interfaces.data import Condition
from sparring.interfaces.generator import Generated, Generator, SequenceGenerator, lift_generated
from sparring.interfaces.space import Space
from sparring.spaces.label import LabelSpace


class SteeredGenerator(Generator):
    """Let a policy choose the latents of a frozen generator, of any domain.

    The policy is Gaussian: from noise w of N(0, 1) and the class asked for, a small network gives the mean and the
    deviation of each number of the latent. It begins as N(kept · w, 1 − kept²), so that at first samples are those of
    the generator, and its divergence from that beginning, which the term ``latent-kl`` gives, bounds how far latents
    have gone from N(0, 1). With ``kept: 0`` it is a Gaussian by class; the more is kept, the more the policy knows of
    the latent that it may improve, and the less it tries by chance.

    The generator takes no part in training, and is in evaluation mode. It begins as a run left it by
    ``init: {from: RUN, rename: {"": generator}, strict: false}``.

    The latent here is w and the chance, ``(2, *shape)``; ``extras`` hold the policy's choice, ``latent``, and its
    ``latent_mean`` and ``latent_log_deviation``.

    Args:
        generator: Any generator with a latent.
        conditions: Of the data; classes are told to the policy.
        kept: The share of w that the policy begins with, in [0, 1).
        width: Units of the policy's two layers.
    """

    def __init__(
        self, generator: Generator, conditions: Mapping[str, Space], kept: float = 0.9, width: int = 128
    ) -> None:
        super().__init__()
        shape = generator.latent_shape
        if shape is None or isinstance(generator, SequenceGenerator):
            raise SparringError(
                f"steered needs a generator with a latent, and {type(generator).__name__} has none",
                remedy="use a generator that makes samples from noise",
            )
        if not 0 <= kept < 1:
            raise ValueError(f"kept is {kept}, and must be in [0, 1)")
        self.generator, self.codes, self.kept = generator.eval().requires_grad_(False), generator.codes, kept
        self.inner_shape, self.latent_shape = shape, (2, *shape)
        self.classes = {name: len(space.classes) for name, space in conditions.items() if isinstance(space, LabelSpace)}
        size = math.prod(shape)
        self.policy = nn.Sequential(
            nn.Linear(size + sum(self.classes.values()), width), nn.Tanh(), nn.Linear(width, width), nn.Tanh()
        )
        self.change = nn.Linear(width, 2 * size)
        nn.init.zeros_(self.change.weight)
        nn.init.zeros_(self.change.bias)

    def latent(self, n: int, *, rng: torch.Generator) -> Tensor:
        """Draw ``(n, 2, *shape)``: what the generator itself draws, and the chance of the policy."""
        drawn = self.generator.latent(n, rng=rng)
        assert drawn is not None
        return torch.stack([drawn, torch.randn(drawn.shape, generator=rng, device=rng.device)], dim=1)

    def forward(self, latent: Tensor | None, condition: Condition) -> Generated:
        """Map ``(B, 2, *shape)`` to what the generator makes of the policy's choice."""
        if latent is None:
            raise SparringError("the generator steered needs a latent", remedy="draw one with latent(n, rng=rng)")
        start_BZ, chance_BZ = latent.flatten(2).unbind(1)
        mean_BZ, log_deviation_BZ = self.choose(start_BZ, condition)
        chosen_BZ = mean_BZ + log_deviation_BZ.exp() * chance_BZ
        made = lift_generated(self.generator(chosen_BZ.view(-1, *self.inner_shape), condition))
        policy = {"latent": chosen_BZ, "latent_mean": mean_BZ, "latent_log_deviation": log_deviation_BZ}
        return made._replace(extras={**made.extras, **policy})

    def choose(self, start_BZ: Tensor, condition: Condition) -> tuple[Tensor, Tensor]:
        """Return the mean and the logarithm of the deviation of each number of the latent, ``(B, Z)`` both."""
        asked = [one_hot(condition[name].long(), count).to(start_BZ) for name, count in self.classes.items()]
        shift_BZ, stretch_BZ = self.change(self.policy(torch.cat([start_BZ, *asked], dim=1))).chunk(2, dim=1)
        return self.kept * start_BZ + shift_BZ, stretch_BZ + 0.5 * math.log(1 - self.kept**2)

    def divergence(self, start_BZ: Tensor, mean_BZ: Tensor, log_deviation_BZ: Tensor) -> Tensor:
        """Return the policy's divergence from where it began, in nats, ``(B,)``."""
        variance = 1 - self.kept**2
        distance_BZ = (mean_BZ - self.kept * start_BZ).square() / variance
        log_ratio_BZ = 2 * log_deviation_BZ - math.log(variance)
        return 0.5 * (distance_BZ + log_ratio_BZ.exp() - 1 - log_ratio_BZ).sum(1)

    def train(self, mode: bool = True) -> SteeredGenerator:
        """Set the mode of the policy; the generator stays in evaluation mode."""
        super().train(mode)
        self.generator.eval()
        return self
