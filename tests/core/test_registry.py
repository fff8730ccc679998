"""The registry finds, checks and builds components."""

import importlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from sparring import Plugin
from sparring.errors import DataError, PluginError, RecipeError
from sparring.interfaces.loss import Loss
from sparring.interfaces.objective import Term
from sparring.interfaces.space import Space
from sparring.plugins.options import ComponentSpec
from sparring.plugins.registry import Registry
from tests.core.fake_distributions import Site, installed

plugin = Plugin("shop")


@plugin.loss("wide")
class Wide:
    """A loss with a margin."""

    def __init__(self, margin: float = 1.0) -> None:
        if margin < 0:
            raise ValueError("margin must not be negative")
        self.margin = margin


@plugin.term("pair")
class Pair:
    def __init__(self, loss: Loss, others: Sequence[Term] = (), named: dict[str, Loss] | None = None) -> None:
        self.loss, self.others, self.named = loss, others, named


@plugin.generator("net")
class Net:
    def __init__(self, space: Space, width: int = 8, data: object = None) -> None:
        self.space, self.width = space, width


@plugin.generator("twin")
@plugin.discriminator("twin")
class Twin:
    def __init__(self, fail: bool = False) -> None:
        if fail:
            raise DataError("no file", remedy="fetch it")


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    for site in installed(tmp_path, monkeypatch):
        assert isinstance(site, Site)
        found = Registry()
        found.add(plugin)
        yield found


def spec(use: str, **options: object) -> ComponentSpec:
    return ComponentSpec(use=use, **options)


def test_find(registry: Registry):
    assert registry.find("loss", "shop/wide").summary == "A loss with a margin."
    assert registry.find("generator", "shop/twin").load() is Twin


def test_near_miss_and_other_kind_are_said(registry: Registry):
    for name, hint in (("shop/wdie", "did you mean 'shop/wide'?"), ("hinje", "did you mean 'hinge'?")):
        with pytest.raises(PluginError, match="there is no loss") as raised:
            registry.find("loss", name, where="here")
        assert hint in raised.value.what
        assert raised.value.where == "here"
    with pytest.raises(PluginError, match="'shop/wide' is a loss"):
        registry.find("term", "shop/wide")


def test_a_name_in_the_wrong_plugin_is_found_by_its_last_part(registry: Registry):
    registry.load_all()
    with pytest.raises(PluginError, match="did you mean 'shop/wide'"):
        registry.find("loss", "wide")


def test_adding_a_name_twice_is_refused(registry: Registry):
    with pytest.raises(PluginError, match="is there already"):
        registry.add(Plugin("shop"))


def test_name_of(registry: Registry):
    registry.plugin("shop")
    assert registry.name_of(Wide(), "loss") == "shop/wide"
    with pytest.raises(PluginError, match="not registered"):
        registry.name_of(object(), "loss")


def test_name_of_loads_the_plugin_that_an_object_is_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A caller may hand over what no name in the recipe would have loaded; other plugins stay as they were."""
    for site in installed(tmp_path, monkeypatch):
        site.add_plugin("spiral")
        site.add_plugin("other")
        registry = Registry()
        handed_over = importlib.import_module("fake_spiral").MLP()
        assert registry.name_of(handed_over, "generator") == "spiral/mlp"
        status = {record.name: record.status for record in registry.records}
        assert (status["spiral"], status["other"]) == ("loaded", "found")


def test_build_with_defaults_and_options(registry: Registry):
    assert registry.build("loss", "shop/wide", "loss").margin == 1.0
    assert registry.build("loss", spec("shop/wide", margin="2.5"), "loss").margin == 2.5


def test_build_nested_components(registry: Registry):
    built = registry.build(
        "term",
        spec("shop/pair", loss={"use": "shop/wide", "margin": 3}, others=["r1"], named={"a": "hinge"}),
        "stages.0.terms.0",
    )
    assert built.loss.margin == 3
    assert type(built.others[0]).__name__ == "R1"
    assert type(built.named["a"]).__name__ == "Hinge"


def test_build_hands_over_and_resolves_references(registry: Registry):
    given, other = object(), object()
    assert registry.build("generator", "shop/net", "networks.g", space=given).space is given
    spaces = {"conditions.image": other}
    chosen = spec("shop/net", space="conditions.image")
    assert registry.build("generator", chosen, "networks.g", space=given, reference=spaces.__getitem__).space is other


def test_build_needs_what_the_run_must_hand_over(registry: Registry):
    with pytest.raises(PluginError, match="needs 'space'") as raised:
        registry.build("generator", "shop/net", "networks.g")
    assert raised.value.where == "networks.g.space"


def test_errors_of_constructors_name_their_place(registry: Registry):
    with pytest.raises(RecipeError) as refused:
        registry.build("loss", spec("shop/wide", margin=-1), "stages.0.objective.loss")
    (problem,) = refused.value.problems
    assert problem.where == "stages.0.objective.loss"
    assert "margin must not be negative" in problem.what
    with pytest.raises(DataError) as failed:
        registry.build("generator", spec("shop/twin", fail=True), "networks.g")
    assert failed.value.where == "networks.g"


def test_check_finds_every_mistake_nested_ones_too(registry: Registry):
    problems = registry.check(
        "term",
        spec(
            "shop/pair",
            loss={"use": "shop/wide", "margni": 1},
            others=["r1", {"use": "r9"}],
            named={"a": {"use": "shop/wide", "margin": "far"}},
        ),
        "terms.0",
    )
    found = {problem.where: problem.what for problem in problems}
    assert "did you mean 'margin'" in found.pop("terms.0.loss.margni")
    assert "there is no term 'r9'" in found.pop("terms.0.others.1.use")
    assert "'far'" in found.pop("terms.0.named.a.margin")
    assert not found


def test_check_reports_a_spec_without_use_and_missing_options(registry: Registry):
    (missing,) = registry.check("term", spec("shop/pair"), "terms.0")
    assert (missing.where, missing.what) == ("terms.0.loss", "is required")
    problems = registry.check("term", spec("shop/pair", loss={"margin": 1}), "terms.0")
    assert [problem.where for problem in problems][-1] == "terms.0.loss.use"


def test_check_reports_unknown_plugin_at_its_place(registry: Registry):
    (problem,) = registry.check("loss", "shopp/wide", "loss")
    assert problem.where == "loss.use"
    assert "did you mean 'shop'" in problem.what


def test_components_are_sorted_and_only_of_loaded_plugins(registry: Registry):
    registry.plugin("shop")
    found = [(component.kind, component.name) for component in registry.components()]
    assert found == sorted(found)
    assert {name.split("/")[0] for _, name in found} == {"shop"}
    assert [component.name for component in registry.components("loss")] == ["shop/wide"]
