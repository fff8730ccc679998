"""LoRA of any network: what it changes, what is saved of it, and that it can be merged."""

from __future__ import annotations

import copy
import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

import sparring
from sparring.api import resume, train
from sparring.errors import CheckpointError, PluginError, RecipeError
from sparring.export.onnx import NEEDED, export_generator
from sparring.recipes.schema import AdaptSpec
from sparring.training import checkpoint
from sparring.transfer.adapt import FINGERPRINT, adapt, kept_out, merge_adapters, merged
from tests.core.training.running import CrashAt, Stop, assert_same_run, tensors, tiny, weights


class Everything(nn.Module):
    """Layers of every kind that can be adapted, and of some that cannot."""

    def __init__(self) -> None:
        super().__init__()
        self.first = weight_norm(nn.Conv1d(2, 4, 3, padding=1))
        self.wide = nn.Conv1d(4, 4, 3, padding=2, dilation=2, padding_mode="reflect")
        self.norm, self.plane = nn.BatchNorm1d(4), nn.Conv2d(1, 3, 3, stride=2, padding=1)
        self.solid, self.linear = nn.Conv3d(1, 2, 2), nn.Linear(4, 5)
        self.bounded, self.up = spectral_norm(nn.Linear(5, 5)), nn.ConvTranspose1d(4, 4, 2)

    def forward(self, sample: Tensor) -> Tensor:
        hidden = self.norm(self.wide(self.first(sample)))
        plane = self.plane(hidden[:, None]).flatten(1)
        solid = self.solid(torch.stack([hidden, hidden], 1)[:, None]).flatten(1)
        return torch.cat([plane, solid, self.bounded(self.linear(hidden.mean(2))), self.up(hidden).flatten(1)], 1)


def made(**options: Any) -> tuple[Everything, Everything]:
    """Return an adapted network, and the one that it was."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = Everything()
        before = copy.deepcopy(network)
        adapt(network, AdaptSpec(use="lora", rank=2, **options), "critic", where="networks.critic.adapt")
    return network, before


def learnt(network: nn.Module, steps: int = 3) -> None:
    """Move what learns; the inner matrices move only once the outer ones are not 0."""
    rng = torch.Generator().manual_seed(1)
    optimizer = torch.optim.SGD([part for part in network.parameters() if part.requires_grad], lr=0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        network(torch.randn(4, 2, 8, generator=rng)).square().mean().backward()
        optimizer.step()


SAMPLE = torch.randn(3, 2, 8, generator=torch.Generator().manual_seed(2))


def test_at_first_nothing_changes_and_then_the_matrices_alone() -> None:
    network, before = made()
    assert network.eval()(SAMPLE).equal(before.eval()(SAMPLE))
    learnt(network.train())
    own = dict(before.named_parameters())
    after = {name.replace("base_layer.", ""): value for name, value in network.named_parameters()}
    assert all(after[name].equal(value) for name, value in own.items())
    adapted = {name.partition(".lora_")[0] for name in after if "lora_" in name}
    assert adapted == {"first", "wide", "plane", "solid", "linear"}
    assert all(bool(value.any()) for name, value in after.items() if "lora_" in name)


def test_merged_it_computes_the_same_and_is_as_it_was_built() -> None:
    network, before = made()
    learnt(network)
    network.eval()
    whole = merged(network)
    torch.testing.assert_close(whole(SAMPLE), network(SAMPLE), rtol=1e-4, atol=1e-5)
    assert not torch.allclose(whole(SAMPLE), before.eval()(SAMPLE), atol=1e-3)
    assert kept_out(network), "the adapted one stays as it is"
    before.load_state_dict(whole.state_dict())
    assert before(SAMPLE).equal(whole(SAMPLE))
    assert merge_adapters(whole) == 0
    assert merged(before) is before


def test_its_state_is_what_learns_and_a_hash() -> None:
    network, _ = made(train=["norm.*"])
    learnt(network)
    state = network.state_dict()
    rest = {name for name in state if "lora_" not in name}
    assert rest == {
        FINGERPRINT,
        *(f"norm.{part}" for part in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")),
        *(f"bounded.parametrizations.weight.0.{part}" for part in ("_u", "_v")),
    }
    again, _ = made(train=["norm.*"])
    again.load_state_dict(state)
    assert again.eval()(SAMPLE).equal(network.eval()(SAMPLE))
    holder = nn.ModuleDict({"critic": network})
    nested = holder.state_dict()
    assert nested.keys() == {f"critic.{name}" for name in state}
    nn.ModuleDict({"critic": again}).load_state_dict(nested)


def test_matrices_beside_other_weights_are_refused() -> None:
    network, _ = made()
    other = Everything()
    adapt(other, AdaptSpec(use="lora", rank=2), "critic", where="")
    with pytest.raises(RuntimeError, match="learnt beside weights of SHA-256"):
        other.load_state_dict(network.state_dict())


def test_a_copy_stands_alone() -> None:
    network, _ = made()
    other = copy.deepcopy(network)
    learnt(other)
    assert network.state_dict().keys() == other.state_dict().keys()
    assert not other.eval()(SAMPLE).equal(network.eval()(SAMPLE))


@pytest.mark.parametrize(
    ("layers", "reason"),
    [
        (["body.*"], "names no layer of 'critic' that can be adapted$"),
        (["linear", "up"], "only up, a transposed convolution"),
        (["bounded"], "whose weight is normalised"),
    ],
)
def test_layers_that_cannot_be_adapted(layers: list[str], reason: str) -> None:
    with pytest.raises(RecipeError) as caught:
        made(layers=layers)
    [problem] = caught.value.problems
    assert problem.where == "networks.critic.adapt.layers"
    assert "first, wide, plane" in problem.remedy
    assert re.search(reason, problem.what)


def test_shared_weights_attention_and_groups_are_left_alone() -> None:
    tied = nn.ModuleDict({"a": nn.Linear(4, 4), "b": nn.Linear(4, 4), "c": nn.MultiheadAttention(4, 2)})
    tied["d"] = nn.Conv1d(4, 4, 3, groups=2)
    tied["b"].weight = tied["a"].weight
    tied["e"] = nn.Linear(4, 4)
    adapt(tied, AdaptSpec(use="lora"), "critic", where="")
    assert {name.partition(".lora_")[0] for name in tied.state_dict() if "lora_" in name} == {"e"}


def test_peft_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(PluginError, match="LoRA needs the library peft") as caught:
        made()
    assert "sparring[lora]" in caught.value.remedy


# ---- runs ----


def transferred(source: Path, **changes: Any) -> dict[str, Any]:
    recipe = tiny({"ema": {"generator": 0.9}, "terms": [{"use": "r1", "every": 2}]}, **changes)
    recipe["networks"]["generator"] |= {"init": {"from": str(source)}, "adapt": {"use": "lora", "rank": 2}}
    recipe["networks"]["discriminator"] |= {"adapt": {"use": "lora", "rank": 1, "alpha": 4.0, "layers": ["hidden.*"]}}
    return recipe


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("source") / "run"
    patch = pytest.MonkeyPatch()
    patch.setattr("sparring.api.write_report", lambda run: run / "report.html")
    train(tiny(), out=folder)
    patch.undo()
    return folder


def test_a_run_resumes_to_the_byte_and_holds_adapters_alone(source: Path, tmp_path: Path) -> None:
    recipe = transferred(source)
    train(recipe, out=tmp_path / "unbroken")
    with pytest.raises(Exception, match=r"^$"):
        train(recipe, out=tmp_path / "broken", listeners=[CrashAt(7)])
    resume(tmp_path / "broken")
    assert_same_run(tmp_path / "unbroken", tmp_path / "broken")
    saved = load_file(checkpoint.listed(tmp_path / "unbroken")[-1] / "generator.safetensors")
    assert all("lora_" in name or name == FINGERPRINT for name in saved)
    assert tensors(tmp_path / "unbroken", "generator").keys() == tensors(source, "generator").keys()


def test_the_result_needs_no_source_and_the_resumed_run_does(source: Path, tmp_path: Path) -> None:
    shutil.copytree(source, tmp_path / "source")
    recipe = transferred(tmp_path / "source")
    train(recipe, out=tmp_path / "whole")
    train(recipe, out=tmp_path / "part", listeners=[Stop(5)])
    unmerged = sparring.load(tmp_path / "part").generate(4).sample  # from a checkpoint, beside the source
    assert unmerged.shape == (4, 2)
    made_with = sparring.load(tmp_path / "whole").generate(4).sample
    train(tiny({"steps": 11}), out=tmp_path / "other")
    file = tmp_path / "source" / "final" / "generator.safetensors"
    file.write_bytes((tmp_path / "other" / "final" / "generator.safetensors").read_bytes())
    with pytest.raises(CheckpointError, match="learnt beside weights of SHA-256"):
        resume(tmp_path / "part")
    shutil.rmtree(tmp_path / "source")
    assert sparring.load(tmp_path / "whole").generate(4).sample.equal(made_with)
    with pytest.raises(CheckpointError, match="does not exist"):
        resume(tmp_path / "part")
    # It is a source like any other.
    following = tiny()
    following["networks"]["generator"]["init"] = {"from": str(tmp_path / "whole")}
    train(following, out=tmp_path / "following", listeners=[Stop(1)])
    record = json.loads((tmp_path / "following" / "environment.json").read_text())["first weights"]
    assert "6 of 6 tensors loaded" in record[0]


def test_final_weights_are_those_that_the_run_evaluated(source: Path, tmp_path: Path) -> None:
    """Merged, the moving average makes the same samples as it did beside the frozen weights, to rounding."""
    train(transferred(source), out=tmp_path / "run")
    whole = sparring.load(tmp_path / "run").generate(8).sample
    shutil.move(tmp_path / "run" / "final", tmp_path / "final")
    torch.testing.assert_close(sparring.load(tmp_path / "run").generate(8).sample, whole, rtol=1e-4, atol=1e-5)


def test_the_best_weights_are_merged(source: Path, tmp_path: Path) -> None:
    recipe = transferred(source, checkpoint={"every": 4, "keep": {"best": "modes"}})
    recipe["evaluate"] = {"every": 5, "count": 40, "metrics": [{"use": "modes"}]}
    train(recipe, out=tmp_path / "run")
    assert tensors(tmp_path / "run", "generator").keys() == tensors(source, "generator").keys()
    assert sparring.load(tmp_path / "run").generate(2).sample.shape == (2, 2)


def test_plain_modules_are_adapted_by_the_names_of_their_own(tmp_path: Path) -> None:
    class Maker(nn.Module):
        latent_shape = (4,)

        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))

        def forward(self, latent: Tensor) -> Tensor:
            made: Tensor = self.net(latent)
            return made

    recipe = tiny()
    recipe["networks"]["generator"] = {"use": "given", "adapt": {"use": "lora", "rank": 1, "layers": ["net.0"]}}
    first = Maker()
    own = first.net[2].weight.detach().clone()
    train(recipe, networks={"generator": copy.deepcopy(first)}, out=tmp_path / "unbroken")
    train(recipe, networks={"generator": copy.deepcopy(first)}, out=tmp_path / "broken", listeners=[Stop(5)])
    resume(tmp_path / "broken", networks={"generator": copy.deepcopy(first)})
    assert weights(tmp_path / "broken") == weights(tmp_path / "unbroken")
    found = tensors(tmp_path / "unbroken", "generator")
    assert set(found) == {"net.0.weight", "net.0.bias", "net.2.weight", "net.2.bias"}
    assert found["net.2.weight"].equal(own)
    assert sparring.load(tmp_path / "unbroken", networks={"generator": Maker()}).generate(2).sample.shape == (2, 2)


def test_a_run_is_exported_whole(source: Path, tmp_path: Path) -> None:
    for package in NEEDED:
        pytest.importorskip(package)
    train(transferred(source, stages=[{**tiny()["stages"][0], "steps": 2}]), out=tmp_path / "run")
    loaded = sparring.load(tmp_path / "run")
    exported = export_generator(loaded.networks["generator"], loaded.space, {}, tmp_path)
    assert exported.difference is None or exported.difference < 1e-5


def test_adapters_thawing_and_an_anchor_together_resume_to_the_byte(source: Path, tmp_path: Path) -> None:
    recipe = tiny({"thaw": {"discriminator": [{"match": ["hidden.*"], "at": 5}]}, "ema": {"generator": 0.9}})
    recipe["networks"]["generator"] |= {"init": {"from": str(source)}, "adapt": {"use": "lora", "rank": 2}}
    recipe["networks"]["discriminator"]["init"] = {"from": str(source), "freeze": ["hidden.*"]}
    recipe["stages"][0]["terms"] = [
        {"use": "anchor", "hold": "outputs"},
        {"use": "anchor", "name": "critic", "network": "discriminator", "weight": 0.1},
    ]
    train(recipe, out=tmp_path / "unbroken")
    for crash in (3, 7):
        folder = tmp_path / f"broken-{crash}"
        with pytest.raises(Exception, match=r"^$"):
            train(recipe, out=folder, listeners=[CrashAt(crash)])
        resume(folder)
        assert_same_run(tmp_path / "unbroken", folder)
