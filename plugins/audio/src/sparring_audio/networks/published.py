"""Weights that were published for HiFi-GAN, brought into these networks.

The names are those of the paper's own code and of the many projects that kept them: a file of a generator
(``g_02500000``), a file of its critics (``do_02500000``), or tensors from elsewhere under the same names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from sparring.errors import CheckpointError
from sparring.training.checkpoint import write_weights
from sparring_audio.networks.critics import MultiPeriod, MultiScale
from sparring_audio.networks.hifigan import HiFiGANGenerator

Published = HiFiGANGenerator | MultiPeriod | MultiScale
PARTS: Mapping[type[nn.Module], str] = {HiFiGANGenerator: "generator", MultiPeriod: "mpd", MultiScale: "msd"}
SUFFIX = re.compile(r"\.(weight(_g|_v|_orig|_u)?|bias)$")


def convert_published(file: Path | str, network: Published, target: Path | str) -> None:
    """Write published weights as a file that a recipe reads: ``init: {from: TARGET}``.

    Args:
        file: A file of PyTorch's; nothing but tensors is read from it.
        network: The network that they are for, as the recipe builds it; it is changed.
        target: A file that ends in ``.safetensors``.

    Raises:
        CheckpointError: The file cannot be read, or its weights do not fit.
    """
    path = Path(file)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as cause:  # a damaged or foreign file fails in many ways
        raise CheckpointError(
            f"the weights cannot be read: {cause}", where=str(path), remedy="name a file of tensors, saved by torch"
        ) from cause
    load_published(network, state)
    write_weights(network, Path(target))


def load_published(network: Published, state: Mapping[str, Any]) -> None:
    """Load published weights into a network, in place.

    Args:
        network: The network; its weight norm may be folded or not, and so may the published one's.
        state: Tensors by their published names; or such mappings by the names of their parts: ``generator``, ``mpd``,
            ``msd``.

    Raises:
        CheckpointError: They do not fit; the message names what is missing, left over or of another shape.
    """
    part = PARTS[type(network)]
    theirs: Mapping[str, Tensor] = state[part] if isinstance(state.get(part), Mapping) else state
    translate = _generator_name if isinstance(network, HiFiGANGenerator) else _critic_name
    layers: dict[str, dict[str, Tensor]] = {}
    for name, value in theirs.items():
        match = SUFFIX.search(name)
        module = translate(name[: match.start()], network) if match else None
        if match is None or module is None:
            layers.setdefault(f"?{name}", {})
        else:
            layers.setdefault(module, {})[match[1]] = value
    modules = dict(_layers(network))
    surplus, missing = sorted(set(layers) - set(modules)), sorted(set(modules) - set(layers))
    if surplus or missing:
        raise CheckpointError(
            f"the published weights do not fit {type(network).__name__}: {len(missing)} layers are missing "
            f"({', '.join(missing[:3]) or 'none'}) and {len(surplus)} have no place "
            f"({', '.join(name.removeprefix('?') for name in surplus[:3]) or 'none'})",
            remedy="build the network with the same `version`, `width` and `rates`, or `periods`",
        )
    with torch.no_grad():
        for name, layer in modules.items():
            _fill(layer, layers[name], name)


def _layers(network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    for name, module in network.named_modules():
        if isinstance(module, (nn.Conv1d, nn.Conv2d, nn.ConvTranspose1d)):
            yield name, module


def _generator_name(name: str, network: nn.Module) -> str | None:
    """Translate a layer's name: ``resblocks.4.convs1.2`` is the second of three blocks behind the second upsampling."""
    fixed = {"conv_pre": "first", "conv_post": "last"}
    if name in fixed:
        return fixed[name]
    if match := re.fullmatch(r"ups\.(\d+)", name):
        return f"upsamplings.{match[1]}"
    match = re.fullmatch(r"resblocks\.(\d+)\.(convs|convs1|convs2)\.(\d+)", name)
    assert isinstance(network, HiFiGANGenerator)
    first = network.blocks[0]
    assert isinstance(first, nn.ModuleList)
    if match is None:
        return None
    stage, block = divmod(int(match[1]), len(first))
    return f"blocks.{stage}.{block}.{'plain' if match[2] == 'convs2' else 'dilated'}.{match[3]}"


def _critic_name(name: str, network: nn.Module) -> str | None:
    if match := re.fullmatch(r"discriminators\.(\d+)\.convs\.(\d+)", name):
        return f"critics.{match[1]}.layers.{match[2]}"
    match = re.fullmatch(r"discriminators\.(\d+)\.conv_post", name)
    return None if match is None else f"critics.{match[1]}.last"


def _fill(module: nn.Module, theirs: Mapping[str, Tensor], name: str) -> None:
    parameters = dict(module.named_parameters())
    bias = module.bias
    if isinstance(bias, Tensor):
        # VITS has no bias in its decoder's last layer.
        bias.copy_(_checked(theirs.get("bias", torch.zeros_like(bias)), bias, f"{name}.bias"))
    weight = module.weight
    assert isinstance(weight, Tensor)
    prefix = "parametrizations.weight"
    if "weight_orig" in theirs:  # spectral norm, whose vectors have to come along
        if not parametrize.is_parametrized(module):
            raise CheckpointError(f"{name} has spectral norm there and none here", remedy="use the same network")
        buffers = dict(module.named_buffers())
        pairs = {f"{prefix}.original": "weight_orig", f"{prefix}.0._u": "weight_u", f"{prefix}.0._v": "weight_v"}
        for ours, published in pairs.items():
            place = parameters.get(ours, buffers.get(ours))
            assert place is not None
            place.copy_(_checked(theirs[published], place, f"{name}.{published}"))
    elif "weight_g" in theirs and f"{prefix}.original1" in parameters:
        parameters[f"{prefix}.original0"].copy_(theirs["weight_g"])
        place = parameters[f"{prefix}.original1"]
        place.copy_(_checked(theirs["weight_v"], place, f"{name}.weight_v"))
    else:
        plain = theirs["weight"] if "weight" in theirs else _folded(theirs["weight_v"], theirs["weight_g"])
        value = _checked(plain, weight, f"{name}.weight")
        if parametrize.is_parametrized(module):
            module.weight = value  # weight norm splits it into length and direction
        else:
            weight.copy_(value)


def _folded(direction: Tensor, length: Tensor) -> Tensor:
    """Return the weight under weight norm; its first dimension is kept apart (Salimans and Kingma 2016)."""
    norm: Tensor = torch.linalg.vector_norm(direction, dim=tuple(range(1, direction.dim())), keepdim=True)
    return direction * (length / norm)


def _checked(value: Tensor, place: Tensor, name: str) -> Tensor:
    if value.shape != place.shape:
        raise CheckpointError(
            f"the published {name} has the shape {tuple(value.shape)}, and the network's {tuple(place.shape)}",
            remedy="build the network with the same `version`, `width` and `rates`, and the same number of mel bands",
        )
    return value.to(place)
