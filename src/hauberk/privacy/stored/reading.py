"""Reading a sealed file at any place: only the chunks that are asked for are read and decrypted.

Nothing is handed out before it verified, and the last chunk is verified first: it alone says that the file was
not cut.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

from hauberk.core.errors import IntegrityError
from hauberk.crypto import age
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
_KEPT = 4  # chunks: of a few arrays that are read side by side


class SealedReader(age.AgeFile):
    """The text of a sealed file, without writing it anywhere.

    Args:
        path: an age v1 file, from ``seal`` or any other age tool.
        identities: of those who read; used once and left to the caller to wipe.

    Raises:
        DataError: there is no such file, or it is no ordinary one.
        NoIdentityMatched: it is sealed for others.
        IntegrityError: no age file, or one that was changed or cut short.

    Several threads may read at once.
    """

    def __init__(self, path: str | Path, identities: Iterable[age.Identity]) -> None:
        super().__init__(path)
        self._memory = _Memory()
        try:
            with self.distrusted():
                self._at = self.header.size + NONCE_BYTES
                nonce = self.raw(self.header.size, min(NONCE_BYTES, self.size_bytes - self.header.size))
                with self.file_key(identities) as file_key:
                    self._payload = Payload(file_key, nonce)
                self.size = text_bytes(self.size_bytes - self.header.size)
                self._last = chunks(self.size) - 1
                self._chunk(self._last)
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
                part = self._chunk(position)[skip : min(TEXT_BYTES, skip + len(out) - done)]
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

    def _chunk(self, position: int) -> memoryview:
        """One chunk's text. The newest are kept: small reads mostly ask for the same ones again."""
        kept = self._memory.kept
        found = kept.pop(position, None)
        if found is None:
            old = kept.pop(next(iter(kept))) if len(kept) == _KEPT else None
            found = memoryview(bytearray(TEXT_BYTES)) if old is None else old
            size = self.size - position * TEXT_BYTES if position == self._last else TEXT_BYTES
            self._open(position, 1, found[:size])
        kept[position] = found
        return found

    def _open(self, position: int, count: int, out: memoryview) -> None:
        """Decrypt ``count`` chunks that follow each other."""
        sealed = self._memory.sealed[: len(out) + TAG_BYTES * count]
        self.fill(self._at + position * CHUNK_BYTES, sealed)
        for one in range(count):
            chunk = sealed[one * CHUNK_BYTES : (one + 1) * CHUNK_BYTES]
            text = out[one * TEXT_BYTES : (one + 1) * TEXT_BYTES]
            self._payload.open(position + one, chunk, text, last=position + one == self._last)


class _Memory(threading.local):
    """Of each thread: what was read and is not decrypted yet, and the newest chunks that were."""

    def __init__(self) -> None:
        self.sealed = memoryview(bytearray(RUN * CHUNK_BYTES))
        self.kept: dict[int, memoryview] = {}


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
