"""Pretrained networks inside other networks: used, never trained, and not written into checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)


class Frozen(nn.Module, Generic[Network]):
    """Hold a pretrained network that nothing trains: it follows to other devices, and stays out of checkpoints.

    Its weights are neither parameters nor buffers of the module that holds it, so that no optimiser, average or
    checkpoint sees them. In their place a checkpoint has their hash, and one that was made with other weights is
    refused.

    Args:
        network: The network, put into evaluation mode. What else depends on a mode should not be in it.
        sha256: The hash of the file that its weights came from, in hexadecimal.
    """

    fingerprint: Tensor

    def __init__(self, network: Network, sha256: str) -> None:
        super().__init__()
        # Within a tuple the network is no part of this module.
        self._held: tuple[Network] = (network.eval().requires_grad_(False),)
        self.register_buffer("fingerprint", torch.tensor(list(bytes.fromhex(sha256)), dtype=torch.uint8))

    @property
    def network(self) -> Network:
        """The network that is held."""
        return self._held[0]

    def forward(self, *inputs: Any) -> Any:
        """Call the network."""
        return self.network(*inputs)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Frozen[Network]:
        """Take the network along to another device or type."""
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self.network._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, metadata: Any, strict: bool, *problems: list[str]
    ) -> None:
        saved = state_dict.get(f"{prefix}fingerprint")
        if isinstance(saved, Tensor) and not torch.equal(saved.cpu(), self.fingerprint.cpu()):
            problems[-1].append(
                f"\tthey were trained beside pretrained weights of SHA-256 {_hexadecimal(saved)}, and these are "
                f"{_hexadecimal(self.fingerprint)}"
            )
            return
        super()._load_from_state_dict(state_dict, prefix, metadata, strict, *problems)


def _hexadecimal(fingerprint: Tensor) -> str:
    return bytes(fingerprint.tolist()).hex()
