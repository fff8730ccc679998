"""Keep what is whole of a recipe that is not, so that its components are checked in the same go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError

from sparring.plugins.problems import models_in


def salvage(annotation: Any, values: Any) -> Any:
    """Return values as their annotation would have them, with None for each part that is refused.

    A model that is not whole comes back unvalidated.
    """
    try:
        return TypeAdapter(annotation).validate_python(values)
    except ValidationError:
        pass
    if isinstance(annotation, type) and issubclass(annotation, BaseModel) and isinstance(values, Mapping):
        return _salvage_model(annotation, values)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is list:  # None keeps the others' indices
        return [salvage(arguments[0], value) for value in values] if isinstance(values, list) else None
    if origin is dict:
        is_mapping = isinstance(values, Mapping)
        return {str(key): salvage(arguments[1], value) for key, value in values.items()} if is_mapping else None
    models = models_in(annotation)
    if len(models) == 1 and isinstance(values, Mapping):
        return salvage(models[0], values)
    return None


def _salvage_model(model: type[BaseModel], values: Mapping[str, Any]) -> BaseModel:
    found: dict[str, Any] = {}
    known: set[str] = set()
    for name, field in model.model_fields.items():
        key = field.alias or name
        known.add(key)
        if key in values:
            found[name] = salvage(field.annotation, values[key])
        elif field.is_required():
            found[name] = None
    extras = {key: value for key, value in values.items() if key not in known}
    if model.model_config.get("extra") == "allow":
        found |= extras
    return model.model_construct(**found)
