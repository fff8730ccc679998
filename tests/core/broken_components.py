"""The plugin of components that break their promises, and the checks that must find them."""

from __future__ import annotations

from collections.abc import Callable

from sparring import Plugin
from sparring.plugins.component import Target

broken = Plugin("broken")
BREAKS: dict[tuple[str, str], set[str]] = {}
"""The checks that must fail, by kind and name. No other check may."""


def breaks(kind: str, name: str, *checks: str) -> Callable[[Target], Target]:
    """Register a component that must fail some checks of its contract and no other."""
    BREAKS[kind, f"broken/{name}"] = set(checks)
    return broken.register(kind, name)
