"""The one place that imports torchaudio, with its compiled part or without."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType


def import_torchaudio() -> ModuleType:
    """Return torchaudio, without its compiled part where that cannot be loaded.

    The published wheels link CUDA's libraries, and ``import torchaudio`` raises OSError beside a torch that is built
    for processors alone. Spectrograms, Griffin-Lim and resampling are written in Python on torch's own operations,
    and need nothing of it. torchaudio itself goes on without its compiled part where the files are missing, so the
    function that looks for them is made to find none.
    """
    try:
        import torchaudio
    except (OSError, ImportError, RuntimeError):  # the last: built for another version of CUDA than torch
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchaudio"]:
            del sys.modules[name]
        _find_no_extension()
        import torchaudio
    module: ModuleType = torchaudio
    return module


def _find_no_extension() -> None:
    """Load torchaudio's module that looks for the extension ahead of torchaudio, and replace its search."""
    name = "torchaudio._extension.utils"
    package = importlib.util.find_spec("torchaudio")
    if package is None or not package.submodule_search_locations:
        raise ImportError("torchaudio is not installed")
    file = Path(package.submodule_search_locations[0]) / "_extension" / "utils.py"
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    module._load_lib = lambda lib: False  # type: ignore[attr-defined]


torchaudio = import_torchaudio()
