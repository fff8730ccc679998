"""The event hooks of one run: a manager of its own, which knows only the callbacks that the recipe names."""

from __future__ import annotations

from collections.abc import Sequence

import pluggy

from sparring.errors import PluginError
from sparring.plugins.hookspecs import EventSpecs


def hooks_of(callbacks: Sequence[tuple[str, object]]) -> pluggy.HookRelay:
    """Return the hooks by which a run tells its callbacks what happens.

    Args:
        callbacks: Each with a name, for messages.

    Raises:
        PluginError: A callback implements a hook that does not exist, or asks for an argument that a hook lacks.
    """
    manager = pluggy.PluginManager("sparring")
    manager.add_hookspecs(EventSpecs)
    for name, callback in callbacks:
        try:
            manager.register(callback, name)
            manager.check_pending()
        except pluggy.PluginValidationError as cause:
            raise PluginError(
                f"the callback '{name}' does not fit the hooks: {' '.join(str(cause).split())}",
                where=f"{type(callback).__module__}.{type(callback).__qualname__}",
                remedy="use the names and arguments that docs/reference/hooks.md lists",
            ) from cause
    return manager.hook
