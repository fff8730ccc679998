"""Scaling out over processes: ``torchrun`` starts them, ``torch.distributed`` joins them.

There is no wrapper around the networks: GANs with lazy penalties break it. Instead, each update's gradients go through
one flat all-reduce, which costs the overlap of communication with the backward pass and buys a loop that reads the
same with one process and with many.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn

from sparring.errors import SparringError
from sparring.interfaces.context import Rows


@dataclass(frozen=True)
class Parallel:
    """This process's place among those that train together.

    Attributes:
        rank: Its number, from 0; rank 0 alone writes files and runs callbacks.
        world: How many there are.
        device: Where its networks live.
    """

    rank: int
    world: int
    device: torch.device

    @staticmethod
    def start(device: str = "auto") -> Parallel:
        """Join the other processes where ``torchrun`` has started any, and choose the device."""
        world, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
        chosen = _choose_device(device, int(os.environ.get("LOCAL_RANK", "0")))
        if world > 1 and not dist.is_initialized():
            if chosen.type == "cuda":
                torch.cuda.set_device(chosen)
            dist.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
        return Parallel(rank, world, chosen)

    @property
    def main(self) -> bool:
        """Whether this process writes files and runs callbacks."""
        return self.rank == 0

    def parts(self, batch: int, accumulate: int, *, where: str) -> list[Rows]:
        """Cut a global batch into this process's parts, one for each accumulated backward pass."""
        if batch % (self.world * accumulate):
            raise SparringError(
                f"a batch of {batch} rows cannot be cut into {self.world} processes of {accumulate} parts",
                where=where,
                remedy=f"make it a multiple of {self.world * accumulate}",
            )
        size = batch // (self.world * accumulate)
        first = self.rank * accumulate
        return [Rows(batch, (first + part) * size, (first + part + 1) * size) for part in range(accumulate)]

    def broadcast(self, networks: Iterable[nn.Module]) -> None:
        """Give every process rank 0's parameters and buffers."""
        if self.world == 1:
            return
        with torch.no_grad():
            for network in networks:
                for tensor in [*network.parameters(), *network.buffers()]:
                    dist.broadcast(tensor, 0)

    def average_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Replace each gradient by its mean over processes, through one flat all-reduce.

        A gradient that one process lacks counts as zero there, so that no process waits for ever; a parameter for
        which all lack it keeps none, as it would in a single process.
        """
        if self.world == 1 or not parameters:
            return
        present = torch.tensor([float(parameter.grad is not None) for parameter in parameters], device=self.device)
        pieces = [
            (torch.zeros_like(parameter) if parameter.grad is None else parameter.grad).reshape(-1)
            for parameter in parameters
        ]
        flat = torch.cat([*pieces, present])
        dist.all_reduce(flat)
        *averaged, counts = torch.split(flat, [*(piece.numel() for piece in pieces), len(parameters)])
        for parameter, gradient, count in zip(parameters, averaged, counts.tolist(), strict=True):
            if count:
                parameter.grad = gradient.view_as(parameter).div_(self.world)

    def average(self, value: Tensor) -> Tensor:
        """Return a tensor's mean over processes; a value that is not finite anywhere spreads everywhere."""
        if self.world == 1:
            return value
        total = value.detach().clone()
        dist.all_reduce(total)
        return total / self.world

    def any(self, flag: bool) -> bool:
        """Tell every process whether any of them says so."""
        if self.world == 1:
            return flag
        said = torch.tensor([float(flag)], device=self.device)
        dist.all_reduce(said)
        return bool(said.item())

    def wait(self) -> None:
        """Wait until every process is here."""
        if self.world > 1:
            dist.barrier()


def with_shared_batch_norm(networks: Mapping[str, nn.Module]) -> dict[str, nn.Module]:
    """Return the networks with batch normalisation that shares its statistics over processes."""
    convert = nn.SyncBatchNorm.convert_sync_batchnorm
    return {role: convert(network) for role, network in networks.items()}  # type: ignore[no-untyped-call]


def _choose_device(name: str, local_rank: int) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as cause:
        raise SparringError(f"'{name}' is not a device", where="device", remedy="use cpu, cuda or auto") from cause
    if device.type == "cuda" and not torch.cuda.is_available():
        raise SparringError("this machine, or this build of torch, has no GPU", where="device", remedy="use device=cpu")
    return torch.device("cuda", local_rank) if name == "cuda" else device
