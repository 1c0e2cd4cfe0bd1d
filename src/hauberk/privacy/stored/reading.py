"""Reading a sealed file at any place: only the chunks that are asked for are read and decrypted.

Nothing is handed out before it verified, and the last chunk is verified first: it alone says that the file was
not cut. The file is read with ``pread`` rather than mapped, so that one which shrinks meanwhile is an error and
not a crash.
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from hauberk.core.errors import DataError, IntegrityError
from hauberk.core.files import machine_errors
from hauberk.crypto import age
from hauberk.crypto.age import header as age_header
from hauberk.crypto.age.payload import (
    CHUNK_BYTES,
    NONCE_BYTES,
    TAG_BYTES,
    TEXT_BYTES,
    Payload,
    chunks,
    text_bytes,
)

RUN = 16  # chunks read at once: a megabyte, which stays in a core's cache


class SealedReader:
    """The text of a sealed file, without writing it anywhere.

    Args:
        path: an age v1 file, from ``seal`` or any other age tool.
        identities: of those who read; used once and left to the caller to wipe.

    Raises:
        DataError: there is no such file, or it is no ordinary one.
        NoIdentityMatched: it is sealed for others.
        IntegrityError: no age file, or one that was changed or cut short.

    Limits: not for several threads at once.
    """

    def __init__(self, path: str | Path, identities: Iterable[age.Identity]) -> None:
        self.path = Path(path)
        self._descriptor = _descriptor(self.path)
        self._sealed = memoryview(bytearray(RUN * CHUNK_BYTES))
        self._kept, self._text = -1, memoryview(bytearray(TEXT_BYTES))
        try:
            with self.distrusted():
                whole = os.fstat(self._descriptor).st_size
                start = bytearray(min(whole, age_header.LONGEST))
                self._fill(0, memoryview(start))
                header = age_header.parse(bytes(start))
                self._at = header.size + NONCE_BYTES
                nonce = bytes(start[header.size : self._at])
                with age.unwrap(header, identities) as file_key:
                    self._payload = Payload(file_key, nonce)
                self.size = text_bytes(whole - header.size)
                self._last = chunks(self.size) - 1
                self._keep(self._last)
        except BaseException:
            self.close()
            raise

    def read_into(self, at: int, out: memoryview) -> None:
        """Fill ``out`` with the text from byte ``at`` on.

        Raises:
            IntegrityError: the text ends before, or a chunk does not verify; ``out`` then holds nothing of use.
        """
        if at < 0 or at + len(out) > self.size:
            raise IntegrityError(f"{self.path}: {len(out)} bytes at {at} are wanted, it holds {self.size}")
        with self.distrusted():
            done = 0
            while done < len(out):
                position, skip = divmod(at + done, TEXT_BYTES)
                whole = (len(out) - done) // TEXT_BYTES
                if skip == 0 and whole:
                    count = min(whole, RUN)
                    self._open(position, count, out[done : done + count * TEXT_BYTES])
                    done += count * TEXT_BYTES
                    continue
                self._keep(position)
                part = self._text[skip : min(TEXT_BYTES, skip + len(out) - done)]
                out[done : done + len(part)] = part
                done += len(part)

    def read(self, at: int, count: int) -> bytes:
        """The same as new bytes."""
        data = bytearray(count)
        self.read_into(at, memoryview(data))
        return bytes(data)

    def pour(self, at: int = 0, size: int | None = None) -> Iterator[memoryview]:
        """The text from ``at`` on, ``size`` bytes or all, in a buffer that is used again with the next step."""
        end = self.size if size is None else at + size
        buffer = memoryview(bytearray(min(RUN * TEXT_BYTES, max(0, end - at))))
        while at < end:
            step = RUN * TEXT_BYTES - at % TEXT_BYTES  # from then on whole chunks
            piece = buffer[: min(step, end - at)]
            self.read_into(at, piece)
            yield piece
            at += len(piece)

    def stream(self) -> io.RawIOBase:
        """The text as a file that can be read and sought in."""
        return _Stream(self)

    @contextmanager
    def distrusted(self) -> Iterator[None]:
        """Whatever is wrong inside is an ``IntegrityError`` that names the file."""
        try:
            yield
        except IntegrityError as error:
            if str(error).startswith(f"{self.path}"):
                raise
            raise type(error)(f"{self.path}: {error}", hint=error.hint, **error.facts) from error

    def _keep(self, position: int) -> None:
        """Hold one chunk's text: small reads mostly ask for the same one again."""
        if position == self._kept:
            return
        self._kept = -1
        size = self.size - position * TEXT_BYTES if position == self._last else TEXT_BYTES
        self._open(position, 1, self._text[:size])
        self._kept = position

    def _open(self, position: int, count: int, out: memoryview) -> None:
        """Decrypt ``count`` chunks that follow each other."""
        sealed = self._sealed[: len(out) + TAG_BYTES * count]
        self._fill(self._at + position * CHUNK_BYTES, sealed)
        for one in range(count):
            chunk = sealed[one * CHUNK_BYTES : (one + 1) * CHUNK_BYTES]
            text = out[one * TEXT_BYTES : (one + 1) * TEXT_BYTES]
            self._payload.open(position + one, chunk, text, last=position + one == self._last)

    def _fill(self, at: int, out: memoryview) -> None:
        done = 0
        while done < len(out):
            with machine_errors("read", self.path):
                count = os.preadv(self._descriptor, [out[done:]], at + done)
            if count == 0:
                raise IntegrityError("it ends too early: it was cut short")
            done += count

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


class _Stream(io.RawIOBase):
    def __init__(self, reader: SealedReader) -> None:
        super().__init__()
        self._reader, self._at = reader, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._reader.size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # any buffer
        out = memoryview(buffer).cast("B")
        count = max(0, min(len(out), self._reader.size - self._at))
        self._reader.read_into(self._at, out[:count])
        self._at += count
        return count


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
