"""Weight norm, folded into the weights: what it costs belongs to training."""

from __future__ import annotations

from torch import nn
from torch.nn.utils import parametrize

WEIGHT_NORM = "_WeightNorm"  # torch's class; it has no public name


def fold_weight_norm(network: nn.Module) -> int:
    """Replace every weight under torch's weight norm by its value, in place.

    The network then computes the same to rounding, and without the normalisation at each call. Its tensors have other
    names, so that a checkpoint from before does not fit any more. Other parametrisations stay.

    Args:
        network: The network, with everything in it.

    Returns:
        How many weights were folded.
    """
    folded = 0
    for module in list(network.modules()):
        if not parametrize.is_parametrized(module):
            continue
        chains = module.parametrizations
        assert isinstance(chains, nn.ModuleDict)
        if not all(type(one).__name__ == WEIGHT_NORM for chain in chains.values() for one in _parts(chain)):
            continue
        values = {name: (getattr(module, name).detach(), _is_trained(chain)) for name, chain in chains.items()}
        # Not torch's remove_parametrizations: it takes the weight's property off the class, which a deep copy of the
        # network shares, and so breaks the copy or the original.
        del module.parametrizations
        module.__class__ = type(module).__bases__[0]
        for name, (value, trained) in values.items():
            module.register_parameter(name, nn.Parameter(value, requires_grad=trained))
        folded += len(values)
    return folded


def _parts(chain: nn.Module) -> list[nn.Module]:
    return list(chain.children())


def _is_trained(chain: nn.Module) -> bool:
    return any(parameter.requires_grad for parameter in chain.parameters())
