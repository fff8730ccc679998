"""The libraries transformers and peft, imported when they are first needed."""

from __future__ import annotations

from types import ModuleType

from sparring.errors import PluginError


def import_transformers() -> ModuleType:
    """Return the library transformers, which then does without torchaudio where that cannot be loaded.

    It imports torchaudio wherever that is installed, for any model of text too, and published torchaudio cannot be
    loaded beside a torch that is built for processors alone.

    Raises:
        PluginError: It is not installed.
    """
    try:
        import transformers
        from transformers.utils import import_utils
    except ImportError as cause:
        raise PluginError(
            "pretrained models need the library transformers", remedy="`pip install transformers`"
        ) from cause
    if import_utils.is_torchaudio_available():
        try:
            import torchaudio  # noqa: F401
        except (OSError, ImportError, RuntimeError):
            # Its modules take this function from either place when they are imported.
            for module in (transformers.utils, import_utils):
                vars(module)["is_torchaudio_available"] = lambda: False
    return transformers


def import_peft() -> ModuleType:
    """Return the library peft, which imports transformers.

    Raises:
        PluginError: It is not installed.
    """
    try:
        import_transformers()
        import peft
    except (ImportError, PluginError) as cause:
        raise PluginError("LoRA needs the library peft", remedy='`pip install "sparring[lora]"`') from cause
    return peft
