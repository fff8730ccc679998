"""Starting from other weights: where they are found, what becomes of names, sizes and classes, and what is said."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from sparring.api import train
from sparring.errors import CheckpointError
from sparring.networks.frozen import Frozen
from sparring.recipes.schema import InitializeFrom
from sparring.training.checkpoint import write_weights
from sparring.transfer.fitting import fit, rename
from sparring.transfer.weights import initialize_from
from tests.core.training.running import Stop, tiny


class Labelled(nn.Module):
    """A network with a row for each class, and a layer whose width may differ."""

    def __init__(self, classes: int = 3, width: int = 4, fill: float = 0.0) -> None:
        super().__init__()
        self.embedding, self.hidden = nn.Embedding(classes, 4), nn.Linear(4, width)
        self.head = nn.Linear(4, classes)
        with torch.no_grad():
            for number, parameter in enumerate(self.parameters(), 1):
                parameter.copy_(fill * number + torch.arange(parameter.numel()).view_as(parameter) * fill / 100)


def saved(folder: Path, network: nn.Module, classes: list[str] | None = None) -> Path:
    """Write a network as a run's final weights, and its classes beside them."""
    (folder / "final").mkdir(parents=True, exist_ok=True)
    write_weights(network, folder / "final" / "generator.safetensors")
    if classes is not None:
        config = {"spaces": {"conditions": {"label": {"use": "label", "classes": classes}}}}
        (folder / "final" / "config.json").write_text(json.dumps(config))
    return folder


def start(module: nn.Module, source: Path | str, classes: list[str] | None = None, **init: Any) -> str:
    spec = InitializeFrom.model_validate({"from": str(source), **init})
    return "\n".join(initialize_from(module, spec, "generator", where="networks.generator.init", classes=classes))


# ---- where they are found ----


def test_files_and_folders(tmp_path: Path) -> None:
    theirs = Labelled(fill=1.0)
    run = saved(tmp_path / "run", theirs)
    safe, torchs = run / "final" / "generator.safetensors", tmp_path / "weights.pth"
    torch.save({"step": 3, "generator_state": theirs.state_dict()}, torchs)
    plain = tmp_path / "model" / "model.safetensors"
    plain.parent.mkdir()
    plain.write_bytes(safe.read_bytes())
    for source, network in ((run, None), (safe, None), (plain.parent, None), (torchs, "generator_state")):
        ours = Labelled()
        said = start(ours, source, network=network)
        assert "5 of 5 tensors loaded" in said
        assert all(value.equal(theirs.state_dict()[name]) for name, value in ours.state_dict().items())
    assert "SHA-256 " in said


def test_files_that_are_no_weights(tmp_path: Path) -> None:
    harmful = tmp_path / "harmful.pt"
    torch.save({"weight": print}, harmful)
    several = tmp_path / "several.pt"
    torch.save({"a": {"weight": torch.zeros(1)}, "b": {"weight": torch.zeros(1)}}, several)
    (tmp_path / "noise.tar").write_bytes(b"noise")
    for name, network, match in (
        ("harmful.pt", None, "cannot be read"),
        ("noise.tar", None, "cannot be read"),
        ("several.pt", None, "holds no tensors by name"),
        ("several.pt", "c", "has no entry 'c'"),
    ):
        with pytest.raises(CheckpointError, match=match):
            start(Labelled(), tmp_path / name, network=network)


def test_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = pytest.importorskip("huggingface_hub")
    monkeypatch.chdir(tmp_path)
    asked: list[tuple[str, str, str | None]] = []
    theirs = saved(tmp_path / "cache", Labelled(fill=1.0)) / "final" / "generator.safetensors"

    def download(repository: str, name: str, revision: str | None = None) -> str:
        asked.append((repository, name, revision))
        if name != "generator.safetensors":
            raise hub.errors.EntryNotFoundError("there is no such file")
        return str(theirs)

    monkeypatch.setattr(hub, "hf_hub_download", download)
    assert "5 of 5 tensors loaded" in start(Labelled(), "somebody/digits@v2")
    assert asked == [("somebody/digits", f"{part}generator.safetensors", "v2") for part in ("final/", "")]

    for error in (OSError, hub.errors.LocalEntryNotFoundError):

        def offline(*given: object, error: type[Exception] = error, **named: object) -> str:
            raise error("no route to host")

        monkeypatch.setattr(hub, "hf_hub_download", offline)
        with pytest.raises(CheckpointError, match="hub does not give it: no route") as caught:
            start(Labelled(), "somebody/digits")
        assert "no folder here" in caught.value.what
    # The folder is there, so that a path was meant: nothing is asked of the network.
    with pytest.raises(CheckpointError, match="'cache/digits' does not exist"):
        start(Labelled(), "cache/digits")


def test_what_was_loaded_is_in_the_record(tmp_path: Path) -> None:
    train(tiny(), out=tmp_path / "source", listeners=[])
    recipe = tiny()
    recipe["networks"]["generator"]["init"] = {"from": str(tmp_path / "source"), "freeze": ["hidden.0.*"]}
    train(recipe, out=tmp_path / "run", listeners=[Stop(1)])
    record = json.loads((tmp_path / "run" / "environment.json").read_text())["first weights"]
    assert "6 of 6 tensors loaded" in record[0]
    assert "2 parameters frozen" in record[1]


# ---- names ----


@pytest.mark.parametrize(
    ("prefixes", "expected"),
    [
        ({"main.3": "blocks.0"}, ["blocks.0.weight", "main.30.weight", "bias"]),
        ({"main": ""}, ["3.weight", "30.weight", "bias"]),
        ({"": "inner"}, ["inner.main.3.weight", "inner.main.30.weight", "inner.bias"]),
        ({"main.30": "last", "main": "body", "": "rest"}, ["body.3.weight", "last.weight", "rest.bias"]),
        ({"mai": "x"}, ["main.3.weight", "main.30.weight", "bias"]),
    ],
)
def test_beginnings_of_names(prefixes: Mapping[str, str], expected: list[str]) -> None:
    names = {name: torch.zeros(()) for name in ("main.3.weight", "main.30.weight", "bias")}
    assert list(rename(names, prefixes)) == expected


def test_renamed_weights_fit(tmp_path: Path) -> None:
    file = tmp_path / "other.safetensors"
    save_file({"net.fc.weight": torch.ones(4, 4), "net.fc.bias": torch.ones(4)}, file)
    network = nn.ModuleDict({"layer": nn.Linear(4, 4)})
    with pytest.raises(CheckpointError, match="2 of its tensors are missing there") as caught:
        start(network, file)
    assert "`rename`" in caught.value.remedy
    assert "2 of 2" in start(network, file, rename={"net.fc": "layer"})
    with pytest.raises(CheckpointError, match=r"nothing in .* fits") as caught:
        start(network, file, strict=False)
    assert "net.fc.weight" in caught.value.remedy


# ---- sizes and classes ----


def rows(network: Labelled) -> list[float]:
    return [round(float(value), 2) for value in network.embedding.weight[:, 0].detach()]


def test_another_number_of_classes(tmp_path: Path) -> None:
    source = saved(tmp_path, Labelled(classes=3, fill=1.0))
    ours = Labelled(classes=5)
    with pytest.raises(CheckpointError, match="3 of its tensors are missing there or have another shape"):
        start(ours, source)
    said = start(ours, source, strict=False)
    assert "5 of 5 tensors loaded" in said
    assert "embedding.weight (3 of 5 by position, from 3 there)" in said
    assert rows(ours) == [1.0, 1.04, 1.08, 0.0, 0.0]
    assert ours.head.bias.tolist() == pytest.approx([5.0, 5.01, 5.02, 0.0, 0.0])


def test_classes_find_their_namesakes(tmp_path: Path) -> None:
    source = saved(tmp_path, Labelled(classes=3, fill=1.0), ["cat", "dog", "owl"])
    ours = Labelled(classes=4)
    said = start(ours, source, ["owl", "elk", "cat", "bee"], strict=False)
    assert "embedding.weight (2 of 4 by the classes' names, from 3 there)" in said
    assert rows(ours) == [1.08, 0.0, 1.0, 0.0]
    # As many classes in another order: the rows move, and nothing is refused.
    ours = Labelled(classes=3)
    assert "by the classes' names" in start(ours, source, ["owl", "cat", "dog"])
    assert rows(ours) == [1.08, 1.0, 1.04]
    ours = Labelled(classes=3)
    start(ours, source, ["cat", "dog", "owl"])
    assert rows(ours) == [1.0, 1.04, 1.08]


def test_quite_other_classes_pass_on_by_position(tmp_path: Path) -> None:
    source = saved(tmp_path, Labelled(classes=3, fill=1.0), ["0", "1", "2"])
    ours = Labelled(classes=3)
    said = start(ours, source, ["5", "6", "7"])
    assert "the classes there (0, 1, 2) are others than here (5, 6, 7)" in said
    assert rows(ours) == [1.0, 1.04, 1.08]


def test_another_width(tmp_path: Path) -> None:
    source = saved(tmp_path, Labelled(width=4, fill=1.0))
    ours = Labelled(width=2)
    said = start(ours, source, strict=False)
    assert "hidden.weight (2 of 2 by position, from 4 there)" in said
    assert ours.hidden.bias.tolist() == pytest.approx([3.0, 3.01])


def test_tensors_that_differ_along_two_dimensions_keep_their_values() -> None:
    theirs: dict[str, Tensor] = {"a": torch.ones(2, 3), "b": torch.ones(2), "c": torch.ones(2, 1)}
    ours = {"a": torch.zeros(3, 2), "b": torch.zeros(2), "c": torch.zeros(2), "d": torch.zeros(1)}
    found = fit(theirs, ours)
    assert list(found.values) == ["b"]
    assert found.missing == ["a", "c", "d"]


def test_a_frozen_part_that_is_another_is_refused(tmp_path: Path) -> None:
    def critic(digit: str) -> nn.Module:
        return nn.ModuleDict({"body": Frozen(nn.Linear(2, 2), digit * 64), "head": nn.Linear(2, 1)})

    source = saved(tmp_path, critic("a"))
    assert "3 of 3" in start(critic("a"), source)
    with pytest.raises(CheckpointError, match="pretrained weights of SHA-256"):
        start(critic("b"), source)
