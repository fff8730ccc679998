"""ONNX: an exported generator computes what torch does, for any number of rows, and its description is right."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sparring.cli import main
from sparring.errors import PluginError, SparringError
from sparring.export import onnx as exporting
from sparring.export.onnx import Exported, Port, export_generator
from sparring.interfaces.data import Condition
from sparring.interfaces.generator import Generated, Generator
from sparring.interfaces.space import Space
from sparring.networks.mlp import MLPDiscriminator
from sparring.plugins.options import ComponentSpec
from sparring.plugins.registry import Registry
from sparring.spaces.label import LabelSpace
from sparring.testing import StandInSequenceGenerator, StandInTokens
from sparring_image.spaces import ImageSpace

torch.set_num_threads(1)

MISSING = [name for name in (*exporting.NEEDED, "onnxruntime") if importlib.util.find_spec(name) is None]
needs_onnx = pytest.mark.skipif(
    bool(MISSING), reason=f"{', '.join(MISSING)} not installed: `pip install sparring[onnx]` to test the export"
)

WIDE = ImageSpace(3, 8, 12)
LABELS = {"label": LabelSpace(["low", "middle", "high"])}
NETWORKS: list[tuple[dict[str, Any], Mapping[str, Space]]] = [
    ({"use": "image/dcgan", "width": 4, "label": "batch-norm"}, LABELS),
    ({"use": "image/resnet", "width": 4}, LABELS),
    ({"use": "image/r3gan", "width": 8, "blocks": 1}, LABELS),
    ({"use": "image/mlp", "width": 8}, {}),
]


def built(options: Mapping[str, Any], conditions: Mapping[str, Space]) -> Generator:
    """Return a generator whose every weight and statistic has been moved from its first value."""
    torch.manual_seed(0)
    spec = ComponentSpec.model_validate(options)
    generator = Registry().build("generator", spec, "generator", space=WIDE, conditions=conditions)
    assert isinstance(generator, Generator)
    with torch.no_grad():
        for parameter in generator.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
        for module in generator.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean, module.running_var = (
                    torch.randn(module.num_features),
                    torch.rand(module.num_features),
                )
    return generator


def computed(exported: Exported, given: Mapping[str, Tensor]) -> list[Tensor]:
    """Return what onnxruntime makes of inputs."""
    import onnxruntime  # type: ignore[import-untyped,import-not-found,unused-ignore]

    session = onnxruntime.InferenceSession(str(exported.file), providers=["CPUExecutionProvider"])
    assert [one.name for one in session.get_inputs()] == [port.name for port in exported.inputs]
    found = session.run([port.name for port in exported.outputs], {name: one.numpy() for name, one in given.items()})
    return [torch.from_numpy(one) for one in found]


def test_the_list_is_not_empty() -> None:
    assert len(NETWORKS) > 3


@needs_onnx
@pytest.mark.parametrize(("options", "conditions"), NETWORKS)
def test_the_graph_equals_torch(options: dict[str, Any], conditions: Mapping[str, Space], tmp_path: Path) -> None:
    generator = built(options, conditions)
    exported = export_generator(generator, WIDE, conditions, tmp_path)
    assert generator.training, "the caller's network is left as it was"
    assert exported.difference is not None
    assert exported.difference < 1e-4
    for rows in (1, 7):
        latent = generator.latent(rows, rng=torch.Generator().manual_seed(rows))
        assert latent is not None
        condition = {"label": torch.arange(rows) % 3} if conditions else {}
        with torch.no_grad():
            expected = generator.eval()(latent, condition)
        (sample,) = computed(exported, {"latent": latent, **condition})
        assert sample.shape == (rows, 3, 8, 12)
        torch.testing.assert_close(sample, expected, atol=1e-4, rtol=0)


@needs_onnx
def test_the_description(tmp_path: Path) -> None:
    generator = built({"use": "image/dcgan", "width": 4, "latent_dim": 6}, LABELS)
    exported = export_generator(generator, WIDE, LABELS, tmp_path / "new", "artist")
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["artist.json", "artist.onnx"]
    found = json.loads(exported.description.read_text(encoding="utf-8"))
    assert found["graph"] == "artist.onnx"
    assert found["inputs"] == [
        {"name": "latent", "type": "float32", "shape": ["batch", 6], "values": "drawn from N(0, 1)"},
        {
            "name": "label",
            "type": "int64",
            "shape": ["batch"],
            "values": "0 to 2",
            "classes": ["low", "middle", "high"],
        },
    ]
    (sample,) = found["outputs"]
    assert (sample["name"], sample["shape"]) == ("sample", ["batch", 3, 8, 12])
    assert "[-1, 1]" in sample["values"]
    assert found["space"] == {"channels": 3, "height": 8, "width": 12}
    assert found["difference_to_torch"] < 1e-4


class Translator(Generator):
    """A generator without a latent, that says lengths, draws noise in training, and has a latent of its own kind."""

    def __init__(self, *, with_latent: bool) -> None:
        super().__init__()
        self.latent_shape = (2,) if with_latent else None
        self.drop = nn.Dropout(0.5)

    def latent(self, n: int, *, rng: torch.Generator) -> Tensor | None:
        return None if self.latent_shape is None else torch.rand(n, 2, generator=rng)

    def forward(self, latent: Tensor | None, condition: Condition) -> Generated:
        image = self.drop(condition["image"])
        moved = image if latent is None else image + latent.sum(1)[:, None, None, None]
        return Generated(moved, lengths=(image > 0).flatten(1).sum(1))


@needs_onnx
@pytest.mark.parametrize("with_latent", [False, True])
def test_other_inputs_and_outputs(with_latent: bool, tmp_path: Path) -> None:
    generator = Translator(with_latent=with_latent)
    exported = export_generator(generator, WIDE, {"image": WIDE}, tmp_path)
    latent = [Port("latent", "float32", ("batch", 2), "as the generator's own `latent` draws it")]
    assert exported.inputs[:-1] == (latent if with_latent else [])
    assert (exported.inputs[-1].name, exported.inputs[-1].shape) == ("image", ("batch", 3, 8, 12))
    assert [(port.name, port.type, port.shape) for port in exported.outputs] == [
        ("sample", "float32", ("batch", 3, 8, 12)),
        ("lengths", "int64", ("batch",)),
    ]
    image = torch.randn(4, 3, 8, 12)
    given = {"latent": torch.tensor([[0.25, 0.5]] * 4)} if with_latent else {}
    sample, lengths = computed(exported, {**given, "image": image})
    torch.testing.assert_close(sample, image + (0.75 if with_latent else 0))
    assert torch.equal(lengths, (image > 0).flatten(1).sum(1))


class Looking(Generator):
    """A generator whose branch depends on values."""

    latent_shape = (2,)

    def forward(self, latent: Tensor | None, condition: Condition) -> Tensor:
        assert latent is not None
        return latent if latent.sum() > 0 else -latent


class Refusing(Generator):
    """A generator that knows that it cannot be written as a graph."""

    latent_shape = (2,)

    def forward(self, latent: Tensor | None, condition: Condition) -> Tensor:
        assert latent is not None
        if torch.compiler.is_exporting():
            raise SparringError("Refusing iterates", remedy="export another")
        return latent


@needs_onnx
def test_what_cannot_be_a_graph_is_said_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(SparringError, match="Looking cannot be written as a graph") as caught:
        export_generator(Looking(), WIDE, {}, tmp_path)
    assert "branch" in caught.value.remedy
    assert "\n" not in caught.value.what
    assert list(tmp_path.iterdir()) == []


@needs_onnx
def test_a_generator_can_say_itself_why_it_is_no_graph(tmp_path: Path) -> None:
    with pytest.raises(SparringError, match="Refusing iterates") as caught:
        export_generator(Refusing(), WIDE, {}, tmp_path)
    assert caught.value.remedy == "export another"


@needs_onnx
def test_only_generators_of_one_pass(tmp_path: Path) -> None:
    for network in (MLPDiscriminator(WIDE, {}), StandInSequenceGenerator(StandInTokens())):
        with pytest.raises(SparringError, match="cannot be exported"):
            export_generator(network, WIDE, {}, tmp_path)


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(exporting, "NEEDED", ("onnx_that_is_not_there",))
    with pytest.raises(PluginError, match="onnx_that_is_not_there is not installed") as caught:
        export_generator(built(*NETWORKS[0]), WIDE, {}, tmp_path)
    assert "sparring[onnx]" in caught.value.remedy


RECIPE = """
schema: 1
name: tests/tiny
data: {use: image/digits}
networks:
  generator: {use: image/dcgan, width: 4}
  discriminator: {use: image/dcgan, width: 4}
stages:
  - name: contend
    objective: {use: adversarial, loss: non-saturating}
    steps: 1
    batch: 8
    optimizers: {generator: {use: adam}, discriminator: {use: adam}}
checkpoint: {every: 1}
"""


@needs_onnx
def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(RECIPE, encoding="utf-8")
    assert main(["run", "tiny.yaml", "--out", "run"]) == 0
    capsys.readouterr()
    assert main(["export", "run"]) == 0
    out, err = capsys.readouterr()
    assert "latent" in out
    assert "batch x 1 x 8 x 8" in out
    assert "differ by at most" in err
    assert sorted(path.name for path in Path("run/export").iterdir()) == ["generator.json", "generator.onnx"]

    assert main(["export", "run", "--out", "elsewhere", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["file"] == "elsewhere/generator.onnx"
    assert [port["name"] for port in found["inputs"]] == ["latent", "label"]
    assert found["difference"] < 1e-4

    assert main(["export", "run", "--network", "critic"]) == 1
    assert "no network 'critic'" in capsys.readouterr().err
    assert main(["export", "run", "--network", "discriminator"]) == 1
    assert "cannot be exported" in capsys.readouterr().err
    assert main(["export", "nowhere"]) == 1
