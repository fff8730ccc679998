"""Sparring from Python: plain modules and tensors, loading, generating, scoring, trying out, transfer."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

import sparring
from sparring.api import resume, train
from sparring.errors import CheckpointError, SparringError
from sparring.trial import try_out
from tests.core.training.running import EVALUATE, PARTS, SAMPLES, Stop, lines, tensors, tiny, weights

LABELLED = {"use": "points", "count": 128, "modes": 4, "labels": True}


class Maker(nn.Module):
    """A plain module, as a notebook has it."""

    latent_shape = (3,)

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 5))

    def forward(self, latent: Tensor) -> Tensor:
        made: Tensor = self.net(latent)
        return made


def critic() -> nn.Module:
    return nn.Sequential(nn.Linear(5, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1))


def tensor_data() -> Tensor:
    return torch.randn(200, 5, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run with an average and evaluations; no test changes it."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    train(tiny({"ema": {"generator": 0.8}}, evaluate=EVALUATE), out=folder)
    return folder


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("labelled") / "run"
    train(tiny(data=LABELLED), out=folder)
    return folder


# ---- plain modules and tensors ----


def given() -> dict[str, nn.Module]:
    torch.manual_seed(0)
    return {"generator": Maker(), "discriminator": critic()}


def test_plain_modules_and_a_tensor(tmp_path: Path) -> None:
    networks = given()
    before = {name: value.clone() for name, value in networks["generator"].state_dict().items()}
    result = sparring.train(tiny(), networks=networks, data=tensor_data(), out=tmp_path / "run")
    assert (result.status, result.step, result.folder) == ("finished", 10, tmp_path / "run")
    # The module that was handed over is the one that was trained, and its saved weights keep their names.
    after = networks["generator"].state_dict()
    assert any(not after[name].equal(value) for name, value in before.items())
    saved = load_file(tmp_path / "run" / "final" / "generator.safetensors")
    assert {name: value.tolist() for name, value in saved.items()} == {
        name: value.tolist() for name, value in after.items()
    }
    again = Maker()
    again.load_state_dict(saved)
    loaded = sparring.load(tmp_path / "run", networks={"generator": again, "discriminator": critic()})
    made = loaded.generate(7, seed=3)
    assert made.sample.shape == (7, 5)
    assert made.sample.equal(loaded.generate(7, seed=3).sample)


def test_a_run_of_given_objects_resumes_with_them(tmp_path: Path) -> None:
    recipe = tiny({"ema": {"generator": 0.9}}, samples=SAMPLES)
    train(recipe, networks=given(), data=tensor_data(), out=tmp_path / "unbroken")
    train(recipe, networks=given(), data=tensor_data(), out=tmp_path / "broken", listeners=[Stop(5)])
    resume(tmp_path / "broken", networks=given(), data=tensor_data())
    assert weights(tmp_path / "broken") == weights(tmp_path / "unbroken")
    assert lines(tmp_path / "broken") == lines(tmp_path / "unbroken")


def test_what_was_given_must_be_given_again(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    train(tiny(evaluate=None), networks=given(), data=tensor_data(), out=folder, listeners=[Stop(5)])
    for attempt in (lambda: sparring.load(folder), lambda: resume(folder)):
        with pytest.raises(SparringError) as caught:
            attempt()
        message = str(caught.value)
        assert "handed over as an object" in message
        assert "networks.generator" in message
        assert "networks={'generator': …" in message
    with pytest.raises(SparringError) as caught:
        resume(folder, networks=given())
    assert "handed over as an object" in str(caught.value)
    assert "data=" in str(caught.value)
    # Data are not needed to generate without conditions, and are to evaluate.
    assert len(sparring.load(folder, networks=given()).generate(3)) == 3


def test_evaluating_a_run_whose_data_were_given(tmp_path: Path) -> None:
    recipe = tiny(evaluate={"every": 10, "count": 20, "metrics": [{"use": "parts/rows"}]})
    folder = tmp_path / "run"
    result = train(recipe, networks=given(), data=tensor_data(), out=folder, plugins=[PARTS])
    assert result.metrics == {"rows_seen": 40.0}
    loaded = sparring.load(folder, networks=given(), plugins=[PARTS])
    with pytest.raises(SparringError, match="handed over as an object"):
        loaded.evaluate()


class Conditional(nn.Module):
    """Plain modules may take the condition too."""

    latent_shape = (2,)

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.last = nn.Embedding(4, 2), nn.Linear(2, 2)

    def forward(self, latent: Tensor, condition: Any) -> Tensor:
        made: Tensor = self.last(latent + self.embedding(condition["label"]))
        return made


def test_a_plain_module_may_take_the_condition(tmp_path: Path) -> None:
    module = Conditional()
    train(tiny(data=LABELLED), networks={"generator": module}, out=tmp_path / "run")
    loaded = sparring.load(tmp_path / "run", networks={"generator": module})
    assert not loaded.generate(4, condition={"label": 0}).sample.equal(
        loaded.generate(4, condition={"label": 1}).sample
    )


def test_a_generator_says_what_drives_it(tmp_path: Path) -> None:
    with pytest.raises(SparringError, match="does not say what it is driven by") as caught:
        train(tiny(), networks={"generator": nn.Linear(3, 2)}, out=tmp_path / "run")
    assert "latent_shape" in caught.value.remedy
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("data", [torch.zeros(5), torch.zeros(5, 2, dtype=torch.long), [[0.0, 1.0]]])
def test_what_is_no_data_is_refused(data: Any, tmp_path: Path) -> None:
    with pytest.raises(SparringError, match="data must be"):
        train(tiny(), networks=given(), data=data, out=tmp_path / "run")


def test_a_given_network_starts_from_where_the_recipe_says(tmp_path: Path) -> None:
    """Handing a module over does not silently undo ``init: {from: …, freeze: …}``."""
    first = Maker()
    train(tiny(), networks={"generator": first, "discriminator": critic()}, data=tensor_data(), out=tmp_path / "first")
    recipe = tiny()
    recipe["networks"]["generator"]["init"] = {"from": str(tmp_path / "first"), "freeze": ["net.0.*"]}
    second = Maker()
    train(
        recipe, networks={"generator": second, "discriminator": critic()}, data=tensor_data(), out=tmp_path / "second"
    )
    assert second.net[0].weight.equal(first.net[0].weight)
    assert not second.net[2].weight.equal(first.net[2].weight)


# ---- loading and generating ----


def test_generating_is_deterministic(run: Path) -> None:
    one, other = sparring.load(run), sparring.load(run)
    torch.manual_seed(1)
    first = one.generate(300, seed=5).sample
    torch.manual_seed(2)
    state = torch.get_rng_state()
    assert first.equal(other.generate(300, seed=5).sample)
    assert torch.get_rng_state().equal(state), "the caller's own random numbers are left alone"
    assert not first.equal(one.generate(300, seed=6).sample)
    assert first.shape == (300, 2)


def test_loading_gives_the_final_weights(run: Path) -> None:
    loaded = sparring.load(run)
    assert loaded.recipe.name == "tests/tiny"
    assert set(loaded.networks) == {"generator", "discriminator"}
    for role, network in loaded.networks.items():
        assert not network.training
        assert not any(parameter.requires_grad for parameter in network.parameters())
        for name, value in tensors(run, role).items():
            assert network.state_dict()[name].equal(value)


def test_an_unfinished_run_loads_its_last_checkpoint(tmp_path: Path) -> None:
    train(tiny({"ema": {"generator": 0.8}}), out=tmp_path / "run", listeners=[Stop(5)])
    saved = load_file(tmp_path / "run" / "checkpoints" / "00000005" / "generator.average.safetensors")
    state = sparring.load(tmp_path / "run").networks["generator"].state_dict()
    assert all(state[name].equal(value) for name, value in saved.items())


def test_a_moved_folder_still_loads(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = sparring.load(run).generate(9).sample
    shutil.copytree(run, tmp_path / "elsewhere" / "renamed")
    monkeypatch.chdir(tmp_path)
    moved = sparring.load(Path("elsewhere") / "renamed")
    assert moved.generate(9).sample.equal(expected)
    assert moved.evaluate() == sparring.load(run).evaluate()
    assert resume(Path("elsewhere") / "renamed").status == "finished"


def test_a_run_of_a_gpu_loads_where_there_is_none(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "run")
    file = tmp_path / "run" / "recipe.yaml"
    file.write_text(file.read_text().replace("device: cpu", "device: cuda"))
    made = sparring.load(tmp_path / "run").generate(9).sample
    torch.testing.assert_close(made, sparring.load(run).generate(9).sample, rtol=1e-3, atol=1e-3)


def test_what_is_no_run_does_not_load(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no run"):
        sparring.load(tmp_path)


def test_evaluating_gives_the_runs_last_evaluation(run: Path) -> None:
    last = [line["values"] for line in lines(run) if line["event"] == "evaluate"][-1]
    assert sparring.load(run).evaluate() == last


def test_evaluating_what_evaluates_nothing(labelled: Path) -> None:
    with pytest.raises(SparringError, match="no metric"):
        sparring.load(labelled).evaluate()


# ---- conditions ----


def test_conditions_by_name_index_and_tensor(labelled: Path) -> None:
    loaded = sparring.load(labelled)
    by_index = loaded.generate(6, condition={"label": 2}, seed=1)
    assert by_index.condition["label"].tolist() == [2] * 6
    for value in ("2", torch.tensor([2] * 6)):
        assert loaded.generate(6, condition={"label": value}, seed=1).sample.equal(by_index.sample)
    assert not loaded.generate(6, condition={"label": 1}, seed=1).sample.equal(by_index.sample)
    mixed = loaded.generate(4, condition={"label": torch.tensor([3, 2, 1, 0])})
    assert mixed.condition["label"].tolist() == [3, 2, 1, 0]
    # What is left out is varied.
    assert loaded.generate(6).condition["label"].tolist() == [0, 1, 2, 3, 0, 1]


@pytest.mark.parametrize(
    ("condition", "what"),
    [
        ({"lable": 1}, "no condition 'lable'"),
        ({"label": "nine"}, "'nine' is no class"),
        ({"label": 9}, "9 is no class"),
        ({"label": torch.tensor([1, 2])}, "2 rows"),
    ],
)
def test_a_condition_that_is_wrong(condition: dict[str, Any], what: str, labelled: Path) -> None:
    with pytest.raises(SparringError, match=what) as caught:
        sparring.load(labelled).generate(5, condition=condition)
    assert caught.value.remedy


def test_an_unconditional_run_takes_no_condition(run: Path) -> None:
    with pytest.raises(SparringError, match="no condition 'label'") as caught:
        sparring.load(run).generate(5, condition={"label": 1})
    assert "unconditional" in caught.value.remedy


# ---- trying out ----


def test_trying_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    first, second = (tiny({"name": name, "steps": 5000})["stages"][0] for name in ("first", "second"))
    found = try_out(tiny(stages=[first, second], evaluate=EVALUATE, samples=SAMPLES))
    assert found.keys() == {
        "peak_memory_bytes",
        "steps_per_second",
        "seconds_to_finish",
        "checkpoint_bytes",
        "disk_bytes",
    }
    assert found["steps_per_second"].keys() == {"first", "second"}
    assert found["seconds_to_finish"] == pytest.approx(sum(5000 / one for one in found["steps_per_second"].values()))
    assert 1e3 < found["checkpoint_bytes"] < found["disk_bytes"] < 1e6
    assert found["peak_memory_bytes"] > 1e7
    assert not list(tmp_path.iterdir()), "nothing is left behind"


# ---- transfer ----


def transferred(source: Path | str, **init: Any) -> dict[str, Any]:
    recipe = tiny({"ema": {"generator": 0.9}, "terms": [{"use": "r1", "every": 2}]})
    recipe["networks"]["generator"]["init"] = {"from": str(source), **init}
    return recipe


def test_weights_come_from_a_run_and_those_frozen_stay(run: Path, tmp_path: Path) -> None:
    said: list[str] = []

    class Listener:
        def show_note(self, level: str, source: str, finding: str, remedy: str) -> None:
            said.append(finding)

    recipe = transferred(run, freeze=["hidden.0.*"])
    train(recipe, out=tmp_path / "run", listeners=[Listener()])
    theirs, ours = tensors(run, "generator"), tensors(tmp_path / "run", "generator")
    for name, value in theirs.items():
        assert ours[name].equal(value) is name.startswith("hidden.0."), name
    assert any("6 of 6 tensors loaded" in sentence for sentence in said)
    assert any("2 parameters frozen by 'hidden.0.*'" in sentence for sentence in said)


def test_a_transferred_run_resumes_where_its_source_is_gone(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "source")
    recipe = transferred(tmp_path / "source", freeze=["hidden.0.*"])
    train(recipe, out=tmp_path / "unbroken")
    train(recipe, out=tmp_path / "broken", listeners=[Stop(5)])
    shutil.rmtree(tmp_path / "source")
    resume(tmp_path / "broken")
    assert weights(tmp_path / "broken") == weights(tmp_path / "unbroken")
    assert sparring.load(tmp_path / "broken").generate(3).sample.shape == (3, 2)
    resume(tmp_path / "broken", out=tmp_path / "branch", step=5)
    assert weights(tmp_path / "branch") == weights(tmp_path / "unbroken")


def test_weights_come_from_a_file_and_from_another_role(run: Path, tmp_path: Path) -> None:
    train(transferred(run / "final" / "generator.safetensors", freeze=["*.0.bias"]), out=tmp_path / "file")
    expected = tensors(run, "generator")["hidden.0.0.bias"]
    assert tensors(tmp_path / "file", "generator")["hidden.0.0.bias"].equal(expected)
    with pytest.raises(CheckpointError, match="do not fit the network 'generator'"):
        train(transferred(run, network="discriminator"), out=tmp_path / "role")
    with pytest.raises(CheckpointError, match="no final weights of 'critic'") as caught:
        train(transferred(run, network="critic"), out=tmp_path / "role")
    assert "discriminator, generator" in caught.value.remedy


def test_weights_that_fit_in_part(run: Path, tmp_path: Path) -> None:
    recipe = transferred(run)
    recipe["networks"]["generator"]["depth"] = 3
    with pytest.raises(CheckpointError, match=r"2 of its tensors are missing there") as caught:
        train(recipe, out=tmp_path / "strict")
    assert "strict: false" in caught.value.remedy
    assert "hidden.2.0.weight" in caught.value.what
    said: list[str] = []

    class Listener:
        def show_note(self, level: str, source: str, finding: str, remedy: str) -> None:
            said.append(finding)

    recipe["networks"]["generator"]["init"]["strict"] = False
    train(recipe, out=tmp_path / "lax", listeners=[Listener()])
    assert any("6 of 8 tensors loaded" in sentence for sentence in said)
    assert any("keep their first values: hidden.2.0.bias, hidden.2.0.weight" in sentence for sentence in said)


def test_a_pattern_that_freezes_nothing(run: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"'body\.\*' names no parameter") as caught:
        train(transferred(run, freeze=["body.*"]), out=tmp_path / "run")
    assert "hidden.0.0.weight" in caught.value.remedy
    with pytest.raises(SparringError, match="1 mistake") as everything:
        train(transferred(run, freeze=["*"]), out=tmp_path / "run")
    assert "stages.0.optimizers.generator" in str(everything.value)


def test_an_initializer_sets_the_first_weights(tmp_path: Path) -> None:
    recipe = tiny()
    recipe["networks"]["generator"]["init"] = {"use": "normal", "std": 0.5}
    train(recipe, out=tmp_path / "run", listeners=[Stop(1)])
    first = load_file(tmp_path / "run" / "checkpoints" / "00000000" / "generator.safetensors")
    assert float(first["hidden.1.0.weight"].std()) == pytest.approx(0.5, rel=0.2)
    assert not first["hidden.1.0.bias"].any()
