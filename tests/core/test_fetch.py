"""Data are fetched by their ordinary clients, verified, unpacked safely, and never twice."""

import errno
import hashlib
import io
import json
import os
import shutil
import stat
import sys
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from sparring.data import fetch as module
from sparring.data.archives import unpack
from sparring.data.fetch import fetch, folder_of, is_fetched
from sparring.errors import DataError
from sparring.interfaces.data import Source

NAME = "toys/blocks"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SPARRING_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A folder that a server on this machine serves, and its address."""
    folder = tmp_path_factory.mktemp("served")

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *words: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def source(client: str, locator: str, **more: object) -> Source:
    return Source(client, locator, licence="CC0", size=10, credit="Ada", **more)  # type: ignore[arg-type]


def digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def make_zip(file: Path, *names: str) -> Path:
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, f"in {name}")
    return file


def make_tar(file: Path, *names: str, change: Callable[[tarfile.TarInfo], None] = lambda member: None) -> Path:
    with tarfile.open(file, "w:gz") as archive:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = 2
            change(member)
            archive.addfile(member, io.BytesIO(b"hi"))
    return file


def leftovers(home: Path) -> list[str]:
    return [path.name for path in home.iterdir()] if home.exists() else []


def put_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, script: str) -> None:
    """Put a stub of a client in front of the real one."""
    folder = tmp_path / "bin"
    folder.mkdir(exist_ok=True)
    file = folder / program
    file.write_text(f"#!{sys.executable}\nimport shutil, sys\nfrom pathlib import Path\n{script}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)


def put_pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Put a stub in front of pip, which is called as ``python -m pip``."""
    package = tmp_path / "stub" / "pip"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "__main__.py").write_text(f"import shutil, sys\nfrom pathlib import Path\n{script}\n")
    monkeypatch.setenv("PYTHONPATH", str(package.parent), prepend=os.pathsep)


# ---- by URL ----


@pytest.mark.parametrize("scheme", ["file", "http"])
def test_url_is_fetched_verified_and_unpacked(served: tuple[Path, str], home: Path, scheme: str):
    folder, address = served
    file = make_zip(folder / "blocks v1.zip", "a/one.txt", "two.txt")
    locator = file.as_uri() if scheme == "file" else f"{address}/blocks%20v1.zip"
    found = fetch(NAME, source("url", locator, sha256=digest(file).upper()))
    assert found == folder_of(NAME) == home / "toys-blocks"
    assert (found / "a" / "one.txt").read_text() == "in a/one.txt"
    record = json.loads((found / "source.json").read_text())
    assert (record["credit"], record["licence"], record["locator"]) == ("Ada", "CC0", locator)
    assert is_fetched(NAME)
    assert leftovers(home) == ["toys-blocks"]
    assert found.stat().st_mode & 0o755 == 0o755


def test_plain_file_is_kept_under_its_name(tmp_path: Path):
    file = tmp_path / "table.csv.gz"
    file.write_bytes(b"12")
    found = fetch(NAME, source("url", file.as_uri(), sha256=digest(file)))
    assert sorted(path.name for path in found.iterdir()) == ["source.json", "table.csv.gz"]


def test_wrong_checksum_names_both_sums_and_leaves_nothing(tmp_path: Path, home: Path):
    file = make_zip(tmp_path / "blocks.zip", "a")
    with pytest.raises(DataError) as raised:
        fetch(NAME, source("url", file.as_uri(), sha256="0" * 64))
    assert digest(file) in str(raised.value)
    assert "0" * 64 in str(raised.value)
    assert not leftovers(home)


def test_url_without_checksum_is_refused_unread(home: Path):
    with pytest.raises(DataError, match="no SHA-256"):
        fetch(NAME, source("url", "http://127.0.0.1:9/x"))
    assert not leftovers(home)


def test_server_that_is_missing_or_refuses(served: tuple[Path, str], home: Path):
    with pytest.raises(DataError, match="404"):
        fetch(NAME, source("url", f"{served[1]}/none", sha256="0"))
    with pytest.raises(DataError, match="cannot be reached"):
        fetch(NAME, source("url", "http://127.0.0.1:9/x", sha256="0"))
    with pytest.raises(DataError, match="cannot be reached"):
        fetch(NAME, source("url", "file:///no/such/file", sha256="0"))
    assert not leftovers(home)


def test_what_is_fetched_is_told_beforehand_and_once(tmp_path: Path):
    file = make_zip(tmp_path / "blocks.zip", "a")
    wanted = source("url", file.as_uri(), sha256=digest(file))
    console = Console(file=io.StringIO(), width=20)
    fetch(NAME, wanted, console=console)
    said = console.file.getvalue()
    for part in (file.as_uri(), "1e-05 MB", "CC0", "Ada", str(folder_of(NAME))):
        assert part in said
    file.unlink()
    fetch(NAME, wanted, console=console)
    assert "is there already" in console.file.getvalue()


# ---- what is there before ----


def test_folder_of_other_origin_is_left_alone(home: Path):
    (home / "toys-blocks").mkdir(parents=True)
    (home / "toys-blocks" / "mine.txt").write_text("mine")
    with pytest.raises(DataError, match="was not fetched"):
        fetch(NAME, source("url", "http://127.0.0.1:9/x", sha256="0"))
    assert (home / "toys-blocks" / "mine.txt").read_text() == "mine"
    assert not is_fetched(NAME)


def test_folder_of_another_version_is_named(tmp_path: Path):
    file = make_zip(tmp_path / "blocks.zip", "a")
    fetch(NAME, source("url", file.as_uri(), sha256=digest(file)))
    with pytest.raises(DataError, match="another version: '' instead of '2'"):
        fetch(NAME, source("url", file.as_uri(), sha256=digest(file), version="2"))


def test_folder_is_found_by_environment_or_in_the_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SPARRING_DATA", "~/elsewhere")
    assert folder_of("a/b") == tmp_path / "elsewhere" / "a-b"
    monkeypatch.delenv("SPARRING_DATA")
    assert folder_of("a/b") == tmp_path / ".cache" / "sparring" / "data" / "a-b"


# ---- hostile and damaged archives ----


@pytest.mark.parametrize("name", ["../out", "a/../../out", "/tmp/out", "..\\out", "C:\\out", "\\out", "a\\..\\..\\out"])
def test_zip_that_leads_outside_is_refused(tmp_path: Path, name: str):
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(DataError, match="not safe"):
        unpack(make_zip(tmp_path / "a.whl", "good", name), folder)
    assert not list(folder.iterdir())


def test_links_in_a_zip_become_plain_files(tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        link = zipfile.ZipInfo("link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("link2/", "")
    unpack(tmp_path / "a.zip", tmp_path / "folder")
    assert not (tmp_path / "folder" / "link").is_symlink()
    assert (tmp_path / "folder" / "link").read_text() == "/etc/passwd"


def as_link(target: str) -> Callable[[tarfile.TarInfo], None]:
    def change(member: tarfile.TarInfo) -> None:
        member.type, member.linkname, member.size = tarfile.SYMTYPE, target, 0

    return change


def as_device(member: tarfile.TarInfo) -> None:
    member.type, member.size = tarfile.CHRTYPE, 0


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("../out", None),
        ("a/../../out", None),
        ("link", as_link("/etc")),
        ("link", as_link("../..")),
        ("device", as_device),
    ],
)
def test_tar_that_leads_outside_is_refused(tmp_path: Path, name: str, change: Callable[[tarfile.TarInfo], None] | None):
    (tmp_path / "folder").mkdir()
    file = make_tar(tmp_path / "a.tar.gz", name, change=change or (lambda member: None))
    with pytest.raises(DataError, match="not safe"):
        unpack(file, tmp_path / "folder")
    assert not (tmp_path / "out").exists()


def test_hostile_download_leaves_nothing(tmp_path: Path, home: Path):
    file = make_tar(tmp_path / "a.tgz", "fine", "../../out")
    with pytest.raises(DataError, match="not safe"):
        fetch(NAME, source("url", file.as_uri(), sha256=digest(file)))
    assert not leftovers(home)


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz", "a.tar.xz", "a.tar"])
def test_damaged_archive_is_an_error(tmp_path: Path, name: str):
    (tmp_path / name).write_bytes(b"no archive at all" * 100)
    with pytest.raises(DataError, match="cannot be unpacked"):
        unpack(tmp_path / name, tmp_path)


def test_archive_that_is_cut_short_is_an_error(tmp_path: Path):
    whole = make_tar(tmp_path / "a.tgz", *(f"{index}" for index in range(200))).read_bytes()
    (tmp_path / "b.tgz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError, match="cannot be unpacked"):
        unpack(tmp_path / "b.tgz", tmp_path / "folder")


# ---- the other clients ----


def test_pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    wheel = make_zip(tmp_path / "blocks-1.0-py3-none-any.whl", "blocks/data.csv")
    put_pip(
        tmp_path,
        monkeypatch,
        "assert sys.argv[1:3] == ['download', '--no-deps'] and sys.argv[-1] == 'blocks==1.0', sys.argv\n"
        f"shutil.copy({str(wheel)!r}, sys.argv[sys.argv.index('--dest') + 1])",
    )
    found = fetch(NAME, source("pip", "blocks", version="1.0", sha256=digest(wheel)))
    assert (found / "blocks" / "data.csv").is_file()


def test_npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    packed = make_tar(tmp_path / "blocks-1.0.0.tgz", "package/data.csv")
    put_on_path(
        tmp_path,
        monkeypatch,
        "npm",
        f"assert sys.argv[1:] == ['pack', '--ignore-scripts', 'blocks@1.0.0']\nshutil.copy({str(packed)!r}, '.')",
    )
    assert (fetch(NAME, source("npm", "blocks", version="1.0.0")) / "package" / "data.csv").read_text() == "hi"


def test_several_packages_lie_in_folders_of_their_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path):
    for name in ("red", "blue"):
        make_tar(tmp_path / f"{name}-1.0.0.tgz", "package/data.csv")
    put_on_path(
        tmp_path,
        monkeypatch,
        "npm",
        f"shutil.copy(Path({str(tmp_path)!r}, sys.argv[-1].split('/')[-1].replace('@', '-') + '.tgz'), '.')",
    )
    blue = replace(source("npm", "@toys/blue", version="1.0.0"), licence="MIT", credit="Bob")
    both = source("npm", "red", version="1.0.0", further=(blue,))
    written = io.StringIO()
    found = fetch(NAME, both, console=Console(file=written, width=200))
    assert sorted(path.name for path in found.iterdir()) == ["blue", "red", "source.json"]
    assert all((found / name / "package" / "data.csv").read_text() == "hi" for name in ("red", "blue"))
    for told in ("red 1.0.0", "licence: CC0; credit: Ada", "@toys/blue 1.0.0", "licence: MIT; credit: Bob"):
        assert told in written.getvalue()
    assert fetch(NAME, both) == found  # there already
    with pytest.raises(DataError, match="2 downloads instead of 1"):
        fetch(NAME, replace(both, further=()))
    with pytest.raises(DataError, match=r"another version: '1\.0\.0' instead of '2\.0\.0'"):
        fetch(NAME, replace(both, further=(replace(blue, version="2.0.0"),)))
    assert leftovers(home) == [found.name]


def test_several_plain_files_lie_side_by_side(tmp_path: Path):
    for name in ("a.gz", "b.gz"):
        (tmp_path / name).write_bytes(name.encode())
    first, second = (
        source("url", (tmp_path / name).as_uri(), sha256=digest(tmp_path / name)) for name in ("a.gz", "b.gz")
    )
    found = fetch(NAME, replace(first, further=(second,)))
    assert sorted(path.name for path in found.iterdir()) == ["a.gz", "b.gz", "source.json"]


def test_a_second_download_that_fails_leaves_nothing(tmp_path: Path, home: Path):
    file = tmp_path / "a.gz"
    file.write_bytes(b"1")
    first = source("url", file.as_uri(), sha256=digest(file))
    with pytest.raises(DataError, match="not what was published"):
        fetch(NAME, replace(first, further=(replace(first, sha256="0" * 64),)))
    assert not leftovers(home)


def test_apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    put_on_path(
        tmp_path,
        monkeypatch,
        "apt-get",
        "assert sys.argv[1:] == ['download', 'words']\nPath('words_1_all.deb').write_text('')",
    )
    script = "assert sys.argv[1] == '-x'\nPath(sys.argv[3], 'usr').mkdir()"
    put_on_path(tmp_path, monkeypatch, "dpkg", script)
    assert (fetch(NAME, source("apt", "words")) / "usr").is_dir()


def test_hub(monkeypatch: pytest.MonkeyPatch):
    def snapshot_download(name: str, *, repo_type: str, revision: str | None, local_dir: Path) -> None:
        assert (name, repo_type, revision) == ("ada/blocks", "dataset", "abc")
        (local_dir / "data").mkdir()
        (local_dir / "data" / "a.txt").write_text("hi")
        (local_dir / ".cache").mkdir()

    monkeypatch.setitem(sys.modules, "huggingface_hub", SimpleNamespace(snapshot_download=snapshot_download))
    found = fetch(NAME, source("hub", "ada/blocks", version="abc"))
    assert (found / "data" / "a.txt").is_file()
    assert not (found / ".cache").exists()


def test_hub_that_is_not_installed_or_fails(monkeypatch: pytest.MonkeyPatch, home: Path):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(DataError) as raised:
        fetch(NAME, source("hub", "ada/blocks"))
    assert "sparring[hub]" in raised.value.remedy

    def refuse(*names: object, **options: object) -> None:
        raise RuntimeError("401")

    monkeypatch.setitem(sys.modules, "huggingface_hub", SimpleNamespace(snapshot_download=refuse))
    with pytest.raises(DataError, match="401"):
        fetch(NAME, source("hub", "ada/blocks"))
    assert not leftovers(home)


def test_client_that_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DataError, match="'npm' is not installed") as raised:
        fetch(NAME, source("npm", "blocks"))
    assert raised.value.remedy


def test_client_that_fails_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path):
    put_pip(tmp_path, monkeypatch, "print('Looking'); print('ERROR: no such thing', file=sys.stderr); sys.exit(3)")
    with pytest.raises(DataError, match="exit code 3") as raised:
        fetch(NAME, source("pip", "blocks", version="1"))
    assert "ERROR: no such thing" in str(raised.value)
    assert "blocks==1" in raised.value.where
    assert not leftovers(home)


def test_client_that_brings_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    put_pip(tmp_path, monkeypatch, "")
    with pytest.raises(DataError, match="one file, not 0"):
        fetch(NAME, source("pip", "blocks", version="1"))


# ---- the disk ----


def test_full_disk_is_told_before_and_during(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path):
    put_pip(tmp_path, monkeypatch, "print('OSError: [Errno 28] No space left on device', file=sys.stderr); sys.exit(2)")
    with pytest.raises(DataError, match="the disk is full"):
        fetch(NAME, source("pip", "blocks", version="1"))

    def full(*names: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    file = make_zip(tmp_path / "a.zip", "a")
    with monkeypatch.context() as patch:
        patch.setattr(module, "unpack", full)
        with pytest.raises(DataError, match="the disk is full") as raised:
            fetch(NAME, source("url", file.as_uri(), sha256=digest(file)))
    assert "SPARRING_DATA" in raised.value.remedy
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=19))
    with pytest.raises(DataError, match="the disk is full"):
        fetch(NAME, source("url", file.as_uri(), sha256=digest(file)))
    assert not leftovers(home)


def test_home_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SPARRING_DATA", str(tmp_path / "file"))
    with pytest.raises(DataError, match="cannot be written"):
        fetch(NAME, source("url", "http://127.0.0.1:9/x", sha256="0"))


def test_another_process_was_faster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = make_zip(tmp_path / "a.zip", "a")
    wanted = source("url", file.as_uri(), sha256=digest(file))
    original = module._unpack_all

    def overtaken(*arguments: object) -> None:
        original(*arguments)  # type: ignore[arg-type]
        monkeypatch.setattr(module, "_unpack_all", original)
        fetch(NAME, wanted)

    monkeypatch.setattr(module, "_unpack_all", overtaken)
    assert (fetch(NAME, wanted) / "a").is_file()
