"""Unpack archives from elsewhere: nothing is ever written outside the folder that was named."""

from __future__ import annotations

import shutil
import sys
import zipfile
import zlib
from pathlib import Path, PurePosixPath, PureWindowsPath

from sparring.errors import DataError

if sys.version_info >= (3, 11, 4):
    import tarfile
else:  # the filters that keep members within their folder came with 3.11.4; Debian 12 has 3.11.2
    from backports import tarfile  # type: ignore[no-redef]

ZIPS = (".zip", ".whl")
TARS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")


def is_archive(file: Path) -> bool:
    """Whether a file's name is that of an archive that ``unpack`` knows."""
    return file.name.lower().endswith(ZIPS + TARS)


def unpack(file: Path, folder: Path) -> None:
    """Unpack an archive into a folder.

    Raises:
        DataError: It is damaged, or a member would leave the folder; then nothing of it should be used.
    """
    try:
        if file.name.lower().endswith(ZIPS):
            _unpack_zip(file, folder)
        else:
            with tarfile.open(file) as archive:
                archive.extractall(folder, filter="data")
    except tarfile.FilterError as cause:
        raise _unsafe(file, str(cause)) from cause
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as cause:
        raise DataError(
            f"the archive cannot be unpacked: {cause}", where=file.name, remedy="try again; it may be cut short"
        ) from cause


def _unpack_zip(file: Path, folder: Path) -> None:
    with zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            # zipfile would drop the dangerous part of such a name and go on; an archive that has one is not trusted.
            path, elsewhere = PurePosixPath(member.filename), PureWindowsPath(member.filename)
            if path.is_absolute() or elsewhere.drive or elsewhere.root or ".." in elsewhere.parts:
                raise _unsafe(file, f"'{member.filename}' leads outside the folder")
        for member in archive.infolist():
            target = folder / member.filename
            if member.is_dir():
                target.mkdir(parents=True, exist_ok=True)
                continue
            # Written as plain files: links and permissions of the archive are not taken over.
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(member) as packed, target.open("wb") as written:
                shutil.copyfileobj(packed, written)


def _unsafe(file: Path, why: str) -> DataError:
    return DataError(f"the archive is not safe: {why}", where=file.name, remedy="do not use it; tell its publisher")
