"""What the tests of the documentation share."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.docs.pages import blocks

DIGITS = Path("runs/image-dcgan-digits")
SHORT = ["stages.0.steps=2", "evaluate=null", "checkpoint={every: 1, keep: 9}", "samples.count=16", "log.every=1"]


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the digits' recipe, trained for two steps."""
    from sparring.api import train

    folder = tmp_path_factory.mktemp("digits") / "run"
    train("image/dcgan-digits", out=folder, overrides=SHORT)
    return folder


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, digits: Path) -> Iterator[Callable[[Path], Path]]:
    """Make a folder as a page's reader has it: a run of the digits, and the files that the page names."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))

    def prepare(page: Path) -> Path:
        shutil.copytree(digits, tmp_path / DIGITS)
        for block in blocks(page):
            if block.file:
                (tmp_path / block.file).write_text(block.text, encoding="utf-8")
        return tmp_path

    yield prepare
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]
