"""The constructor signature is the configuration: read a pydantic model off it."""

from __future__ import annotations

import inspect
import types
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, create_model

from sparring.errors import PluginError


class ComponentSpec(BaseModel):
    """A component as a recipe names it: ``use:`` and its options."""

    model_config = ConfigDict(extra="allow")

    use: str

    @property
    def options(self) -> dict[str, Any]:
        """The options beside ``use:``."""
        return dict(self.model_extra or {})


class Parameter(NamedTuple):
    """One parameter of a component's constructor."""

    name: str
    annotation: Any
    default: Any

    @property
    def required(self) -> bool:
        """Whether a recipe must give it."""
        return self.default is inspect.Parameter.empty


REFERENCES = ("space", "conditions", "data")
"""Parameters that a component is handed rather than told."""


RESERVED = {
    "callback": ("enabled",),
    "discriminator": ("kind", "init", "adapt"),
    "generator": ("kind", "init", "adapt"),
    "network": ("kind", "init", "adapt"),
    "optimizer": ("clip", "groups"),
    "term": ("name", "weight", "every"),
}
"""Keys that a recipe gives beside a component's options, by kind; ``use`` is reserved for all."""


def handed(kind: str) -> tuple[str, ...]:
    """Return the parameters that the run hands to components of a kind."""
    if kind in ("data", "space"):
        return ()
    return ("parameters",) if kind == "optimizer" else REFERENCES


def parameters_of(target: Callable[..., Any]) -> tuple[Parameter, ...]:
    """Read a component's parameters off its signature.

    Raises:
        PluginError: The signature has ``*args`` or ``**kwargs``, a parameter without a type, or a type that
            cannot be resolved.
    """
    if inspect.isclass(target) and getattr(target.__init__, "__module__", "") == "torch.nn.modules.module":
        return ()  # nn.Module's own constructor, which takes *args: the class has no options
    name = getattr(target, "__qualname__", repr(target))
    function = target.__init__ if inspect.isclass(target) else target
    try:
        hints = get_type_hints(function, include_extras=True)  # extras: pydantic reads the bounds in Annotated
        signature = inspect.signature(target)
    except Exception as cause:  # annotations are evaluated, and may fail in any way
        raise PluginError(
            f"the constructor of {name} cannot be read: {cause}",
            remedy="import the names of its annotations at run time, not under TYPE_CHECKING",
        ) from cause
    found = []
    for parameter in signature.parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise PluginError(
                f"the constructor of {name} takes *{parameter.name}",
                remedy="name every option with its type and default: the signature is the recipe's schema",
            )
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise PluginError(
                f"the option '{parameter.name}' of {name} cannot be given by name", remedy="remove the `/` after it"
            )
        if parameter.name not in hints:
            raise PluginError(f"the option '{parameter.name}' of {name} has no type", remedy="annotate it")
        found.append(Parameter(parameter.name, hints[parameter.name], parameter.default))
    return tuple(found)


@cache
def interfaces() -> dict[Any, str]:
    """Map each interface that an option may ask for to the kind of component that fills it."""
    from sparring.interfaces.augmentation import Augmentation, Constraint
    from sparring.interfaces.data import Data
    from sparring.interfaces.discriminator import Discriminator
    from sparring.interfaces.generator import Generator
    from sparring.interfaces.loss import Loss
    from sparring.interfaces.metric import Encoder, Metric
    from sparring.interfaces.objective import Term
    from sparring.interfaces.reward import Reward
    from sparring.interfaces.space import Space

    return {
        Augmentation: "augmentation",
        Constraint: "constraint",
        Data: "data",
        Discriminator: "discriminator",
        Encoder: "encoder",
        Generator: "generator",
        Loss: "loss",
        Metric: "metric",
        Reward: "reward",
        Space: "space",
        Term: "term",
    }


def component_kind(annotation: Any) -> str | None:
    """Return the kind of component that an annotation asks for, looking inside unions and containers."""
    try:
        if annotation in interfaces():
            return interfaces()[annotation]
    except TypeError:
        return None
    kinds = {kind for part in get_args(annotation) if (kind := component_kind(part))}
    return kinds.pop() if len(kinds) == 1 else None


@cache
def options_model(target: Callable[..., Any], kind: str) -> type[BaseModel]:
    """Return the model that validates a component's options.

    Where an option asks for another component, its name or a mapping with ``use:`` is expected. Parameters
    that the run hands over are absent, but for ``space``, by which a network may choose another space.
    """
    fields: dict[str, Any] = {}
    for parameter in parameters_of(target):
        if parameter.name in handed(kind):
            if parameter.name == "space":
                fields["space"] = (str | None, None)
            continue
        if parameter.name in ("use", *RESERVED.get(kind, ())) or parameter.name.startswith("_"):
            raise PluginError(
                f"{kind}s cannot have an option '{parameter.name}': a recipe could not set it",
                where=getattr(target, "__qualname__", repr(target)),
                remedy="give it another name",
            )
        default = ... if parameter.required else parameter.default
        fields[parameter.name] = (_replace_interfaces(parameter.annotation), default)
    name = getattr(target, "__name__", "Options")
    configuration = ConfigDict(extra="forbid", arbitrary_types_allowed=True, protected_namespaces=())
    with warnings.catch_warnings():
        # An option may be called `copy` or `schema`, as a method of pydantic's is.
        warnings.filterwarnings("ignore", message="Field name .* shadows an attribute", category=UserWarning)
        return create_model(name, __config__=configuration, **fields)


def _replace_interfaces(annotation: Any) -> Any:
    if annotation in interfaces():
        return str | ComponentSpec
    arguments = get_args(annotation)
    if not arguments or component_kind(annotation) is None:
        return annotation
    replaced = tuple(_replace_interfaces(argument) for argument in arguments)
    origin = get_origin(annotation)
    if origin in (Union, types.UnionType):
        return Union[replaced]  # noqa: UP007 - built at run time
    if origin is not None and issubclass(origin, Sequence) and origin is not tuple:
        return list[replaced[0]]  # type: ignore[valid-type]
    if origin is not None and issubclass(origin, Mapping):
        return dict[replaced[0], replaced[1]]  # type: ignore[valid-type]
    return origin[replaced]
