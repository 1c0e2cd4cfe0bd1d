"""Where blobs lie: a folder of this machine, or what fsspec reaches (``s3://``, ``gs://``, ``sftp://``).

A blob appears whole or not at all. Its name is 64 hexadecimal digits, of which the first two are its folder.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from hauberk.core.errors import EnvironmentFailure, HauberkError, IntegrityError
from hauberk.core.files import file_aside, machine_errors, read_exactly, write_exactly
from hauberk.core.stores import file_system, without_password
from hauberk.vault.ciphering import Read, Write
from hauberk.vault.settings import is_url

_NAME = re.compile(r"[0-9a-f]{64}")
_PART = ".part"
_BLOCK_BYTES = 8 << 20  # of one request to an object store
_TIMES = ("mtime", "LastModified", "updated", "last_modified", "created")  # fsspec has no one name for it


class BlobPlace(Protocol):
    """Blobs by their names."""

    @property
    def where(self) -> str:
        """For messages; without a password."""

    def size(self, name: str) -> int | None:
        """How many bytes it has; None where it is not there."""

    @contextmanager
    def writing(self, name: str) -> Iterator[Write]:
        """Write a blob; it is there when the block ends without error."""

    @contextmanager
    def reading(self, name: str) -> Iterator[Read]:
        """Read a blob.

        Raises:
            IntegrityError: it is missing, or ends too early.
        """

    def leftovers(self) -> Iterator[tuple[str, float]]:
        """Every name, and parts of blobs that were never finished, with the POSIX time when it was written."""

    def remove(self, name: str) -> None:
        """Take away what ``leftovers`` named."""


def blob_place(where: str) -> BlobPlace:
    """The place that a folder or URL names.

    Raises:
        ConfigError: nothing knows this kind of URL.
        DependencyMissing: fsspec needs a package for it.
    """
    return RemoteBlobs(where) if is_url(where) else FolderOfBlobs(Path(where))


class FolderOfBlobs:
    """Files of this machine, mode 600."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def where(self) -> str:
        return str(self._folder)

    def size(self, name: str) -> int | None:
        try:
            return self._file(name).stat().st_size
        except FileNotFoundError:
            return None
        except OSError as error:
            raise EnvironmentFailure(f"could not look into {self._folder}: {error.strerror}") from error

    @contextmanager
    def writing(self, name: str) -> Iterator[Write]:
        with file_aside(self._file(name), mode=0o600) as descriptor:
            at = 0

            def write(data: memoryview) -> None:
                nonlocal at
                write_exactly(descriptor, at, data)
                at += len(data)

            yield write

    @contextmanager
    def reading(self, name: str) -> Iterator[Read]:
        file = self._file(name)
        with machine_errors("read", file):
            try:
                descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                raise _missing(name, self.where) from None
        try:
            yield lambda at, into: read_exactly(descriptor, at, into, file)
        finally:
            os.close(descriptor)

    def leftovers(self) -> Iterator[tuple[str, float]]:
        with machine_errors("read", self._folder):
            for file in sorted(self._folder.glob("??/*")):  # glob's * matches names with a leading dot too
                part = file.name.startswith(".") and file.name.endswith(_PART)
                if not (_NAME.fullmatch(file.name) or part):
                    continue
                try:
                    written = file.stat().st_mtime
                except FileNotFoundError:  # finished or collected by another process meanwhile
                    continue
                yield file.name, written

    def remove(self, name: str) -> None:
        file = self._file(name.lstrip("."))
        with machine_errors("remove", file):
            file.with_name(name).unlink(missing_ok=True)

    def _file(self, name: str) -> Path:
        return self._folder / name[:2] / name


class RemoteBlobs:
    """Objects of anything that fsspec has a name for."""

    def __init__(self, url: str) -> None:
        self._where = without_password(url)
        self._files, self._root = file_system(url)

    @property
    def where(self) -> str:
        return self._where

    def size(self, name: str) -> int | None:
        with self._said("look into"):
            try:
                self._files.invalidate_cache()
                return int(self._files.info(self._path(name))["size"])
            except (FileNotFoundError, NotADirectoryError):
                return None

    @contextmanager
    def writing(self, name: str) -> Iterator[Write]:
        path = self._path(name)
        with self._said("write to"):
            self._files.makedirs(path.rpartition("/")[0], exist_ok=True)
            file = self._files.open(path, "wb", block_size=_BLOCK_BYTES, autocommit=False)
            try:
                yield lambda data: _all(file, data)
                file.close()
            except BaseException:
                _discard(file)
                raise
            file.commit()

    @contextmanager
    def reading(self, name: str) -> Iterator[Read]:
        with self._said("read from"):
            try:
                file = self._files.open(self._path(name), "rb", block_size=_BLOCK_BYTES, cache_type="readahead")
            except (FileNotFoundError, NotADirectoryError):
                raise _missing(name, self._where) from None
            with file:
                yield lambda at, into: _fill(file, at, into, self._where)

    def leftovers(self) -> Iterator[tuple[str, float]]:
        with self._said("list"):
            self._files.invalidate_cache()
            for path, facts in self._files.find(self._root, detail=True).items():
                name = str(path).rpartition("/")[2]
                if _NAME.fullmatch(name):
                    yield name, _written(facts)

    def remove(self, name: str) -> None:
        with self._said("remove from"):
            self._files.rm_file(self._path(name))

    def _path(self, name: str) -> str:
        return f"{self._root}/{name[:2]}/{name}"

    @contextmanager
    def _said(self, action: str) -> Iterator[None]:
        try:
            yield
        except HauberkError:
            raise
        except Exception as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise EnvironmentFailure(f"could not {action} {self._where}: {reason}") from error


def _missing(name: str, where: str) -> IntegrityError:
    return IntegrityError(f"{where} lacks {name[:16]}…, which a version needs")


def _all(file: Any, data: memoryview) -> None:
    """``write`` of some stores keeps the memory it is given."""
    file.write(bytes(data))


def _discard(file: Any) -> None:
    """Give up a file that was not committed. What a store cannot do here must not hide why."""
    with suppress(Exception):
        file.discard()
    with suppress(AttributeError):
        file.closed = True  # else it is finished when it is closed or forgotten
    with suppress(Exception):
        file.close()


def _fill(file: Any, at: int, into: memoryview, where: str) -> None:
    if file.tell() != at:
        file.seek(at)
    done = 0
    while done < len(into):
        count = file.readinto(into[done:])
        if not count:
            raise IntegrityError(f"an artifact in {where} ends too early: it was cut short")
        done += count


def _written(facts: dict[str, Any]) -> float:
    """When an object was written; one that does not say is as new as can be."""
    found = next((facts[one] for one in _TIMES if facts.get(one) is not None), None)
    if isinstance(found, datetime):
        return found.timestamp()
    return float(found) if isinstance(found, int | float) else float("inf")
