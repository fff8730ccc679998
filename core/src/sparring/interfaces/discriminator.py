"""Discriminators: from samples to a critique."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import NamedTuple

from torch import Tensor, nn

from sparring.errors import TrainingError
from sparring.interfaces.data import Condition
from sparring.interfaces.space import Space


class Critique(NamedTuple):
    """A discriminator's opinion of a batch.

    Attributes:
        logits: One tensor for each scale or period, ``(B,)`` or ``(B, …)``; higher is more real.
        features: For each scale, its intermediate activations ``(B, …)``, for feature matching.
        outputs: Further heads: class logits ``(B, K)``, code posteriors, a predicted metric ``(B,)``.
    """

    logits: tuple[Tensor, ...]
    features: tuple[tuple[Tensor, ...], ...] = ()
    outputs: Mapping[str, Tensor] = {}


class Discriminator(nn.Module, ABC):
    """Tell real samples from generated ones.

    Attributes:
        packing: How many consecutive samples are judged together (PacGAN). All that it returns has then B / packing
            rows in the place of B.
    """

    packing: int = 1

    @abstractmethod
    def forward(self, sample: Tensor, condition: Condition, lengths: Tensor | None = None) -> Critique | Tensor:
        """Judge ``(B, *space.shape)``: a critique, or logits ``(B,)`` or ``(B, …)`` alone."""

    def as_reward(
        self, space: Space, *, conditions: Mapping[str, Space] | None = None, prompts: bool = False
    ) -> Callable[..., list[float]]:
        """Return a reward function for TRL's trainers: ``reward(prompts, completions, **columns) -> list[float]``.

        A critic of tokens gives each completion the probability σ(D) that it is real; 0 to one that is longer than the
        space. It is put into evaluation mode meanwhile, and learns nothing.

        Args:
            space: Turns a completion into what the critic judges: that of its run, ``sparring.load(run).space``.
            conditions: The spaces of the critic's conditions, each read from the dataset's column of its name.
            prompts: Whether the critic reads the prompt and the completion as one text, rather than the latter alone.
        """
        from sparring.rewards.completions import completion_reward

        return completion_reward(self, space, conditions or {}, prompts)


def lift_critique(opinion: Critique | Tensor) -> Critique:
    """Return a ``Critique``, whichever of the two a discriminator returned."""
    if isinstance(opinion, Critique):
        return opinion
    if isinstance(opinion, Tensor):
        return Critique((opinion,))
    raise TrainingError(
        f"a discriminator returned {type(opinion).__name__}, not a Tensor or a Critique",
        remedy="return the logits, or sparring.Critique(logits, features, outputs)",
    )
