"""Plain modules and tensors, as a notebook has them, in the place of components."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from torch import Tensor, nn

from sparring.data.memory import MemoryData, hold_out
from sparring.errors import SparringError
from sparring.interfaces.data import Condition, Data, StreamingData
from sparring.interfaces.discriminator import Critique, Discriminator
from sparring.interfaces.generator import Generated, Generator
from sparring.spaces.array import ArraySpace

HELD_OUT = 0.1
"""The share of a tensor's rows that metrics see and training does not."""


class PlainGenerator(Generator):
    """A plain module as a generator. Its weights keep their names."""

    def __init__(self, module: nn.Module, latent_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.module, self.latent_shape = module, latent_shape
        self._conditional = _takes_condition(module)
        _keep_names(self)

    def forward(self, latent: Tensor | None, condition: Condition) -> Generated | Tensor:
        """Call the module with the latent, and with the condition where it takes one."""
        made: Generated | Tensor = self.module(latent, condition) if self._conditional else self.module(latent)
        return made

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, nn.Parameter]]:
        """Name the parameters as the module does."""
        return self.module.named_parameters(prefix, recurse, remove_duplicate)


class PlainDiscriminator(Discriminator):
    """A plain module as a discriminator. Its weights keep their names."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module, self._conditional = module, _takes_condition(module)
        _keep_names(self)

    def forward(self, sample: Tensor, condition: Condition, lengths: Tensor | None = None) -> Critique | Tensor:
        """Call the module with the sample, and with the condition where it takes one."""
        opinion: Critique | Tensor = self.module(sample, condition) if self._conditional else self.module(sample)
        return opinion

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, nn.Parameter]]:
        """Name the parameters as the module does."""
        return self.module.named_parameters(prefix, recurse, remove_duplicate)


def as_network(module: nn.Module, role: str) -> nn.Module:
    """Return a module as the network of a role.

    Generators and discriminators are taken as they are. Of a plain module the attribute ``latent_shape`` says that it
    generates; a role that is called a generator needs it.
    """
    if isinstance(module, (Generator, Discriminator)):
        return module
    shape = getattr(module, "latent_shape", None)
    if shape is not None:
        return PlainGenerator(module, tuple(shape))
    if "generator" in role:
        raise SparringError(
            f"the module given as '{role}' does not say what it is driven by",
            where=f"networks[{role!r}]",
            remedy="set its attribute `latent_shape`, such as (16,), before you pass it",
        )
    return PlainDiscriminator(module)


def unwrapped(network: nn.Module) -> nn.Module:
    """Return the plain module that stands as a network, or the network itself."""
    return network.module if isinstance(network, (PlainGenerator, PlainDiscriminator)) else network


def as_data(data: object) -> Data | StreamingData:
    """Return data, where a tensor ``(N, …)`` of floating-point samples was given."""
    if isinstance(data, (Data, StreamingData)):
        return data
    if not isinstance(data, Tensor) or data.dim() < 2 or not data.is_floating_point():
        raise SparringError(
            "data must be Data or a floating-point tensor of samples (N, …)", where="data", remedy="convert it"
        )
    return TensorData(data)


class TensorData(MemoryData):
    """Samples that a caller holds as one tensor; a tenth of them, drawn by a fixed seed, are held out for metrics."""

    def __init__(self, sample: Tensor) -> None:
        held_out = hold_out(len(sample), HELD_OUT)
        super().__init__(ArraySpace(list(sample.shape[1:])), sample, held_out={"test": held_out})


def _keep_names(network: nn.Module) -> None:
    """Leave the wrapper out of the names of saved weights, so that the module alone can load them."""
    network.register_state_dict_post_hook(_unwrap_names)  # type: ignore[no-untyped-call]
    network.register_load_state_dict_pre_hook(_wrap_names)  # type: ignore[no-untyped-call]


def _unwrap_names(network: nn.Module, state: dict[str, Tensor], prefix: str, metadata: object) -> None:
    for name in [name for name in state if name.startswith(f"{prefix}module.")]:
        state[prefix + name.removeprefix(f"{prefix}module.")] = state.pop(name)


def _wrap_names(network: nn.Module, state: dict[str, Tensor], prefix: str, *details: object) -> None:
    for name in [name for name in state if name.startswith(prefix)]:
        state[f"{prefix}module.{name.removeprefix(prefix)}"] = state.pop(name)


def _takes_condition(module: nn.Module) -> bool:
    """Whether a module's second parameter is the condition: it has that name, or has to be given."""
    parameters = inspect.signature(module.forward).parameters.values()
    positional = [one for one in parameters if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    return len(positional) > 1 and (
        positional[1].name == "condition" or positional[1].default is inspect.Parameter.empty
    )
