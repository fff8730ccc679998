"""Find plugins by their metadata, and load each of them apart.

This is our own loader rather than pluggy's, which stops at the first plugin that fails, silently skips the second of
two plugins of one name, and leaves a plugin half registered when its hooks are wrong.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Literal

import pluggy

from sparring.errors import PluginError
from sparring.plugins.component import KINDS, Component
from sparring.plugins.hookspecs import RegistrationSpecs

GROUP = "sparring"
ALLOW, DENY = "SPARRING_PLUGINS", "SPARRING_DISABLE_PLUGINS"
ALWAYS = "core"
FILE_MODULE = "sparring_file_"

Status = Literal["found", "loaded", "broken", "conflict", "disabled"]


@dataclass
class PluginRecord:
    """What is known of one plugin.

    Attributes:
        name: The entry point's name, and the prefix of its components.
        distribution: The distribution that brings it, or the path of a single file.
        version: The distribution's version, or an empty string.
        target: The entry point's value, ``module:attribute``.
        status: ``found`` from metadata alone; after loading ``loaded`` or ``broken``; ``conflict`` where two
            plugins have this name; ``disabled`` by an environment variable.
        cause: Why it is broken, in conflict, or disabled.
    """

    name: str
    distribution: str
    version: str
    target: str
    status: Status = "found"
    cause: str = ""
    error: BaseException | None = None
    plugin: Any = None

    def as_row(self) -> dict[str, str]:
        """Return the record for a listing."""
        return {
            "name": self.name,
            "distribution": self.distribution,
            "version": self.version,
            "status": self.status,
            "target": self.target,
            "cause": self.cause,
        }


def discover(files: Sequence[Path] = ()) -> list[PluginRecord]:
    """List every installed plugin, and the given single-file ones, without importing any of them."""
    records = [_record(point) for point in entry_points(group=GROUP)]
    # An editable install may be found twice, once by its folder and once by its link.
    unique = {(record.name, record.distribution, record.target): record for record in records}
    records = sorted(unique.values(), key=lambda record: (record.name != ALWAYS, record.name))
    for file in files:
        if not file.is_file():
            raise PluginError(f"there is no plugin file '{file}'", remedy="give the path of a Python file")
        records.append(PluginRecord(file.stem, str(file), "", f"{file}:plugin"))
        # The name that counts is the one that the file gives its Plugin; it is known once the file is loaded.
        _load_file(records[-1], file)
    _mark_disabled(records)
    _mark_conflicts(records)
    return records


def load(record: PluginRecord) -> list[Component]:
    """Import one plugin and return its components; the record says how it went.

    A plugin that fails leaves nothing registered.
    """
    if record.status in ("conflict", "disabled", "broken"):
        return []
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(RegistrationSpecs)
    try:
        if record.plugin is None:
            record.plugin = EntryPoint(record.name, record.target, GROUP).load()
        manager.register(record.plugin, record.name)
        manager.check_pending()
        found: Iterable[Iterable[Component]] = manager.hook.sparring_components()
        components = [component for part in found for component in part]
        _check_components(record, components)
    except (Exception, SystemExit) as error:
        record.status, record.error = "broken", error
        record.cause = f"{type(error).__name__}: {error}"
        return []
    record.status = "loaded"
    return components


def explain(record: PluginRecord) -> PluginError:
    """Return the error to raise where a recipe needs a plugin that could not be loaded."""
    error = PluginError(
        f"plugin '{record.name}' is {record.status}: {record.cause}",
        where=record.distribution,
        remedy={
            "disabled": f"change the environment variable {ALLOW} or {DENY}",
            "conflict": f"uninstall one of them, or name its distribution in the environment variable {DENY}",
        }.get(record.status, "mend or reinstall the plugin; `sparring plugins --check` shows every plugin's state"),
    )
    error.__cause__ = record.error
    return error


def _record(point: EntryPoint) -> PluginRecord:
    distribution = point.dist
    return PluginRecord(
        point.name,
        distribution.name if distribution else "unknown",
        distribution.version if distribution else "",
        point.value,
    )


def _load_file(record: PluginRecord, file: Path) -> None:
    # Two files of one name are two modules: annotations are looked up in the module that a class names.
    module_name = f"{FILE_MODULE}{file.stem}_{hashlib.sha256(bytes(file.resolve())).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(module_name, file)
    if spec is None or spec.loader is None:
        raise PluginError(f"'{file}' is not a Python file", remedy="give the path of a file that ends in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
        record.plugin = module.plugin
        record.name = getattr(module.plugin, "name", file.stem)
    except (Exception, SystemExit) as error:
        sys.modules.pop(module_name, None)
        record.status, record.error = "broken", error
        record.cause = f"{type(error).__name__}: {error}"


def _mark_conflicts(records: list[PluginRecord]) -> None:
    enabled = [record for record in records if record.status != "disabled"]
    for record in enabled:
        rivals = [other for other in enabled if other.name == record.name]
        if len(rivals) > 1:
            names = " and ".join(sorted(f"{rival.distribution} ({rival.target})" for rival in rivals))
            record.status, record.cause = "conflict", f"the name '{record.name}' is claimed by {names}"


def _mark_disabled(records: list[PluginRecord]) -> None:
    allowed, denied = _names(ALLOW), _names(DENY)
    for record in records:
        ways = {record.name, record.distribution}
        if record.name == ALWAYS:
            continue
        if allowed is not None and not ways & allowed:
            record.status, record.cause = "disabled", f"{ALLOW} does not list it"
        elif denied is not None and ways & denied:
            record.status, record.cause = "disabled", f"{DENY} lists it"


def _names(variable: str) -> set[str] | None:
    value = os.environ.get(variable)
    return None if value is None else {part.strip() for part in value.split(",") if part.strip()}


def _check_components(record: PluginRecord, components: Sequence[Component]) -> None:
    seen: set[tuple[str, str]] = set()
    for component in components:
        if component.kind not in KINDS:
            raise PluginError(
                f"'{component.name}' has the unknown kind '{component.kind}'", remedy=f"use one of {KINDS}"
            )
        prefix = "" if record.name == ALWAYS else f"{record.name}/"
        if not component.name.startswith(prefix) or component.name == prefix:
            raise PluginError(
                f"the {component.kind} '{component.name}' does not start with '{prefix}'",
                remedy="start component names with the plugin's name, which is its entry point's",
            )
        if (component.kind, component.name) in seen:
            raise PluginError(f"the {component.kind} '{component.name}' is registered twice", remedy="rename one")
        seen.add((component.kind, component.name))
        if not isinstance(component.target, str):
            _check_signature(component)


def _check_signature(component: Component) -> None:
    from sparring.plugins.options import parameters_of

    parameters_of(component.target)
