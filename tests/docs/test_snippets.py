"""What the documentation shows works: Python runs, recipes are valid, commands and their options exist."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from sparring.api import train
from sparring.cli.app import build_app
from sparring.errors import RecipeError
from sparring.plugins.registry import Registry
from sparring.recipes import source
from sparring.recipes.check import resolve
from tests.docs.conftest import DIGITS
from tests.docs.pages import PAGES, ROOT, Block, all_blocks, blocks, inline, name_of

NOT_RUN = "# not run"
MISTAKES = "# mistakes"  # behind a command that shows how mistakes are reported
OTHER_PROGRAMS = {"pip", "pytest", "sha256sum", "source"}

Workplace = Callable[[Path], Path]


def scripted(page: Path) -> list[Block]:
    return [block for block in blocks(page) if block.language == "python" and NOT_RUN not in block.text]


PYTHON_PAGES = [page for page in PAGES if scripted(page)]
RECIPES = [block for block in all_blocks("yaml") if block.text.startswith("schema: 1")]
FRAGMENTS = [block for block in all_blocks("yaml") if not block.text.startswith("schema: 1")]


def plugin_files(page: Path) -> list[Path]:
    """Return the files of a page that hold a plugin, in the present folder."""
    named = [block for block in blocks(page) if block.file.endswith(".py")]
    return [Path(block.file) for block in named if "= Plugin(" in block.text]


# ---- Python ----


def test_there_are_python_blocks() -> None:
    assert {"README.md", "docs/tutorial/first-plugin.md", "docs/how-to/from-python.md"} <= {
        name_of(page) for page in PYTHON_PAGES
    }


@pytest.mark.parametrize("page", PYTHON_PAGES, ids=name_of)
def test_python_runs(page: Path, workplace: Workplace) -> None:
    """A page's blocks run one after another, in one folder."""
    workplace(page)
    names: dict[str, Any] = {"__name__": "snippet"}
    for block in scripted(page):
        # Blank lines before it, so that a traceback names the page's own line.
        exec(compile("\n" * block.line + block.text, name_of(page), "exec"), names)


# ---- recipes ----


def test_there_are_recipes() -> None:
    assert RECIPES
    assert FRAGMENTS


@pytest.mark.parametrize("block", RECIPES, ids=lambda block: block.place)
def test_recipes_train(block: Block, workplace: Workplace) -> None:
    workplace(block.page)
    files = plugin_files(block.page)
    values = yaml.load(block.text, source.Loader)
    recipe = resolve(values, Registry(files))
    short = [f"stages.{index}.steps=2" for index in range(len(recipe.stages))]
    train(values, plugins=files, overrides=[*short, *(["evaluate.count=32"] if recipe.evaluate else [])])


@pytest.mark.parametrize("block", FRAGMENTS, ids=lambda block: block.place)
def test_fragments_fit_a_recipe(block: Block, workplace: Workplace) -> None:
    workplace(block.page)
    whole = source.read(source.find("points/ring"))
    resolve({**whole, **yaml.load(block.text, source.Loader)}, Registry(plugin_files(block.page)))


# ---- commands ----


def command_lines(block: Block) -> Iterator[str]:
    """Give the commands of a block; what a program answers is left out."""
    joined = block.text.replace("\\\n", " ")
    for line in joined.splitlines():
        if line.startswith("$ "):
            yield line.removeprefix("$ ")


CONSOLES = all_blocks("console")
COMMANDS = [(block, line) for block in CONSOLES for line in command_lines(block)]


def words_of(line: str) -> list[str]:
    """Return a command's words, without variables that are set for it and without a comment."""
    words = shlex.split(line, comments=True)
    while re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words = words[1:]
    return words


def after_sparring(words: Sequence[str]) -> list[str] | None:
    """Return what is said to the ``sparring`` program, or None where another one is meant."""
    if Path(words[0]).name == "sparring":
        return list(words[1:])
    if words[0] == "torchrun":
        place = list(words).index("sparring")
        assert words[place - 1] == "-m"
        return list(words[place + 1 :])
    return None


def parse(words: Sequence[str]) -> dict[str, Any]:
    """Parse words as the ``sparring`` program does, without doing anything; return the last command's parameters."""
    command: Any = get_command(build_app())
    name, rest, context = "sparring", list(words), None
    while True:
        context = command.make_context(name, list(rest), parent=context)
        rest = [*getattr(context, "_protected_args", ()), *context.args]
        if not hasattr(command, "commands") or not rest:
            return {"command": name, **context.params}
        name, command, rest = command.resolve_command(context, rest)


@pytest.mark.parametrize("block", CONSOLES, ids=lambda block: block.place)
def test_console_blocks_show_commands(block: Block) -> None:
    assert list(command_lines(block)), "a console block has lines that begin with `$ `"


@pytest.mark.parametrize(("block", "line"), COMMANDS, ids=lambda value: getattr(value, "place", value))
def test_commands_exist(block: Block, line: str, workplace: Workplace) -> None:
    words = words_of(line)
    said = after_sparring(words)
    if said is not None:
        workplace(block.page)
        check_command(block, parse(said), mistakes=MISTAKES in line)
    elif words[0] == "make":
        targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
        assert words[1] in targets
    elif Path(words[0]).name in ("python", "python3"):
        assert words[1] == "-m", "a script is a module, or is named in prose"
        assert find_spec(words[2]), words[2]
    else:
        assert words[0] in OTHER_PROGRAMS


def check_command(block: Block, given: dict[str, Any], *, mistakes: bool) -> None:
    """Check a command's recipe with its overrides, where the page or an installed package has it."""
    overrides, files = given.get("overrides") or (), given.get("plugin") or ()
    if ["pip", "install", "-e", "."] in commands_of(block.page):
        files = plugin_files(block.page)  # by now it is installed
    if given["command"] in ("run", "check", "show"):
        name = copied(block.page).get(given["name"], given["name"])
        values, relative = source.read(source.find(name)), False
    elif given["command"] == "resume" and given["folder"] == DIGITS:
        values, relative = source.read(DIGITS / "recipe.yaml"), True
    else:
        return
    with pytest.raises(RecipeError) if mistakes else nullcontext():
        resolve(source.override(values, overrides, relative=relative), Registry(files))


def copied(page: Path) -> dict[str, str]:
    """Return the recipes that a page has its reader copy: the new file's name, and the original's."""
    return {words[3]: words[2] for words in commands_of(page) if words[:2] == ["sparring", "copy"]}


def commands_of(page: Path) -> list[list[str]]:
    """Return the words of every command that a page shows."""
    shown = [block for block in blocks(page) if block.language == "console"]
    return [words_of(line) for block in shown for line in command_lines(block)]


MENTIONS = sorted(
    {
        (name_of(page), " ".join(token.content.split()))
        for page in PAGES
        for token in inline(page, "code_inline")
        if re.match(r"(torchrun .*-m )?sparring [a-z]", token.content.replace("\n", " "))
    }
)


def test_there_are_mentions() -> None:
    assert len(MENTIONS) > 20


@pytest.mark.parametrize(("page", "line"), MENTIONS)
def test_mentioned_commands_exist(page: str, line: str) -> None:
    said = line[line.index("sparring ") :].replace("STEP", "1").split()[1:]
    try:
        parse(said)
    except Exception as error:
        if type(error).__name__ != "MissingParameter":  # prose names commands without their arguments
            raise


# ---- what the reader may rely on ----


def test_pages_name_no_place_of_a_machine() -> None:
    home = os.path.expanduser("~")  # noqa: PTH111 - text, not a path
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        assert str(ROOT) not in text
        assert f"{home}/" not in text
