"""A recipe's mistakes are all reported at once, with their places."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparring.errors import Problem, RecipeError
from sparring.plugins.registry import Registry
from sparring.recipes import source
from sparring.recipes.check import resolve
from sparring.recipes.schema import InitializeFrom, Recipe
from tests.core.fake_distributions import Site, installed

GOOD: dict[str, Any] = {
    "schema": 1,
    "name": "toy",
    "data": {"use": "points"},
    "networks": {"generator": {"use": "mlp"}, "discriminator": {"use": "mlp"}},
    "stages": [
        {
            "name": "contend",
            "objective": {"use": "adversarial", "loss": "hinge"},
            "terms": [{"use": "r1", "every": 4}],
            "steps": 10,
            "batch": 8,
            "optimizers": {"generator": {"use": "adam"}, "discriminator": {"use": "adam", "lr": 1e-3}},
            "ema": {"generator": 0.99},
        }
    ],
    "checkpoint": {"every": 5},
}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    yield from installed(tmp_path, monkeypatch)


def changed(*overrides: str) -> dict[str, Any]:
    return source.override(GOOD, overrides)


def problems(*overrides: str) -> dict[str, str]:
    with pytest.raises(RecipeError) as raised:
        resolve(changed(*overrides), Registry())
    return {problem.where: f"{problem.what} | {problem.remedy}" for problem in raised.value.problems}


def test_good_recipe_is_resolved_and_resolves_to_itself(site: Site):
    recipe = resolve(GOOD, Registry())
    assert [callback.use for callback in recipe.callbacks] == ["convergence", "collapse"]
    assert recipe.total_steps == 10
    assert resolve(recipe.dump(), Registry()).dump() == recipe.dump()


def test_default_callbacks_keep_what_the_recipe_says(site: Site):
    recipe = resolve(changed("callbacks=[{use: collapse, enabled: false}]"), Registry())
    assert [(one.use, one.enabled) for one in recipe.callbacks] == [("collapse", False), ("convergence", True)]


@pytest.mark.parametrize(
    ("override", "place", "said"),
    [
        ("nmae=x", "nmae", "did you mean 'name'?"),
        ("schema=2", "schema", "1"),
        ("seed=-1", "seed", "greater than or equal to 0"),
        ("seed=few", "seed", "an integer"),
        ("data.use=pionts", "data.use", "did you mean 'points'?"),
        ("data=points", "data", "a mapping"),
        ("data.modse=3", "data.modse", "did you mean 'modes'?"),
        ("data.modes=x", "data.modes", "'x'"),
        ("trainer=stagde", "trainer.use", "did you mean 'staged'?"),
        ("needs=[no-such]", "needs.0", "no plugin 'no-such'"),
        ("networks.generator.use=mpl", "networks.generator.use", "did you mean 'mlp'?"),
        ("networks.generator.use=core/mlp", "networks.generator.use", "core/mlp"),
        ("networks.generator.width=wide", "networks.generator.width", "'wide'"),
        ("networks.generator.init=nromal", "networks.generator.init.use", "did you mean 'normal'?"),
        ("networks.generator.init={from: a, frezee: []}", "networks.generator.init.frezee", "did you mean 'freeze'?"),
        ("networks.generator.init={use: normal, x: 1}", "networks.generator.init.x", "unknown key"),
        ("networks.generator.init=3", "networks.generator.init", "a mapping"),
        ("networks.G={use: mlp}", "networks.G.use", "both a generator and a discriminator"),
        ("networks.G={width: 3}", "networks.G.use", "is required"),
        ("networks.G={use: mlp, kind: generatr}", "networks.G.kind", "'generator'"),
        ("stages=[]", "stages", "at least 1"),
        ("stages.0.stepps=1", "stages.0.stepps", "did you mean 'steps'?"),
        ("stages.0.name=a b", "stages.0.name", "pattern"),
        ("stages.0.objective.loss=hing", "stages.0.objective.loss.use", "did you mean 'hinge'?"),
        ("stages.0.objective.loss={use: hinge, x: 1}", "stages.0.objective.loss.x", "unknown key"),
        ("stages.0.terms.0.every=0", "stages.0.terms.0.every", "greater than or equal to 1"),
        ("stages.0.terms.0.gama=1", "stages.0.terms.0.gama", "did you mean 'gamma'?"),
        ("stages.0.optimizers.generator.clip=-1", "stages.0.optimizers.generator.clip", "greater than 0"),
        ("stages.0.optimizers.generater={use: adam}", "stages.0.optimizers.generater", "there is no network"),
        ("stages.0.ema.generator=2", "stages.0.ema.generator", "between 0 and 1"),
        ("stages.0.ema.generator={halflife: 3}", "stages.0.ema.generator.halflife", "did you mean 'half_life'?"),
        ("stages.0.accumulate=3", "stages.0.accumulate", "cannot be cut"),
        ("stages.0.schedules={lr: {use: linear}}", "stages.0.schedules.lr", "optimizers"),
        (
            "stages.0.constraints={discriminator: [wieght-clip]}",
            "stages.0.constraints.discriminator.0.use",
            "weight-clip",
        ),
        ("checkpoint.keep.best=modes", "checkpoint.keep.best", "no metric is evaluated"),
        ("checkpoint.keep={bets: x}", "checkpoint.keep.bets", "did you mean 'best'?"),
        ("checkpoint.keep=few", "checkpoint.keep", "an integer"),
        ("evaluate={every: 5, metrics: [{use: mods}]}", "evaluate.metrics.0.use", "did you mean 'modes'?"),
        (
            "evaluate={every: 5, metrics: [{use: frechet, encoder: {use: no/such}}]}",
            "evaluate.metrics.0.encoder.use",
            "no plugin 'no'",
        ),
        ("callbacks=[{use: convergense}]", "callbacks.0.use", "did you mean 'convergence'?"),
        ("3=4", "3", "unknown key"),
    ],
)
def test_mistake_is_placed_and_explained(site: Site, override: str, place: str, said: str):
    found = problems(override)
    assert place in found, found
    assert said in found[place]


def test_all_mistakes_are_reported_at_once_whatever_their_sort(site: Site):
    found = problems(
        "datas={}",
        "data.use=pionts",
        "networks.D={width: 3}",
        "networks.generator.wdith=3",
        "stages.0.steps=0",
        "stages.0.terms.0.use=r9",
        "stages.0.objective.loss=hing",
        "evaluate={every: x, metrics: [{use: mods}]}",
    )
    assert set(found) == {
        "datas",
        "data.use",
        "networks.D.use",
        "networks.generator.wdith",
        "stages.0.steps",
        "stages.0.terms.0.use",
        "stages.0.objective.loss.use",
        "evaluate.every",
        "evaluate.metrics.0.use",
    }


def test_a_missing_plugin_is_reported_once(site: Site):
    found = problems("needs=[lost]", "data.use=lost/points", "networks.generator.use=lost/mlp")
    assert set(found) == {"needs.0"}


def test_a_broken_plugin_is_reported_with_its_cause(site: Site):
    site.add_plugin("broken", "import no_such_library")
    assert "no_such_library" in problems("data.use=broken/points")["data.use"]


def test_stages_of_one_name(site: Site):
    values = changed()
    values["stages"].append(copy.deepcopy(values["stages"][0]))
    with pytest.raises(RecipeError) as raised:
        resolve(values, Registry())
    assert [problem.where for problem in raised.value.problems] == ["stages.1.name"]


def test_given_networks_and_data_are_not_looked_up(site: Site):
    values = changed("data.use=given", "networks.generator.use=given")
    assert resolve(values, Registry(), given=["generator"], given_data=True).data.use == "given"


def test_role_decides_between_generator_and_discriminator_of_one_name(site: Site):
    resolve(changed("networks.my_critic={use: mlp}"), Registry())
    resolve(changed("networks.other={use: mlp, kind: generator}"), Registry())


def test_init_forms_survive_a_round_trip(site: Site):
    values = changed(
        "networks.generator.init={from: runs/a, freeze: [body.*]}", "networks.discriminator.init={use: normal}"
    )
    recipe = resolve(values, Registry())
    assert recipe.networks["generator"].init == InitializeFrom.model_validate({"from": "runs/a", "freeze": ["body.*"]})
    assert recipe.dump()["networks"]["generator"]["init"]["from"] == "runs/a"
    assert resolve(recipe.dump(), Registry()).dump() == recipe.dump()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
PLACES = ["name", "needs", "data", "networks", "networks.generator", "networks.generator.init", "stages", "stages.0"]
PLACES += [f"stages.0.{key}" for key in ("objective", "terms", "optimizers", "ema", "constraints", "schedules", "data")]
PLACES += ["evaluate", "checkpoint", "checkpoint.keep", "callbacks", "trainer", "stages.0.terms.0.use"]


@given(st.sampled_from(PLACES), JSON)
def test_no_value_surprises(place: str, value: Any):
    values = copy.deepcopy(GOOD)
    holder: Any = values
    *before, last = place.split(".")
    for step in before:
        holder = holder[int(step) if step.isdecimal() else step]
    holder[int(last) if last.isdecimal() else last] = value
    found: Recipe | tuple[Problem, ...]
    try:
        found = resolve(values, Registry())
    except RecipeError as error:
        found = error.problems
    assert isinstance(found, Recipe) or (found and all(problem.where and problem.what for problem in found))
