# ruff: noqa: INP001, T201 - a program, not part of a package
"""Make the sentences of ``text/wordnet-examples`` from Debian's package ``wordnet-base``.

WordNet explains its word senses by short examples in quotes. This program collects them, keeps those of 4 to 12 words,
cleans them, and writes them beside the licence into the plugin::

    python plugins/text/tools/make_wordnet_examples.py

It asks ``apt-get download`` for the package and unpacks it with ``dpkg -x``; neither needs to be root. The same package
gives the same file, byte for byte.
"""

from __future__ import annotations

import argparse
import hashlib
import lzma
import re
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

PACKAGE = "wordnet-base"
PARTS_OF_SPEECH = ("noun", "verb", "adj", "adv")
FEWEST_WORDS, MOST_WORDS = 4, 12
TARGET = Path(__file__).parents[1] / "src" / "sparring_text" / "wordnet_data"

QUOTED = re.compile(r'"([^"]+)"')
# Letters, digits and the marks of plain prose. What has others is left out: brackets of editors, sums, formulas, and
# quotations within quotations, whose marks WordNet sets as `this'.
PLAIN = re.compile(r"[A-Za-z0-9 ',.;:?!-]+")
# Quotations in single quotes, which are told from a plural's possessive ("the boys' room"), and omissions.
UNPLAIN = re.compile(r"(?:^|\s)'|[^s]'(?:\s|$)|[.]{2}")
SENTENCE_END = re.compile(r"(?:\s*[.,;:])+$")


def main() -> None:
    """Read the command line and write the files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--package", type=Path, help="a .deb file that is there already; by default apt brings it")
    parser.add_argument("--out", type=Path, default=TARGET, help="the folder to write into")
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        package = options.package.resolve() if options.package else download(Path(folder))
        subprocess.run(["dpkg", "-x", package, folder], check=True)
        share = Path(folder) / "usr" / "share"
        sentences = clean(examples(share / "wordnet"))
        licence = (share / "doc" / PACKAGE / "copyright").read_text(encoding="utf-8")
        credit = describe(package, len(sentences))
    options.out.mkdir(parents=True, exist_ok=True)
    content = "".join(f"{sentence}\n" for sentence in sentences).encode()
    (options.out / "sentences.txt.xz").write_bytes(lzma.compress(content, preset=9 | lzma.PRESET_EXTREME))
    (options.out / "LICENCE.txt").write_text(licence, encoding="utf-8")
    (options.out / "CREDITS.md").write_text(credit, encoding="utf-8")
    print(f"{len(sentences)} sentences, {len(content)} bytes, sha256 {hashlib.sha256(content).hexdigest()}")


def download(folder: Path) -> Path:
    """Fetch the package with apt, unchanged, into a folder."""
    subprocess.run(["apt-get", "download", PACKAGE], cwd=folder, check=True)
    return next(folder.glob("*.deb"))


def examples(folder: Path) -> Iterator[str]:
    """Yield every example of WordNet's data files: what stands in double quotes behind a sense's bar."""
    for part in PARTS_OF_SPEECH:
        with (folder / f"data.{part}").open(encoding="ascii") as lines:
            for line in lines:
                # The licence at the top of each file is indented by two spaces.
                if not line.startswith("  "):
                    yield from QUOTED.findall(line.partition(" | ")[2])


def clean(raw: Iterable[str]) -> list[str]:
    """Return the sentences to keep, each once, in alphabetical order."""
    plain = [SENTENCE_END.sub("", " ".join(text.split())) for text in raw]
    plain = [text for text in plain if PLAIN.fullmatch(text) and not UNPLAIN.search(text)]
    kept = {}
    for text in lower_beginnings(plain):
        if FEWEST_WORDS <= len(text.split()) <= MOST_WORDS:
            kept.setdefault(text.lower(), text)
    return [kept[key] for key in sorted(kept)]


def lower_beginnings(sentences: list[str]) -> Iterator[str]:
    """Write first words small unless they are names: WordNet capitalises the examples of verbs and no others.

    A word is taken for a name where it stands with a capital more often than without inside sentences.
    """
    inside = Counter(word for text in sentences for word in re.findall(r"[A-Za-z]+", text.partition(" ")[2]))
    for text in sentences:
        found = re.match(r"[A-Za-z]+", text)
        first = found.group() if found else ""
        is_name = inside[first] > inside[first.lower()]
        # "I", and abbreviations such as "NATO", keep their capitals; so does a word that stands nowhere else.
        lowered = first if is_name or (first.isupper() and first != "A") else first.lower()
        yield lowered + text[len(first) :]


def describe(package: Path, count: int) -> str:
    """Return the credits, which name the very package that was read."""
    version = subprocess.run(
        ["dpkg-deb", "-f", package, "Version"], check=True, capture_output=True, text=True
    ).stdout.strip()
    digest = hashlib.sha256(package.read_bytes()).hexdigest()
    return f"""# Credits

`sentences.txt.xz` holds {count:,} examples of usage from **WordNet 3.0**, Princeton University, 2006.
Copyright 1996-2012 Cognitive Science Laboratory, Princeton University.
The licence, as the Debian package carries it, is in `LICENCE.txt`; it allows any use. What that file says of `debian/*`
concerns Debian's own packaging files, none of which are here.

They were taken from Debian's package `{PACKAGE}`, version {version}
(SHA-256 of the package: `{digest}`),
by `plugins/text/tools/make_wordnet_examples.py` of Sparring's repository. Changes: examples of
{FEWEST_WORDS} to {MOST_WORDS} words were kept, each once; those with brackets, formulas or quotations within were left
out; full stops at the end were removed; first words that are no names are written small; the order is alphabetical.

To cite WordNet: George A. Miller (1995). WordNet: A Lexical Database for English. Communications of the ACM 38 (11).
Christiane Fellbaum, editor (1998). WordNet: An Electronic Lexical Database. MIT Press.
"""


if __name__ == "__main__":
    main()
