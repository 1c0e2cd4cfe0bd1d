"""A file that begins with an age header, open for reading: sealed data and sealed models alike.

The file is read with ``pread`` rather than mapped, so that one which shrinks meanwhile is an error and not a
crash.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from hauberk.core.errors import ConfigError, DataError, IntegrityError
from hauberk.core.files import machine_errors, read_exactly
from hauberk.crypto.age import header as age_header
from hauberk.crypto.age.keys import Identity
from hauberk.crypto.age.wrapping import unwrap
from hauberk.crypto.secret import Secret


class AgeFile:
    """A file of which the header has been read, and nothing decrypted.

    Args:
        path: of the file.

    Raises:
        DataError: there is no such file, or it is not an ordinary one.
        IntegrityError: no age header, or a damaged one.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._descriptor = _descriptor(self.path)
        try:
            self.size_bytes = os.fstat(self._descriptor).st_size
            with self.distrusted():
                self.header = age_header.parse(self.raw(0, min(self.size_bytes, age_header.LONGEST)))
        except BaseException:
            self.close()
            raise

    def raw(self, at: int, count: int) -> bytes:
        """Bytes of the file as they are."""
        data = bytearray(count)
        self.fill(at, memoryview(data))
        return bytes(data)

    def fill(self, at: int, out: memoryview) -> None:
        """The same, into memory."""
        read_exactly(self._descriptor, at, out, self.path)

    @contextmanager
    def distrusted(self) -> Iterator[None]:
        """Whatever is wrong inside the file is an ``IntegrityError`` that names it."""
        try:
            yield
        except IntegrityError as error:
            if str(error).startswith(f"{self.path}"):
                raise
            raise type(error)(f"{self.path}: {error}", hint=error.hint, **error.facts) from error
        except (DataError, ConfigError) as error:
            raise IntegrityError(
                f"{self.path}: {error}: it verifies, but was not sealed as it must be"
            ) from error

    def file_key(self, identities: Iterable[Identity]) -> Secret:
        """The key of the file.

        Raises:
            NoIdentityMatched: the file is sealed for others.
            IntegrityError: the header is malformed or was changed.
        """
        with self.distrusted():
            return unwrap(self.header, identities)

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _descriptor(path: Path) -> int:
    with machine_errors("read", path):
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a pipe would wait for ever
        except FileNotFoundError:
            raise DataError(f"no sealed file at {path}") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise DataError(f"{path} is not a sealed file: it is a folder, a pipe or a device")
    return descriptor
