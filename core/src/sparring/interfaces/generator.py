"""Generators: from noise and a condition to samples."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from sparring.errors import TrainingError
from sparring.interfaces.data import Condition
from sparring.interfaces.space import Space


class Generated(NamedTuple):
    """What a generator made.

    Attributes:
        sample: ``(B, *space.shape)``.
        lengths: ``(B,)`` for sequences of varying length.
        extras: Anything that terms need: style vectors, sampled codes, ``log_probs`` ``(B, T)``, durations.
    """

    sample: Tensor
    lengths: Tensor | None = None
    extras: Mapping[str, Tensor] = {}


class Generator(nn.Module, ABC):
    """Make samples from a latent vector, a condition, or both.

    Attributes:
        latent_shape: The shape of one latent, or None for a generator that its condition alone drives
            (a vocoder, a translator).
        codes: What a sample can be asked for beside the data's conditions, each code's space by its name; the
            generator draws what it is not given, and says what it was in ``Generated.extras`` under the same name.
    """

    latent_shape: tuple[int, ...] | None = None
    codes: Mapping[str, Space] = {}

    def latent(self, n: int, *, rng: torch.Generator) -> Tensor | None:
        """Draw ``(n, *latent_shape)`` from the standard normal distribution, on the generator's device."""
        if self.latent_shape is None:
            return None
        return torch.randn(n, *self.latent_shape, generator=rng, device=rng.device)

    @abstractmethod
    def forward(self, latent: Tensor | None, condition: Condition) -> Generated | Tensor:
        """Make ``(B, *space.shape)`` from ``(B, *latent_shape)`` and conditions of B rows."""


class SequenceGenerator(Generator):
    """A generator of token sequences with a likelihood. ``n`` rows are the rows of the condition.

    Token 0 is padding. ``lengths`` count the token that ends a sequence, where there is one.
    """

    @abstractmethod
    def log_prob(self, tokens: Tensor, condition: Condition, lengths: Tensor | None = None) -> Tensor:
        """Return each token's log-probability given those before it: ``(B, T)`` -> ``(B, T)``, zero past the end."""

    def log_distribution(self, tokens: Tensor, condition: Condition) -> Tensor:
        """Return every token's log-probability at each position, given those before: ``(B, T)`` -> ``(B, T, V)``.

        Training asks only for ``log_prob``. This is for what needs the whole distribution: likelihoods at another
        temperature, entropies, divergences from another generator. A generator may leave it out.

        Raises:
            TrainingError: The generator leaves it out.
        """
        raise TrainingError(
            f"{type(self).__name__} gives the log-probability of chosen tokens alone",
            where="log_distribution",
            remedy="use a generator that has this method, or a metric that does not need it",
        )

    @abstractmethod
    def sample(
        self,
        n: int,
        condition: Condition,
        *,
        rng: torch.Generator,
        prefix: Tensor | None = None,
        max_length: int | None = None,
        temperature: float = 1.0,
    ) -> Generated:
        """Draw ``(n, T)`` tokens, with ``lengths`` ``(n,)`` and ``extras["log_probs"]`` ``(n, T)``, 0 where given."""

    @abstractmethod
    def relax(self, n: int, condition: Condition, *, temperature: float, rng: torch.Generator) -> Generated:
        """Draw differentiable sequences ``(n, T, V)``; past the end each row is one-hot padding."""


def lift_generated(made: Generated | Tensor) -> Generated:
    """Return a ``Generated``, whichever of the two a generator returned."""
    if isinstance(made, Generated):
        return made
    if isinstance(made, Tensor):
        return Generated(made)
    raise TrainingError(
        f"a generator returned {type(made).__name__}, not a Tensor or a Generated",
        remedy="return the samples, or sparring.Generated(sample, lengths, extras)",
    )
