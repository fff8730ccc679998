"""Weights that were published for DCGAN's generator, brought into this plugin's.

The names are those of PyTorch's tutorial, which many projects kept: ``main.0`` is a transposed convolution of the
latent vector, then come batch norms and transposed convolutions in turn, and at the end one that makes the picture.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from sparring.errors import CheckpointError
from sparring.training.checkpoint import write_weights
from sparring.transfer.source import read_source
from sparring_image.networks.dcgan import DCGANGenerator

STRIDE = 3  # places in the published sequence that a layer takes: convolution, batch norm, activation


def convert_published(
    file: Path | str, network: DCGANGenerator, target: Path | str, *, entry: str | None = None
) -> None:
    """Write published weights as a file that a recipe reads: ``init: {from: TARGET}``.

    Args:
        file: A file of tensors that torch saved, or of safetensors; nothing else is read from it.
        network: The network that they are for, as the recipe builds it, with ``start: 4``; it is changed.
        target: A file that ends in ``.safetensors``.
        entry: Which entry of torch's file holds the generator, where it holds several.

    Raises:
        CheckpointError: The file cannot be read, or its weights do not fit.
    """
    load_published(network, read_source(str(file), "generator", entry, where=str(file)).tensors)
    write_weights(network, Path(target))


def load_published(network: DCGANGenerator, theirs: Mapping[str, Tensor]) -> None:
    """Load published weights into a network, in place.

    Raises:
        CheckpointError: They do not fit; the message names what is missing, left over or of another shape.
    """
    ours = network.state_dict()
    found = {_renamed(name, len(network.blocks)): value for name, value in theirs.items()}
    first = found.get("project.weight")
    if first is not None:
        # (L, C, H, W) -> (C · H · W, L): the first layer sees a single place, so that it is a linear one.
        found["project.weight"] = first.flatten(1).T.contiguous()
    # The tutorial's last layer has no bias.
    found.setdefault("to_picture.0.bias", torch.zeros_like(ours["to_picture.0.bias"]))
    wrong = sorted(
        name
        for name in {*ours, *found}
        if name not in ours or name not in found or ours[name].shape != found[name].shape
    )
    if wrong:
        raise CheckpointError(
            f"the published weights do not fit this DCGAN: {len(wrong)} tensors are missing, left over or of another "
            f"shape ({', '.join(wrong[:3])})",
            remedy="build it with `start: 4`, no labels, and the `latent_dim` and `width` that were published",
        )
    network.load_state_dict(found)


def _renamed(name: str, blocks: int) -> str:
    match = re.fullmatch(r"main\.(\d+)\.(\w+)", name)
    if match is None:
        return name
    layer, part = divmod(int(match[1]), STRIDE)
    if layer == 0:
        return f"project.{match[2]}" if part == 0 else f"first.{part - 1}.{match[2]}"
    return f"blocks.{layer - 1}.{part}.{match[2]}" if layer <= blocks else f"to_picture.{part}.{match[2]}"
