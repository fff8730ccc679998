"""A network as it was when a stage began, for what holds the network that learns near to it."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Generic, TypeVar

from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)


class FirstCopy(Generic[Network]):
    """Copies a network when it is first seen, without gradients. Its weights go into checkpoints.

    After a checkpoint was loaded, the network that is seen next lends its structure alone.
    """

    def __init__(self) -> None:
        self._copy: Network | None = None
        self._saved: Mapping[str, Tensor] = {}

    def of(self, network: Network) -> Network:
        """Return the network as it was; in the mode that it was left in."""
        if self._copy is None:
            self._copy = copy.deepcopy(network).requires_grad_(False)
            if self._saved:
                self._copy.load_state_dict(self._saved)
        return self._copy

    def state_dict(self) -> dict[str, Tensor]:
        """Return the weights, on the CPU; none before a network was seen."""
        if self._copy is None:
            return dict(self._saved)
        return {name: value.detach().cpu().clone() for name, value in self._copy.state_dict().items()}

    def load_state_dict(self, weights: Mapping[str, Tensor]) -> None:
        """Return to weights; the copy is made when a network is next seen."""
        self._saved, self._copy = dict(weights), None
