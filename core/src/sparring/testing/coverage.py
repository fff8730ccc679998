"""Whether every component of a plugin is under contract."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from sparring.errors import SparringError
from sparring.testing.contract import ComponentContract, ContractBroken


def covers(plugin: Any, *contracts: type[ComponentContract]) -> None:
    """Fail where a component of a plugin has no contract.

    A plugin's tests call it once::

        def test_every_component_is_under_contract() -> None:
            covers(plugin, *contracts_in(globals()))

    Args:
        plugin: The plugin, whose components must be some.
        contracts: Contract classes, each for one component.

    Raises:
        ContractBroken: A component has none, or there are no components.
    """
    registered = {(component.kind, component.name) for component in plugin.sparring_components()}
    checked = {(contract.kind, contract.name) for contract in contracts}
    if not registered:
        raise ContractBroken(
            f"the plugin '{_name(plugin)}' has no components", remedy="register some before the contracts are applied"
        )
    missing = registered - checked
    if missing:
        listed = ", ".join(f"{kind} '{name}'" for kind, name in sorted(missing))
        raise ContractBroken(
            f"no contract checks: {listed}",
            where=f"plugin '{_name(plugin)}'",
            remedy='add a class for each: `class TestName(GeneratorContract): plugin, name = plugin, "…"`',
        )


def contracts_in(namespace: Mapping[str, object]) -> list[type[ComponentContract]]:
    """Return the contracts of a test module that pytest collects: ``contracts_in(globals())``.

    Raises:
        SparringError: One of them names no component.
    """
    found = []
    for name, value in namespace.items():
        if name.startswith("Test") and inspect.isclass(value) and issubclass(value, ComponentContract):
            if not hasattr(value, "name"):
                raise SparringError(f"the contract {name} names no component", remedy='give it `name = "plugin/…"`')
            found.append(value)
    return found


def _name(plugin: Any) -> str:
    return str(getattr(plugin, "name", plugin))
