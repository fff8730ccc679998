"""Turn docstrings and annotations of the code into Markdown."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ForwardRef, Literal, NamedTuple, get_args, get_origin

from sparring.plugins.options import component_kind, interfaces

NOTICE = "<!-- Made by docs/make_reference.py from the code: change the code, then run the script. -->"

SECTIONS = ("Args", "Attributes", "Raises", "Returns", "Yields")


class Parts(NamedTuple):
    """A docstring taken apart: its prose, and its sections by name, each a list of (name, text)."""

    prose: str
    sections: dict[str, list[tuple[str, str]]]


def parts_of(target: Any) -> Parts:
    """Take a Google-style docstring apart."""
    prose: list[str] = []
    sections: dict[str, list[str]] = {}
    lines = prose
    for line in (inspect.getdoc(target) or "").splitlines():
        heading = re.fullmatch(r"(\w+):", line)
        if heading and heading[1] in SECTIONS:
            lines = sections.setdefault(heading[1], [])
            continue
        if line and not line.startswith(" "):  # what stands at the margin again is prose
            lines = prose
        lines.append(line)
    return Parts("\n".join(prose).strip(), {name: list(_entries(name, found)) for name, found in sections.items()})


def _entries(section: str, lines: Sequence[str]) -> Iterable[tuple[str, str]]:
    """Give a section's entries: a name and its text; what a function returns has no name."""
    text = textwrap.dedent("\n".join(lines)).strip()
    if section in ("Returns", "Yields"):
        yield "", joined(text)
        return
    # A new entry begins where a line begins at the margin; what is indented goes on with it.
    for entry in re.split(r"\n(?=\S)", text):
        name, colon, rest = entry.partition(":")
        if colon:
            yield name.strip("`* "), joined(rest)


def joined(text: str) -> str:
    """Return a text as one line of Markdown."""
    return " ".join(markdown(text).split())


def markdown(text: str) -> str:
    """Turn the few marks of reStructuredText that docstrings use into Markdown."""
    text = re.sub(r"``(.+?)``", r"`\1`", text, flags=re.DOTALL)
    found: list[str] = []
    code: list[str] | None = None
    for line in text.splitlines():
        if code is not None and (line.startswith("    ") or not line.strip()):
            code.append(line[4:])
            continue
        if code is not None:
            found += [*_fenced(code), ""]
            code = None
        if line.endswith("::"):
            found += [line[:-1], ""]
            code = []
        else:
            found.append(line)
    if code is not None:
        found += _fenced(code)
    return "\n".join(found).strip()


def _fenced(code: Sequence[str]) -> list[str]:
    return ["```python", *"\n".join(code).strip("\n").splitlines(), "```"]


def prose_of(target: Any) -> str:
    """Return a docstring's prose as Markdown."""
    return markdown(parts_of(target).prose)


def bullets(target: Any, section: str) -> str:
    """Return a section of a docstring as a list."""
    entries = parts_of(target).sections.get(section, [])
    return "\n".join(f"- `{name}`: {text}" if name else text for name, text in entries)


def type_name(annotation: Any) -> str:
    """Write an option's type as a person would: ``int``, ``l1 or l2``, ``a loss``, ``list of int``."""
    kind = component_kind(annotation)
    if kind and annotation in interfaces():
        return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"
    if annotation is type(None):
        return "null"
    if get_origin(annotation) is Literal:
        return " or ".join(f"`{value}`" for value in get_args(annotation))
    arguments = get_args(annotation)
    if not arguments:
        names = {"str": "text", "Path": "path"}
        return names.get(annotation.__name__, annotation.__name__)
    inner = [type_name(argument) for argument in arguments if argument is not Ellipsis]
    origin = get_origin(annotation)
    if origin is list:
        return f"list of {inner[0]}"
    if origin is tuple:
        return f"list of {len(inner)} × {inner[0]}" if len(set(inner)) == 1 else f"list of {', '.join(inner)}"
    if isinstance(origin, type) and issubclass(origin, dict):
        return f"mapping of {inner[0]} to {inner[1]}"
    return " or ".join(inner)


def signature(name: str, target: Callable[..., Any], *, method: bool = False) -> str:
    """Write a signature with its annotations as they stand in the source, one line if it is short."""
    # A named tuple has no constructor of its own to read.
    function = target.__init__ if inspect.isclass(target) and not issubclass(target, tuple) else target
    parameters = list(inspect.signature(function).parameters.values())
    if method or function is not target:
        parameters = parameters[1:]
    shown: list[str] = []
    starred = False
    for parameter in parameters:
        if parameter.kind is parameter.KEYWORD_ONLY and not starred:
            shown.append("*")
        starred = starred or parameter.kind in (parameter.KEYWORD_ONLY, parameter.VAR_POSITIONAL)
        shown.append(_parameter(parameter))
    returned = inspect.signature(function).return_annotation
    arrow = "" if inspect.isclass(target) or returned is inspect.Signature.empty else f" -> {_annotation(returned)}"
    line = f"{name}({', '.join(shown)}){arrow}"
    if len(line) <= 110:
        return line
    return "\n".join([f"{name}(", *(f"    {part}," for part in shown), f"){arrow}"])


def _parameter(parameter: inspect.Parameter) -> str:
    text = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "") + parameter.name
    if parameter.annotation is not parameter.empty:
        text += f": {_annotation(parameter.annotation)}"
    if parameter.default is parameter.empty:
        return text
    default = "{}" if parameter.default == {} else repr(parameter.default)
    return f"{text} = {'…' if ' at 0x' in default else default}"


def _annotation(annotation: Any) -> str:
    if isinstance(annotation, ForwardRef):
        return annotation.__forward_arg__
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table; a bar within a cell is escaped."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines)
