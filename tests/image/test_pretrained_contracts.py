"""Components with published weights keep their interfaces' promises; random weights in the published layout do."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import torch

from sparring.testing import DiscriminatorContract, EncoderContract
from sparring_image import plugin
from sparring_image.digits import Digits
from tests.image.weights import write_efficientnet, write_inception

torch.set_num_threads(1)

DIGITS = Digits()
FILES = TemporaryDirectory()  # removed when the process ends
EFFICIENTNET = str(write_efficientnet(Path(FILES.name) / "efficientnet.pth"))
INCEPTION = str(write_inception(Path(FILES.name) / "inception.pth"))


class TestEfficientNetLite0(EncoderContract):
    plugin, name, data = plugin, "image/efficientnet-lite0", DIGITS
    options: Mapping[str, Any] = {"weights": EFFICIENTNET, "side": 32}


@pytest.mark.slow
class TestInception(EncoderContract):
    plugin, name, data = plugin, "image/inception", DIGITS
    options: Mapping[str, Any] = {"weights": INCEPTION}


class TestProjected(DiscriminatorContract):
    plugin, name, data = plugin, "image/projected", DIGITS
    options: Mapping[str, Any] = {"weights": EFFICIENTNET, "side": 32, "width": 4}
