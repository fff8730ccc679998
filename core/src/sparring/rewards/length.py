"""A reward for sequences of a wanted length."""

from __future__ import annotations

from torch import Tensor

from sparring.errors import TrainingError
from sparring.interfaces.data import Batch


class Length:
    """1 at the target length, falling linearly to 0 at no length at all and at twice the target.

    Args:
        target: The wanted length in positions (tokens, frames), at least 1.
    """

    def __init__(self, target: int) -> None:
        if target < 1:
            raise ValueError(f"target must be at least 1, not {target}")
        self.target = target

    def __call__(self, samples: Batch, reference: Batch | None) -> Tensor:
        """Return ``(B,)`` in [0, 1]."""
        if samples.lengths is None:
            raise TrainingError(
                "the reward length needs samples with lengths, and the generator gives none",
                remedy="use it with a generator of sequences, which returns Generated(sample, lengths)",
            )
        distance = (samples.lengths.float() - self.target).abs()
        return (1 - distance / self.target).clamp_min(0)
