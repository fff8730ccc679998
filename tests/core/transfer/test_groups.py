"""Learning rates by group, and layers that are thawed: who learns when, and that a resumed run knows it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor, nn

from sparring.api import resume, train
from sparring.errors import RecipeError, SparringError
from sparring.recipes.schema import Group
from sparring.training.optim import adam
from sparring.transfer.groups import divide
from tests.core.training.running import CrashAt, Stop, Watch, assert_same_run, last_state, tiny, weights


def layers() -> nn.Module:
    return nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 2))


def test_the_first_group_that_names_a_parameter_has_it() -> None:
    network = layers()
    optimizer = adam(network.parameters(), lr=0.1, betas=(0.0, 0.9))
    groups = [Group(match=["0.*"], scale=0.1), Group(match=["*.bias", "0.weight"], scale=0.5)]
    divide(optimizer, network, groups, "critic", where="there")
    rates = {id(part): group["lr"] for group in optimizer.param_groups for part in group["params"]}
    found = {name: rates[id(part)] for name, part in network.named_parameters()}
    assert found == pytest.approx(
        {"0.weight": 0.01, "0.bias": 0.01, "1.weight": 0.1, "1.bias": 0.05, "2.weight": 0.1, "2.bias": 0.05}
    )
    assert all(group["betas"] == (0.0, 0.9) for group in optimizer.param_groups)


def test_groups_that_name_nothing() -> None:
    network = layers()
    network[0].requires_grad_(False)  # type: ignore[index]
    for match, said in (
        ("body.*", "names no parameter of 'critic'"),
        ("0.*", "all that it names of 'critic' is frozen"),
    ):
        optimizer = adam([part for part in network.parameters() if part.requires_grad])
        with pytest.raises(SparringError, match=said) as caught:
            divide(optimizer, network, [Group(match=[match], scale=0.1)], "critic", where="optimizers.critic")
        assert caught.value.where == "optimizers.critic.groups.0"


def test_a_schedule_moves_all_groups_in_proportion(tmp_path: Path) -> None:
    recipe = tiny({"schedules": {"optimizers.generator.lr": {"use": "linear", "start": 0.01, "end": 0.002}}})
    recipe["stages"][0]["optimizers"]["generator"]["groups"] = [{"match": ["hidden.0.*"], "scale": 0.25}]
    seen: list[list[float]] = []

    def see(run: Any, update: Any, terms: Mapping[str, Tensor]) -> None:
        if update.trains == ("generator",):
            seen.append([group["lr"] for group in run.stage.optimizers["generator"].param_groups])

    train(recipe, out=tmp_path / "run", listeners=[Watch(see)])
    assert seen[0] == pytest.approx([0.01, 0.0025])
    assert seen[5] == pytest.approx([0.006, 0.0015])


# ---- thawing ----


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("source") / "run"
    patch = pytest.MonkeyPatch()
    patch.setattr("sparring.api.write_report", lambda run: run / "report.html")
    train(tiny(), out=folder)
    patch.undo()
    return folder


def thawing(source: Path, **stage: Any) -> dict[str, Any]:
    """Both networks begin frozen but for their last layer; of both, some is thawed in the first of two stages."""
    thaw = {
        "generator": [{"match": ["hidden.0.*"], "at": 6}, {"match": ["hidden.1.*"], "at": 3}],
        "discriminator": [{"match": ["hidden.*"], "at": 5}],
    }
    recipe = tiny({"thaw": thaw, "ema": {"generator": 0.9}, "terms": [{"use": "r1", "every": 2}], **stage})
    for role in ("generator", "discriminator"):
        recipe["networks"][role]["init"] = {"from": str(source), "freeze": ["hidden.*"]}
        recipe["stages"][0]["optimizers"][role]["groups"] = [{"match": ["hidden.*"], "scale": 0.5}]
    recipe["stages"].append({**tiny()["stages"][0], "name": "further", "steps": 4})
    return recipe


@pytest.mark.parametrize("reuse", [False, True])
def test_layers_learn_from_their_step_on(source: Path, tmp_path: Path, reuse: bool) -> None:
    before: dict[str, Tensor] = {}
    moved: dict[str, int] = {}

    def see(run: Any, update: Any, terms: Mapping[str, Tensor]) -> None:
        for role, network in run.networks.items():
            for name, value in network.named_parameters():
                key = f"{role}.{name}"
                if key in before and not before[key].equal(value):
                    moved.setdefault(key, run.step)
                    assert role in update.trains
                before[key] = value.detach().clone()

    objective = {"use": "adversarial", "loss": "non-saturating", "reuse_fake": reuse}
    recipe = thawing(source, objective=objective)
    train(recipe, out=tmp_path / "run", listeners=[Watch(see)])
    first = {key.rpartition(".")[0]: step for key, step in moved.items() if key.endswith("weight")}
    assert first["generator.hidden.0.0"] == 6
    assert first["generator.hidden.1.0"] == 3
    assert first["discriminator.hidden.0.0"] == first["discriminator.hidden.1.0"] == 5


@pytest.mark.parametrize("crash", [2, 6, 8, 12])
def test_a_resumed_run_is_the_unbroken_one(source: Path, tmp_path: Path, crash: int) -> None:
    """Before anything is thawed, between two thaws, after all of them, and in the stage that follows."""
    recipe = thawing(source)
    recipe["stages"][0]["terms"].append({"use": "anchor", "network": "discriminator", "weight": 0.1})
    train(recipe, out=tmp_path / "unbroken")
    with pytest.raises(Exception, match=r"^$"):
        train(recipe, out=tmp_path / "broken", listeners=[CrashAt(crash)])
    resume(tmp_path / "broken")
    assert_same_run(tmp_path / "unbroken", tmp_path / "broken")


def test_a_branch_may_change_the_shares(source: Path, tmp_path: Path) -> None:
    recipe = thawing(source)
    train(recipe, out=tmp_path / "run", listeners=[Stop(6)])
    places = [f"stages.0.optimizers.{role}.groups.0.scale=0.0" for role in ("generator", "discriminator")]
    resume(tmp_path / "run", step=4, out=tmp_path / "branch", overrides=[*places, "stages.0.steps=8"])
    resume(tmp_path / "run")
    assert weights(tmp_path / "branch") != weights(tmp_path / "run")
    groups = last_state(tmp_path / "run")["optimizers"]["generator"]["param_groups"]
    assert len(groups) == 1, "the second stage names none"


@pytest.mark.parametrize(
    ("thaw", "where", "said"),
    [
        ({"generator": [{"match": ["hidden.*"], "at": 10}]}, "thaw.generator", "step 10 is none of the stage's 10"),
        ({"generator": [{"match": ["last.*"], "at": 1}]}, "thaw.generator", "nothing that it names is frozen"),
        ({"generator": [{"match": ["body"], "at": 1}]}, "thaw.generator.0", "names no parameter"),
        ({"critic": [{"match": ["*"], "at": 1}]}, "thaw.critic", "there is no network 'critic'"),
    ],
)
def test_mistakes_are_explained(source: Path, tmp_path: Path, thaw: Any, where: str, said: str) -> None:
    recipe = thawing(source, thaw=thaw)
    with pytest.raises(RecipeError) as caught:
        train(recipe, out=tmp_path / "run")
    assert any(problem.where == f"stages.0.{where}" and said in problem.what for problem in caught.value.problems)
    assert not (tmp_path / "run").exists()


def test_what_adapters_stand_beside_cannot_be_thawed(source: Path, tmp_path: Path) -> None:
    recipe = thawing(source)
    recipe["networks"]["generator"]["adapt"] = {"use": "lora", "rank": 1, "layers": ["hidden.1.*"]}
    del recipe["stages"][0]["optimizers"]["generator"]["groups"]
    with pytest.raises(RecipeError, match="mistake") as caught:
        train(recipe, out=tmp_path / "run")
    assert any("adapters stand beside it" in problem.what for problem in caught.value.problems)
