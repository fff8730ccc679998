"""The constructor signature is the configuration."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field, ValidationError

from sparring.errors import PluginError
from sparring.interfaces.loss import Loss
from sparring.interfaces.metric import Encoder
from sparring.interfaces.objective import Term
from sparring.interfaces.space import Space
from sparring.plugins.component import KINDS
from sparring.plugins.options import RESERVED, ComponentSpec, component_kind, handed, options_model, parameters_of
from sparring.recipes.schema import CallbackSpec, NetworkSpec, OptimizerSpec, TermSpec


class Plain:
    def __init__(self, width: int, name: str = "x", rates: tuple[float, float] = (0.0, 0.9)) -> None: ...


def test_parameters_keep_order_types_and_defaults():
    found = parameters_of(Plain)
    assert [(one.name, one.annotation, one.required) for one in found] == [
        ("width", int, True),
        ("name", str, False),
        ("rates", tuple[float, float], False),
    ]


def test_function_is_a_target_as_well_as_a_class():
    def adam(parameters: list, lr: float = 1e-3) -> None: ...

    assert [one.name for one in parameters_of(adam)] == ["parameters", "lr"]
    assert list(options_model(adam, "optimizer").model_fields) == ["lr"]


def test_class_without_constructor_has_no_options():
    class Bare:
        pass

    assert parameters_of(Bare) == ()


def test_options_are_validated_and_defaults_written():
    model = options_model(Plain, "loss")
    assert model(width=3).model_dump() == {"width": 3, "name": "x", "rates": (0.0, 0.9)}
    with pytest.raises(ValidationError):
        model(width=3, widht=4)
    with pytest.raises(ValidationError):
        model()
    with pytest.raises(ValidationError):
        model(width="wide")


def variadic(*many: int) -> None: ...
def keywords(**many: int) -> None: ...
def untyped(width=3) -> None: ...
def positional(width: int, /) -> None: ...
def unresolved(width: "Nowhere") -> None: ...  # noqa: F821
def misspelt(width: "Path.nowhere") -> None: ...


@pytest.mark.parametrize("target", [variadic, keywords, untyped, positional, unresolved, misspelt])
def test_signature_that_is_no_schema_is_refused(target):
    with pytest.raises(PluginError, match=target.__name__) as raised:
        parameters_of(target)
    assert raised.value.remedy


@pytest.mark.parametrize(
    ("annotation", "kind"),
    [
        (Loss, "loss"),
        (Encoder, "encoder"),
        (Space, "space"),
        (Loss | None, "loss"),
        (list[Term], "term"),
        (Sequence[Term], "term"),
        (tuple[Term, ...], "term"),
        (dict[str, Loss], "loss"),
        (Mapping[str, Term | None], "term"),
        (Annotated[Loss, "doc"], "loss"),
        (int, None),
        (Literal["a", "b"], None),
        (list[int] | None, None),
        (Loss | Term, None),
    ],
)
def test_component_kind_looks_inside(annotation, kind):
    assert component_kind(annotation) == kind


def nested(
    one: Loss,
    maybe: Encoder | None = None,
    many: Sequence[Term] = (),
    named: Mapping[str, Loss] | None = None,
    some: tuple[Term, ...] = (),
    bounded: Annotated[int, Field(ge=1)] = 1,
) -> None: ...


def test_components_within_options_are_named_or_specified():
    model = options_model(nested, "term")
    valid = model(
        one="hinge", maybe={"use": "x", "width": 3}, many=["r1", {"use": "r2"}], named={"a": "hinge"}, some=["r1"]
    )
    assert valid.one == "hinge"
    assert valid.maybe == ComponentSpec(use="x", width=3)
    assert valid.maybe.options == {"width": 3}
    assert list(valid.many) == ["r1", ComponentSpec(use="r2")]
    assert valid.named == {"a": "hinge"}
    with pytest.raises(ValidationError):
        model(one=3)


def test_bounds_of_annotated_options_hold():
    with pytest.raises(ValidationError):
        options_model(nested, "term")(one="hinge", bounded=0)


def test_what_the_run_hands_over_is_no_option_but_a_space_may_be_chosen():
    def network(space: Space, conditions: Mapping[str, Space], width: int = 8) -> None: ...

    assert list(options_model(network, "generator").model_fields) == ["space", "width"]
    assert options_model(network, "generator")(space="conditions.image").space == "conditions.image"


def test_data_are_told_what_others_are_handed():
    def folder(data: str, space: str = "") -> None: ...

    assert list(options_model(folder, "data").model_fields) == ["data", "space"]


@pytest.mark.parametrize("kind", KINDS)
def test_handed_names_are_known_for_every_kind(kind):
    assert set(handed(kind)) <= {"space", "conditions", "data", "parameters"}


def test_options_named_like_methods_of_pydantic_work_in_silence():
    def target(copy: int = 1, schema: str = "a", model_dim: int = 2, json: bool = False) -> None: ...

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = options_model(target, "data")(copy=5, schema="b")
    assert (model.copy, model.schema, model.model_dim, model.json) == (5, "b", 2, False)


def own_keys(spec: type[BaseModel]) -> set[str]:
    return set(spec.model_fields) - {"use"}


def test_reserved_keys_are_those_of_the_schema():
    specs = {"callback": CallbackSpec, "optimizer": OptimizerSpec, "term": TermSpec}
    specs |= dict.fromkeys(("generator", "discriminator", "network"), NetworkSpec)
    assert {kind: set(keys) for kind, keys in RESERVED.items()} == {kind: own_keys(specs[kind]) for kind in specs}


def test_option_that_a_recipe_could_not_set_is_refused():
    def weighted(weight: float = 1.0) -> None: ...
    def used(use: str = "") -> None: ...
    def hidden(_width: int = 1) -> None: ...

    assert list(options_model(weighted, "loss").model_fields) == ["weight"]
    for target, kind in ((weighted, "term"), (used, "loss"), (hidden, "loss")):
        with pytest.raises(PluginError, match="cannot have an option"):
            options_model(target, kind)
