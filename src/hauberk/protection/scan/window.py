"""A part of a file, read piece by piece: an entry of an archive is looked at where it lies.

Nothing asks the file for more bytes than there are, so a length that lies costs no memory.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from typing import BinaryIO, Self

PIECE = 1 << 16
_IN_MEMORY = 8 << 20  # what is unpacked goes to a temporary file from here on


class Window:
    """Bytes ``start`` to ``start + size`` of a file, with a place of its own."""

    def __init__(self, file: BinaryIO, start: int, size: int) -> None:
        self._file = file
        self._start = start
        self.size = size
        self._place = 0

    @classmethod
    def of(cls, file: BinaryIO) -> Window:
        """The whole of an opened file."""
        return cls(file, 0, file.seek(0, os.SEEK_END))

    @classmethod
    def over(cls, window: Window) -> Self:
        """The same bytes, with a place of its own."""
        return cls(window._file, window._start, window.size)

    @classmethod
    def spool(cls, pieces: Iterator[bytes]) -> Window:
        """What is unpacked on the way: in memory as long as it is small, else in a file without a name."""
        held = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 (closed with its window)
        try:
            for piece in pieces:
                held.write(piece)
        except BaseException:
            held.close()
            raise
        return cls.of(held)  # type: ignore[arg-type]  # it is a binary file in all but name

    def close(self) -> None:
        """Give back what was spooled; parts of it are gone too."""
        self._file.close()

    def part(self, start: int, size: int) -> Window:
        """A smaller window, cut at the end of this one."""
        start = min(max(start, 0), self.size)
        return Window(self._file, self._start + start, min(max(size, 0), self.size - start))

    def tell(self) -> int:
        return self._place

    def seek(self, place: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self.size}[whence]
        self._place = min(max(base + place, 0), self.size)
        return self._place

    def read(self, count: int = -1) -> bytes:
        left = self.size - self._place
        count = left if count is None or count < 0 else min(count, left)
        self._file.seek(self._start + self._place)
        data = self._file.read(count)
        self._place += len(data)
        return data

    def line(self, longest: int) -> bytes | None:
        """Up to and without the next newline; None where that is more than ``longest`` bytes away.

        A last line without newline loses its last byte, as it does in the unpicklers.
        """
        self._file.seek(self._start + self._place)
        data = self._file.readline(min(longest + 1, self.size - self._place))
        if not data or (not data.endswith(b"\n") and self._place + len(data) < self.size):
            return None
        self._place += len(data)
        return data[:-1]

    def at(self, place: int, count: int) -> bytes:
        """Bytes at a place, which leaves the window's own place alone."""
        return self.part(place, count).read()

    def pieces(self) -> Iterator[bytes]:
        """All of it, in order."""
        for start in range(0, self.size, PIECE):
            yield self.at(start, PIECE)

    # what libraries expect of a file
    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readline(self, limit: int = -1) -> bytes:
        self._file.seek(self._start + self._place)
        left = self.size - self._place
        data = self._file.readline(left if limit is None or limit < 0 else min(limit, left))
        self._place += len(data)
        return data

    def readinto(self, buffer: bytearray | memoryview) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)
