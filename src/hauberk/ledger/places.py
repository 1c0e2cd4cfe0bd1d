"""Where published files lie: in a folder, on a file server (read only), or in what fsspec reaches."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from hauberk.core.errors import ConfigError, EnvironmentFailure
from hauberk.core.files import machine_errors, write_atomic
from hauberk.core.stores import file_system, without_password
from hauberk.ledger import web
from hauberk.ledger.tiles import LARGEST_ENTRY, WIDTH

_LARGEST = WIDTH * (LARGEST_ENTRY + 2)  # bytes of a bundle


class Place(Protocol):
    """Files by their relative path."""

    @property
    def where(self) -> str:
        """For messages; without a password."""

    def read(self, path: str) -> bytes | None:
        """A whole file, or None where there is none.

        Raises:
            EnvironmentFailure: it is not known whether there is one.
        """

    def write(self, path: str, data: bytes) -> None:
        """Put a whole file there; no reader sees a part of it.

        Raises:
            EnvironmentFailure: it could not be written.
        """


def place(where: str | Path) -> Place:
    """The place that a folder or URL names.

    Raises:
        ConfigError: nothing here knows this kind of URL.
        DependencyMissing: fsspec needs a package for it.
    """
    text = str(where)
    if "://" not in text:
        return Folder(Path(text))
    try:
        urlsplit(text)
    except ValueError as error:
        raise ConfigError(f"this URL cannot be read: {error}") from None
    if text.startswith(("http://", "https://")):
        return FileServer(text)
    return Store(text)


class Folder:
    """Files of this machine."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def where(self) -> str:
        return str(self._path)

    def read(self, path: str) -> bytes | None:
        file = self._path / path
        with machine_errors("read", file):
            try:
                return file.read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                return None

    def write(self, path: str, data: bytes) -> None:
        write_atomic(self._path / path, data)


class FileServer:
    """Files behind HTTP."""

    def __init__(self, url: str) -> None:
        self._url = web.check_url(url, "a published log")

    @property
    def where(self) -> str:
        return without_password(self._url)

    def read(self, path: str) -> bytes | None:
        answer = web.get(f"{self._url}/{path}", most_bytes=_LARGEST)
        if answer.status in (404, 410):
            return None
        if answer.status != 200:
            raise EnvironmentFailure(f"{self.where} answers HTTP {answer.status} for {path}")
        return answer.body

    def write(self, path: str, data: bytes) -> None:
        raise ConfigError(
            f"{self.where} is a file server, which is read only",
            hint="write to a folder or an object store that it serves",
        )


class Store:
    """Files of anything that fsspec has a name for (``s3://``, ``gs://``, ``memory://``)."""

    def __init__(self, url: str) -> None:
        self._where = without_password(url)
        self._files, self._root = file_system(url)

    @property
    def where(self) -> str:
        return self._where

    def read(self, path: str) -> bytes | None:
        try:
            return bytes(self._files.cat_file(f"{self._root}/{path}"))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except Exception as error:
            raise self._failed("read", path, error) from error

    def write(self, path: str, data: bytes) -> None:
        target = f"{self._root}/{path}"
        try:
            self._files.makedirs(target.rpartition("/")[0], exist_ok=True)
            with self._files.transaction:
                self._files.pipe_file(target, data)
        except Exception as error:
            raise self._failed("write", path, error) from error

    def _failed(self, action: str, path: str, error: Exception) -> EnvironmentFailure:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        return EnvironmentFailure(f"could not {action} {path} at {self._where}: {reason}")
