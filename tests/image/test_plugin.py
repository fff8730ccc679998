"""What the plugin registers can be listed without torch, imported, and configured by a recipe."""

from __future__ import annotations

import subprocess
import sys

import sparring_image
from sparring.interfaces.augmentation import Augmentation
from sparring.interfaces.data import Data
from sparring.interfaces.discriminator import Discriminator
from sparring.interfaces.generator import Generator
from sparring.interfaces.metric import Encoder, Metric
from sparring.interfaces.objective import Term
from sparring.interfaces.space import Space
from sparring.plugins.options import options_model, parameters_of

INTERFACES = {
    "augmentation": Augmentation,
    "data": Data,
    "discriminator": Discriminator,
    "encoder": Encoder,
    "generator": Generator,
    "metric": Metric,
    "reward": object,  # a protocol: the contract calls it
    "space": Space,
    "term": Term,
}


def test_every_component_fills_its_interface() -> None:
    components = list(sparring_image.plugin.sparring_components())
    assert len(components) >= 9
    for component in components:
        target = component.load()
        assert isinstance(target, type)
        assert issubclass(target, INTERFACES[component.kind])
        assert component.name.startswith("image/")
        assert component.summary
        assert parameters_of(target) is not None
        assert options_model(target, component.kind).model_json_schema()


def test_listing_imports_no_torch() -> None:
    program = (
        "import sys, sparring_image; list(sparring_image.plugin.sparring_components()); "
        "assert not {'torch', 'PIL', 'sklearn', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
