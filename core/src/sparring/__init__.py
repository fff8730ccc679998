"""Sparring trains generative adversarial networks on images, speech and text.

The public names below are imported when they are first used, so that ``import sparring`` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from sparring.api import resume as resume
    from sparring.api import train as train
    from sparring.errors import CheckpointError as CheckpointError
    from sparring.errors import DataError as DataError
    from sparring.errors import PluginError as PluginError
    from sparring.errors import RecipeError as RecipeError
    from sparring.errors import SparringError as SparringError
    from sparring.errors import TrainingError as TrainingError
    from sparring.interfaces.augmentation import Augmentation as Augmentation
    from sparring.interfaces.augmentation import Constraint as Constraint
    from sparring.interfaces.context import Context as Context
    from sparring.interfaces.data import Batch as Batch
    from sparring.interfaces.data import Condition as Condition
    from sparring.interfaces.data import Data as Data
    from sparring.interfaces.data import Source as Source
    from sparring.interfaces.data import StreamingData as StreamingData
    from sparring.interfaces.discriminator import Critique as Critique
    from sparring.interfaces.discriminator import Discriminator as Discriminator
    from sparring.interfaces.generator import Generated as Generated
    from sparring.interfaces.generator import Generator as Generator
    from sparring.interfaces.generator import SequenceGenerator as SequenceGenerator
    from sparring.interfaces.loss import Loss as Loss
    from sparring.interfaces.metric import Encoder as Encoder
    from sparring.interfaces.metric import Metric as Metric
    from sparring.interfaces.objective import Objective as Objective
    from sparring.interfaces.objective import Term as Term
    from sparring.interfaces.objective import Update as Update
    from sparring.interfaces.reward import Reward as Reward
    from sparring.interfaces.space import Space as Space
    from sparring.interfaces.trainer import Result as Result
    from sparring.interfaces.trainer import Trainer as Trainer
    from sparring.plugins.component import Component as Component
    from sparring.plugins.component import Plugin as Plugin
    from sparring.plugins.hookspecs import hookimpl as hookimpl
    from sparring.plugins.registry import Registry as Registry
    from sparring.trained import Trained as Trained
    from sparring.trained import load as load

_HOMES = {
    "sparring.api": ("resume", "train"),
    "sparring.errors": (
        "CheckpointError",
        "DataError",
        "PluginError",
        "RecipeError",
        "SparringError",
        "TrainingError",
    ),
    "sparring.interfaces.augmentation": ("Augmentation", "Constraint"),
    "sparring.interfaces.context": ("Context",),
    "sparring.interfaces.data": ("Batch", "Condition", "Data", "Source", "StreamingData"),
    "sparring.interfaces.discriminator": ("Critique", "Discriminator"),
    "sparring.interfaces.generator": ("Generated", "Generator", "SequenceGenerator"),
    "sparring.interfaces.loss": ("Loss",),
    "sparring.interfaces.metric": ("Encoder", "Metric"),
    "sparring.interfaces.objective": ("Objective", "Term", "Update"),
    "sparring.interfaces.reward": ("Reward",),
    "sparring.interfaces.space": ("Space",),
    "sparring.interfaces.trainer": ("Result", "Trainer"),
    "sparring.trained": ("Trained", "load"),
    "sparring.plugins.component": ("Component", "Plugin"),
    "sparring.plugins.hookspecs": ("hookimpl",),
    "sparring.plugins.registry": ("Registry",),
}
_MODULE_OF = {name: module for module, names in _HOMES.items() for name in names}
__all__ = [*_MODULE_OF]  # noqa: PLE0604 - they are strings


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'sparring' has no attribute '{name}'")
    value = getattr(importlib.import_module(_MODULE_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_MODULE_OF])
