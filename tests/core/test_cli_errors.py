"""Mistakes are explained on stderr, once, without a traceback; the exit code tells their sort."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from sparring.cli import main
from sparring.errors import SparringError
from sparring.recipes import source
from tests.core.fake_distributions import SPIRAL, Site, installed
from tests.core.test_recipe_check import GOOD


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.delenv("SPARRING_TRACEBACK", raising=False)
    monkeypatch.chdir(tmp_path)
    for found in installed(tmp_path, monkeypatch):
        found.add_recipe("toys", source.dump(GOOD))
        yield found


@pytest.fixture
def said(site: Site, capsys: pytest.CaptureFixture[str]):
    def call(*words: str, code: int = 1) -> str:
        capsys.readouterr()
        assert main(words) == code
        out, err = capsys.readouterr()
        assert not out
        assert "Traceback" not in err
        return err

    return call


def test_unknown_recipe(said):
    assert "there is no recipe 'tyos'; did you mean 'toys'?" in said("show", "tyos")
    assert "what to do" in said("run", "no/such/recipe")


def test_all_mistakes_at_once_overrides_included(said):
    err = said("check", "toys", "nonsense", "stages.7.steps=1", "stages.0.stepps=1", "data.use=pionts", "sed=1")
    assert "5 mistakes" in err
    for place in ("nonsense:", "stages.7:", "stages.0.stepps:", "data.use:", "sed:"):
        assert place in err
    assert err.count("did you mean") == 3


def test_json_error_is_on_stdout_and_text_on_stderr(site: Site, capsys: pytest.CaptureFixture[str]):
    assert main(["check", "toys", "sed=1", "--json"]) == 1
    out, err = capsys.readouterr()
    error = json.loads(out)["error"]
    assert error["kind"] == "RecipeError"
    assert error["problems"][0]["where"] == "sed"
    assert "did you mean 'seed'" in err
    assert main(["show", "tyos", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["error"]["message"].startswith("there is no recipe")


def test_good_recipe_has_no_mistakes(site: Site, capsys: pytest.CaptureFixture[str]):
    assert main(["check", "toys"]) == 0
    assert capsys.readouterr().out == "toy: no mistakes; contend for 10 steps\n"
    assert main(["check", "toys", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"recipe": "toy", "problems": []}


def test_traceback_on_demand(site: Site, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SPARRING_TRACEBACK", "1")
    assert main(["show", "tyos"]) == 1
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["show"],
        ["run", "toys", "--nonsense"],
        ["resume", "x", "--from", "3"],
        ["generate", "x", "--count", "0"],
        ["no-such"],
    ],
)
def test_wrong_command_line(said, words: list[str]):
    assert "Usage" in said(*words, code=2)


@pytest.mark.parametrize("command", ["resume", "generate", "evaluate", "report"])
def test_folder_that_is_not_there_or_no_run(said, tmp_path: Path, command: str):
    assert "there is no folder" in said(command, "nowhere")
    (tmp_path / "empty").mkdir()
    assert "error: " in said(command, "empty")


def test_plugin_file_that_is_not_there(said):
    assert "there is no plugin file" in said("check", "toys", "--plugin", "nowhere.py")


FAULTY = SPIRAL + "\n\n@plugin.data('bad')\nclass Bad:\n    def __init__(self) -> None:\n        self.size = [][1]\n"


@pytest.mark.parametrize("installed_as", ["distribution", "file"])
def test_unforeseen_error_names_the_component_and_its_place(
    said, site: Site, tmp_path: Path, installed_as: str, capsys: pytest.CaptureFixture[str]
):
    words = ["run", "toys", "data={use: faulty/bad}"]
    if installed_as == "distribution":
        site.add_plugin("faulty", FAULTY)
    else:
        (tmp_path / "my_file.py").write_text(FAULTY.replace("{name}", "faulty"))
        words += ["--plugin", "my_file.py"]
    err = said(*words, code=70)
    assert "Bad of the plugin" in err
    assert ("faulty" if installed_as == "distribution" else "my_file.py") in err
    assert "IndexError: list index out of range" in err
    assert "Bad.__init__" in err
    assert "SPARRING_TRACEBACK=1" in err
    assert main([*words, "--json"]) == 70
    assert json.loads(capsys.readouterr().out)["error"]["kind"] == "IndexError"


COMMAND = """
import typer
from sparring import hookimpl

class Plugin:
    @hookimpl
    def sparring_commands(self, app):
        @app.command("greet")
        def greet(whom: str = "you") -> None:
            typer.echo(f"hello {whom}")

        @app.command("fail")
        def fail() -> None:
            raise ZeroDivisionError("by design")

        @app.command("show")
        def show() -> None:
            typer.echo("hijacked")

plugin = Plugin()
"""
CARELESS = """
from sparring import hookimpl

class Plugin:
    @hookimpl
    def sparring_commands(self, app):
        app.command("careless")(lambda: None)
        raise OSError("half-way")

plugin = Plugin()
"""


def test_plugins_add_commands(site: Site, capsys: pytest.CaptureFixture[str]):
    site.add_plugin("hello", COMMAND)
    site.add_plugin("broken", "import no_such_library")
    site.add_plugin("careless", CARELESS)
    assert main(["greet", "--whom", "me"]) == 0
    out, err = capsys.readouterr()
    assert out == "hello me\n"
    assert "plugin 'broken' is broken and adds no commands" in err
    assert "plugin 'careless' failed to add its commands: OSError: half-way" in err
    assert "adds a command 'show', which is Sparring's: left out" in err
    assert main(["fail"]) == 70
    assert "plugin 'hello' (sparring-hello) failed: ZeroDivisionError: by design" in capsys.readouterr().err


def test_plugins_are_not_loaded_for_known_commands(site: Site, capsys: pytest.CaptureFixture[str]):
    site.add_plugin("bystander", "raise AssertionError('imported')")
    assert main(["recipes"]) == 0
    assert main(["show", "toys"]) == 0
    assert "bystander" not in capsys.readouterr().err


def test_ctrl_c_anywhere_is_130(site: Site, monkeypatch: pytest.MonkeyPatch):
    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(source, "installed", interrupt)
    assert main(["recipes"]) == 130


def test_errors_of_any_command_are_shown(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def fail() -> None:
        raise SparringError("the disk is full", where="/runs", remedy="free some space")

    monkeypatch.setattr(source, "installed", fail)
    assert main(["recipes"]) == 1
    assert capsys.readouterr().err == "error: the disk is full\n  where: /runs\n  what to do: free some space\n"
