"""Recipes are found, read, overridden and written."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparring.errors import RecipeError, SparringError
from sparring.recipes import source
from tests.core.fake_distributions import Site, installed


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    yield from installed(tmp_path, monkeypatch)


def read(tmp_path: Path, text: str) -> dict[str, Any]:
    file = tmp_path / "recipe.yaml"
    file.write_text(text, encoding="utf-8")
    return source.read(file)


# ---- finding ----


def test_recipes_of_packages_are_listed_and_found(site: Site):
    site.add_recipe("toys/ring", "summary: 'A ring: small'  # a comment\nneeds:\n- image\n- text\nname: toys/ring\n")
    (listed,) = [one for one in source.installed() if one.name == "toys/ring"]
    row = listed.as_row()
    assert (row["summary"], row["needs"]) == ("A ring: small", ["image", "text"])
    assert row["package"] == "fake-recipes-toys-ring"
    assert source.find("toys/ring") == Path(row["path"])


@pytest.mark.parametrize(
    ("text", "summary"),
    [
        ("summary: plain words\ndata: {}", "plain words"),
        ("data: {}\nsummary: >\n  folded\n  words\nsteps: 1", "folded words"),
        ("summary:\n", ""),
        ("name: x", ""),
        ("summary: 3", "3"),
        ("summary: [a\nneeds: ]", "(cannot be read: ParserError)"),
    ],
)
def test_summary_in_every_style(site: Site, text: str, summary: str):
    site.add_recipe("toys", text)
    (row,) = [one.as_row() for one in source.installed() if one.name == "toys"]
    assert row["summary"] == summary


def test_one_bad_package_or_file_leaves_the_listing_whole(site: Site):
    site.add("empty", {"sparring.recipes": {"a": "no_such_package", "b": "fake_parent.inner"}}, {})
    (site.folder / "fake_parent.py").write_text("raise RuntimeError('broken parent')")
    site.add_recipe("good", "summary: good")
    site.add_recipe("bad", "summary: bad")
    source.find("bad").write_bytes(b"summary: \xff")
    rows = {row["name"]: row["summary"] for row in (one.as_row() for one in source.installed())}
    assert rows["good"] == "good"
    assert "cannot be read" in rows["bad"]


def test_near_misses(site: Site):
    site.add_recipe("toys/ring", "name: x")
    for name in ("toys/rnig", "ring"):
        with pytest.raises(SparringError, match="did you mean 'toys/ring'"):
            source.find(name)
    with pytest.raises(SparringError, match="no recipe file"):
        source.find("none.yaml")


# ---- reading ----


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("2E5", 200000.0),
        (".5e1", 5.0),
        ("1.", 1.0),
        ("1e", "1e"),
        ("e5", "e5"),
        ("1e5x", "1e5x"),
        ("10", 10),
    ],
)
def test_numbers_are_read_as_written(tmp_path: Path, text: str, value: object):
    found = read(tmp_path, f"x: {text}")["x"]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "message", "place"),
    [
        ("a: 1\nb: {\n", "not YAML", "line 3"),
        ("a: 1\na: 2\n", "the key 'a' is written twice", "line 2"),
        ("a: {b: 1, b: 2}", "the key 'b' is written twice", "column 11"),
        ("- 1", "a mapping of keys", "recipe.yaml"),
        ("", "a mapping of keys", "recipe.yaml"),
        ("a: !!python/object/apply:os.getcwd []", "could not determine a constructor", "line 1"),
        ("a: &a [*a]", "not YAML", "recipe.yaml"),
        ("a: " + "[" * 1500, "not YAML", "recipe.yaml"),
        ("a: 2024-13-45", "not YAML", "recipe.yaml"),
    ],
)
def test_bad_file_is_named_with_its_place(tmp_path: Path, text: str, message: str, place: str):
    with pytest.raises(SparringError, match=message) as raised:
        read(tmp_path, text)
    assert place in raised.value.where


def test_unfolding_aliases_are_refused(tmp_path: Path):
    lines = ["a0: &a0 [x]"] + [f"a{i}: &a{i} [{', '.join(10 * [f'*a{i - 1}'])}]" for i in range(1, 10)]
    with pytest.raises(SparringError, match="unfolds"):
        read(tmp_path, "\n".join(lines))


def test_bytes_that_are_no_text(tmp_path: Path):
    file = tmp_path / "recipe.yaml"
    file.write_bytes(b"a: \xff\xfe")
    with pytest.raises(SparringError, match="UTF-8"):
        source.read(file)
    with pytest.raises(SparringError, match="cannot be read"):
        source.read(tmp_path)


# ---- overriding ----

VALUES = {
    "seed": 0,
    "stages": [
        {"name": "one", "steps": 10, "schedules": {"optimizers.generator.lr": {"use": "cosine", "end": 0.1}}},
        {"name": "two", "steps": 20},
    ],
    "evaluate": None,
    "callbacks": [],
}


@pytest.mark.parametrize(
    ("assignment", "path", "value"),
    [
        ("seed=5", ("seed",), 5),
        ("stages.1.steps=7", ("stages", 1, "steps"), 7),
        ("stages.0={}", ("stages", 0), {}),
        ("data.use=points", ("data", "use"), "points"),
        ("new.deep.key=1e-3", ("new", "deep", "key"), 0.001),
        ("seed=", ("seed",), None),
        ("name=a=b", ("name",), "a=b"),
        ("callbacks=[{use: x}]", ("callbacks",), [{"use": "x"}]),
        (
            "stages.0.schedules.optimizers.generator.lr.end=0.5",
            ("stages", 0, "schedules", "optimizers.generator.lr", "end"),
            0.5,
        ),
        ("stages.0.schedules.optimizers.generator.lr={}", ("stages", 0, "schedules", "optimizers.generator.lr"), {}),
    ],
)
def test_override(assignment: str, path: tuple[Any, ...], value: object):
    before = copy.deepcopy(VALUES)
    found: Any = source.override(VALUES, [assignment])
    for step in path:
        found = found[step]
    assert found == value
    assert before == VALUES


def test_bad_overrides_are_reported_at_once():
    bad = [
        "x",
        "=3",
        "stages.2.steps=1",
        "stages.one.steps=1",
        "seed.x=1",
        "evaluate.every=3",
        "seed={",
        "callbacks.0=x",
        "stages.².x=1",
    ]
    with pytest.raises(RecipeError) as raised:
        source.override(VALUES, bad)
    problems = {problem.where: problem for problem in raised.value.problems}
    assert len(problems) == len(bad)
    assert "use 0 to 1" in problems["stages.2"].remedy
    assert "empty" in problems["callbacks.0"].remedy
    assert "single value" in problems["seed.x"].what
    assert "not YAML" in problems["seed"].what


def test_relative_overrides_add():
    found = source.override(VALUES, ["stages.1.steps=+5", "seed=3"], relative=True)
    assert (found["stages"][1]["steps"], found["seed"]) == (25, 3)
    assert source.override(VALUES, ["stages.1.steps=+5"])["stages"][1]["steps"] == 5
    with pytest.raises(RecipeError, match="mistake") as raised:
        source.override(VALUES, ["stages.1.name=+5", "stages.1.none=+5"], relative=True)
    assert [problem.what for problem in raised.value.problems] == ["cannot add 5 to 'two'", "cannot add 5 to None"]


# ---- round trips ----

TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=12) | st.sampled_from(
    [
        "1e5",
        "2e-3",
        "yes",
        "null",
        "~",
        "0x1f",
        "1:30",
        "2024-01-01",
        "<<",
        "=",
        "*a",
        "&a",
        "- x",
        "",
        " ",
        "#",
        "a: b",
    ]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS
PLAIN = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=8
)


@given(st.dictionaries(TEXTS, PLAIN, max_size=4))
def test_dump_is_read_back(tmp_path_factory: pytest.TempPathFactory, values: dict[str, Any]):
    file = tmp_path_factory.getbasetemp() / "round-trip.yaml"
    file.write_text(source.dump(values), encoding="utf-8")
    assert source.read(file) == values


KEYS = st.text("abcdefgh_", min_size=1, max_size=6)


@given(st.lists(KEYS, min_size=1, max_size=4), PLAIN)
def test_any_value_can_be_set_at_any_new_path(steps: list[str], value: Any):
    # The value is YAML in one line.
    text = source.yaml.dump(value, Dumper=source.Dumper, default_flow_style=True, width=10**9, allow_unicode=True)
    found: Any = source.override({}, [f"{'.'.join(steps)}={text}"])
    for step in steps:
        found = found[step]
    assert found == value


@given(st.lists(st.text(max_size=20), max_size=3))
def test_no_override_surprises(overrides: list[str]):
    problems: list[object] = []
    try:
        source.override(VALUES, overrides)
    except RecipeError as error:
        problems = [*error.problems]
    assert len(problems) <= len(overrides)
