"""LoRA: small matrices that learn beside a network's frozen weights, by the library peft."""

from __future__ import annotations

import copy
import hashlib
import re
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from sparring.errors import CheckpointError, Problem, RecipeError
from sparring.networks.folding import WEIGHT_NORM
from sparring.plain import unwrapped
from sparring.recipes.schema import AdaptSpec
from sparring.transfer.libraries import import_peft
from sparring.transfer.patterns import matches, parameters_named

NAME = "default"  # of the matrices, within each layer
FINGERPRINT = "adapted_from"  # in place of the frozen weights, checkpoints have their hash under this name
LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


@dataclass
class _Frozen:
    """What a network's matrices stand beside: the names of its frozen parameters, and the hash of their values."""

    names: frozenset[str]
    sha256: str


def adapt(network: nn.Module, spec: AdaptSpec, role: str, *, where: str) -> list[str]:
    """Freeze a network and put matrices of a low rank beside its layers (Hu et al. 2021, arXiv:2106.09685).

    At first they add nothing. From here on the network's state holds what learns, its buffers, and the hash of what is
    frozen; a state that was made beside other weights is refused.

    Args:
        network: The network, changed in place.
        spec: What the recipe says under ``adapt``.
        role: The network's role, for messages.
        where: The recipe path, for messages.

    Returns:
        Sentences that say what learns.

    Raises:
        PluginError: The library peft is not installed.
        RecipeError: No layer is named that can be adapted, or one that cannot.
    """
    network = unwrapped(network)
    chosen = _chosen(network, spec, role, where)
    peft = import_peft()
    whole = {
        name
        for pattern in spec.train
        for name in parameters_named(network, pattern, role, where=where, error=CheckpointError)
    }
    sha256 = _hash(network, skip=whole)
    before = {id(parameter) for parameter in network.parameters()}
    trained = {id(parameter) for name, parameter in network.named_parameters() if name in whole}
    settings = peft.LoraConfig(
        r=spec.rank,
        lora_alpha=2 * spec.rank if spec.alpha is None else spec.alpha,
        target_modules="|".join(re.escape(name) for name in chosen),
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "fan_in_fan_out", UserWarning)  # peft corrects itself for GPT-2's layers
        peft.inject_adapter_in_model(settings, network, adapter_name=NAME)
    for _, _, layer in _adapted_layers(network):
        # peft's inner convolution takes over stride and padding alone.
        if isinstance(layer.base_layer, LAYERS[1:]):
            for setting in ("dilation", "padding_mode", "_reversed_padding_repeated_twice"):
                setattr(layer.lora_A[NAME], setting, getattr(layer.base_layer, setting))
    for parameter in network.parameters():
        parameter.requires_grad_(id(parameter) not in before or id(parameter) in trained)
    # A weight that two layers share has two names in the network's state.
    every = network.named_parameters(remove_duplicate=False)
    frozen = frozenset(name for name, parameter in every if not parameter.requires_grad)
    _mark(network, _Frozen(frozen, sha256))
    learning = [parameter for parameter in network.parameters() if parameter.requires_grad]
    count = sum(parameter.numel() for parameter in learning)
    total = sum(parameter.numel() for parameter in network.parameters())
    said = f"{role}: LoRA of rank {spec.rank} beside {len(chosen)} layers; {count:,} of {total:,} values learn"
    return [f"{said}, and the frozen ones are named in checkpoints by SHA-256 {sha256[:16]}"]


def merge_adapters(network: nn.Module) -> int:
    """Add the matrices to the weights that they stand beside, in place; the network is then as it was built.

    It computes the same to rounding, and its state holds everything again.

    Returns:
        How many layers were merged.
    """
    network = unwrapped(network)
    layers = list(_adapted_layers(network))
    for parent, name, layer in layers:
        base = layer.base_layer
        with torch.no_grad():
            merged = base.weight + layer.get_delta_weight(NAME).to(base.weight)
            if parametrize.is_parametrized(base, "weight"):
                base.weight = merged  # weight norm splits it into length and direction
            else:
                base.weight.copy_(merged)
        setattr(parent, name, base)
    if layers:
        _unmark(network)
    return len(layers)


def merged(network: nn.Module) -> nn.Module:
    """Return a network whose adapters, if it has any, are merged; it itself stays as it is."""
    if not any(True for _ in _adapted_layers(network)):
        return network
    copied = copy.deepcopy(network)
    merge_adapters(copied)
    return copied


def kept_out(network: nn.Module) -> frozenset[str]:
    """Return the names of the parameters that checkpoints do not hold, because adapters stand beside them."""
    frozen: _Frozen | None = getattr(unwrapped(network), "_adapted", None)
    return frozenset() if frozen is None else frozen.names


def _adapted_layers(network: nn.Module) -> Iterator[tuple[nn.Module, str, Any]]:
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if hasattr(child, "base_layer") and hasattr(child, "lora_A"):
                yield parent, name, child


# ---- which layers ----


def _chosen(network: nn.Module, spec: AdaptSpec, role: str, where: str) -> list[str]:
    """Return the names of the layers that patterns name and that can be adapted."""
    possible = dict(_possible(network))
    chosen = [name for name, why in possible.items() if not why and matches(name, spec.layers)]
    problems = []
    for pattern in spec.layers:
        named = [name for name in possible if matches(name, [pattern])]
        if not any(not possible[name] for name in named):
            reason = f", only {named[0]}, {possible[named[0]]}" if named else ""
            able = [name for name, why in possible.items() if not why]
            problems.append(
                Problem(
                    f"{where}.layers",
                    f"the pattern '{pattern}' names no layer of '{role}' that can be adapted{reason}",
                    f"such layers: {', '.join(able) or 'none'}",
                )
            )
    if problems:
        raise RecipeError(problems)
    return chosen


def _possible(network: nn.Module) -> Iterator[tuple[str, str]]:
    """List linear layers and convolutions, and why one cannot be adapted."""
    owners: dict[int, int] = {}
    for module in network.modules():
        for parameter in module.parameters(recurse=False):
            owners[id(parameter)] = owners.get(id(parameter), 0) + 1
    within = {
        id(part)
        for module in network.modules()
        if isinstance(module, nn.MultiheadAttention)
        for part in module.modules()
    }
    transposed = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
    for name, module in network.named_modules():
        if isinstance(module, transposed):
            yield name, "a transposed convolution, for which peft has no matrices"
        elif not isinstance(module, LAYERS) and type(module).__name__ != "Conv1D":  # GPT-2's name for a linear layer
            continue
        elif id(module) in within:
            yield name, "whose weight attention uses without calling the layer"
        elif parametrize.is_parametrized(module) and not _only_weight_norm(module):
            yield name, "whose weight is normalised, so that a sum could not be kept"
        elif any(owners[id(parameter)] > 1 for parameter in module.parameters(recurse=False)):
            yield name, "whose weight is another layer's too"
        elif getattr(module, "groups", 1) > 1:
            yield name, "a convolution in groups"
        else:
            yield name, ""


def _only_weight_norm(module: nn.Module) -> bool:
    chains: Iterable[Any] = module.parametrizations.values()  # type: ignore[operator]
    return all(type(part).__name__ == WEIGHT_NORM for chain in chains for part in chain)


# ---- what the network's state holds ----


def _mark(network: nn.Module, frozen: _Frozen) -> None:
    network._adapted = frozen  # type: ignore[assignment]
    network.register_state_dict_post_hook(_leave_out)  # type: ignore[no-untyped-call]
    network.register_load_state_dict_pre_hook(_bring_in)  # type: ignore[no-untyped-call]


def _unmark(network: nn.Module) -> None:
    # By what they do: of a copy, the handles would be those of its original.
    for hooks in (network._state_dict_hooks, network._load_state_dict_pre_hooks):
        for key in [key for key, hook in hooks.items() if getattr(hook, "hook", hook) in (_leave_out, _bring_in)]:
            del hooks[key]
    del network._adapted


def _leave_out(network: nn.Module, state: dict[str, Tensor], prefix: str, metadata: Any) -> None:
    """Have the network's state hold the frozen weights' hash in their place."""
    frozen: Any = network._adapted
    for name in frozen.names:
        state.pop(f"{prefix}{name}", None)
    state[f"{prefix}{FINGERPRINT}"] = torch.tensor(list(bytes.fromhex(frozen.sha256)), dtype=torch.uint8)


def _bring_in(
    network: nn.Module,
    state: dict[str, Tensor],
    prefix: str,
    metadata: Any,
    strict: bool,
    missing: list[str],
    unexpected: list[str],
    errors: list[str],
) -> None:
    """Complete a state by the frozen weights that are here, if it is of matrices that stood beside the same."""
    frozen: Any = network._adapted
    saved = state.pop(f"{prefix}{FINGERPRINT}", None)
    if isinstance(saved, Tensor) and (there := bytes(saved.tolist()).hex()) != frozen.sha256:
        errors.append(f"\tthey learnt beside weights of SHA-256 {there}, and these are {frozen.sha256}")
        return
    for name, parameter in network.named_parameters(remove_duplicate=False):
        if name in frozen.names:
            state.setdefault(f"{prefix}{name}", parameter.detach())


def _hash(network: nn.Module, skip: set[str]) -> str:
    digest = hashlib.sha256()
    for name, value in sorted(network.named_parameters()):
        if name not in skip:
            digest.update(name.encode())
            digest.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
