"""Reading a sealed file: its outside without a key, its messages with one.

Nothing that the file says is believed before it verifies, and no memory is taken beyond the file's own size.
"""

from __future__ import annotations

import hmac
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

from hauberk.core.errors import IntegrityError
from hauberk.crypto import age
from hauberk.crypto.floe import HEADER_BYTES, TAG_BYTES, Decryption
from hauberk.protection.seal.index import Index
from hauberk.protection.seal.layout import (
    PREAMBLE_BYTES,
    Piece,
    Place,
    Preamble,
    batches,
    body_bytes,
    pieces,
    places,
    room,
    span,
)

Target = Callable[[Place], memoryview]
"""The memory into which the text of a message goes."""


class SealedFile(age.AgeFile):
    """A sealed file of which nothing has been decrypted.

    Args:
        path: of the file.

    Raises:
        DataError: there is no such file, or it is not an ordinary one.
        IntegrityError: no sealed model, or one that is damaged or cut short.
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__(path)
        try:
            with self.distrusted():
                count = min(PREAMBLE_BYTES, self.size_bytes - self.header.size)
                self.preamble = Preamble.parse(self.raw(self.header.size, count))
                expected = self.header.size + self.preamble.body_bytes
                if self.size_bytes != expected:
                    raise IntegrityError(
                        f"it has {self.size_bytes} bytes instead of {expected}: cut short, or more follows"
                    )
        except BaseException:
            self.close()
            raise


class Unlocked:
    """A sealed file whose index has been read: its messages can be.

    Args:
        file: stays open as long as this is used.
        identities: of those who read.

    Raises:
        NoIdentityMatched, IntegrityError: as ``SealedFile``, and an index that does not verify.
    """

    def __init__(self, file: SealedFile, identities: Iterable[age.Identity]) -> None:
        self.file = file
        self.key = file.file_key(identities)
        self._messages: dict[int, Decryption] = {}
        self._tags: Sequence[bytes] = ()
        try:
            with file.distrusted():
                self.index, found = self._read_index()
        except BaseException:
            self.wipe()
            raise
        self._tags = self.index.tags
        self.files = found[1 : 1 + len(self.index.files)]
        self.tensors = found[1 + len(self.index.files) :]

    def _read_index(self) -> tuple[Index, list[Place]]:
        preamble = self.file.preamble
        first = places(preamble.floe, [preamble.index_bytes])[0]
        if first.at + preamble.floe.message_bytes(first.size) > preamble.body_bytes:
            raise IntegrityError("the index is said to be larger than the file")
        index = Index.from_bytes(self.text(first))
        sizes = index.sizes(preamble.index_bytes)
        if body_bytes(preamble.floe, sizes) != preamble.body_bytes:
            raise IntegrityError("the sizes in the index are not those of the file")
        return index, places(preamble.floe, sizes)

    def wipe(self) -> None:
        """Forget the keys."""
        self.key.wipe()
        for message in self._messages.values():
            message.wipe()
        self._messages.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.wipe()

    def text(self, place: Place) -> bytes:
        """One message, whole and verified; for those that are small."""
        out = memoryview(bytearray(place.size))
        with self.file.distrusted():
            scratch: deque[bytearray] = deque()
            for piece in pieces(self.file.preamble.floe, place):
                self._open([piece], [out[piece.start : piece.start + piece.size]], scratch)
            self._messages.pop(place.number).wipe()
        return bytes(out)

    def contents(self) -> dict[str, bytes]:
        """All files of the package but the weights, verified."""
        return {entry.name: self.text(place) for entry, place in zip(self.index.files, self.files, strict=True)}

    def pour(
        self, messages: Iterable[Place], target: Target | None = None, *, threads: int = 2
    ) -> Generator[tuple[Piece, memoryview]]:
        """Decrypt messages on several threads; what has been verified comes in order.

        Args:
            target: memory for each message, which is filled without a copy. None: buffers that are used again,
                and whose content is gone with the next step.

        Raises:
            IntegrityError: at the first segment that does not verify. Until the last has come, nothing may be
                used.
        """
        ahead: deque[tuple[list[Piece], list[memoryview], bytearray, Future[None]]] = deque()
        scratch: deque[bytearray] = deque()
        texts: deque[bytearray] = deque()
        with self.file.distrusted(), ThreadPoolExecutor(threads) as pool:
            for batch in batches(self.file.preamble.floe, messages):
                if len(ahead) >= 2 * threads:
                    yield from self._verified(*ahead.popleft(), texts)
                text = bytearray()
                if target is None:
                    size = sum(piece.size for piece in batch)
                    text = room(texts.pop() if texts else text, size)
                    views = _slices(memoryview(text), batch)
                else:
                    views = [target(piece.place)[piece.start : piece.start + piece.size] for piece in batch]
                ahead.append((batch, views, text, pool.submit(self._open, batch, views, scratch)))
            while ahead:
                yield from self._verified(*ahead.popleft(), texts)

    def _verified(
        self,
        batch: list[Piece],
        views: list[memoryview],
        text: bytearray,
        done: Future[None],
        texts: deque[bytearray],
    ) -> Iterator[tuple[Piece, memoryview]]:
        done.result()
        yield from zip(batch, views, strict=True)
        texts.append(text)
        for piece in batch:
            if piece.last:
                self._messages.pop(piece.place.number).wipe()

    def _open(self, batch: list[Piece], views: list[memoryview], scratch: deque[bytearray]) -> None:
        start, end = span(batch)
        try:
            buffer = scratch.pop()
        except IndexError:
            buffer = bytearray()
        buffer = room(buffer, end - start)
        sealed = memoryview(buffer)[: end - start]
        self.file.fill(self.file.header.size + start, sealed)
        for piece, out in zip(batch, views, strict=True):
            segment = sealed[piece.at - start : piece.end - start]
            self._message(piece.place).segment(piece.position, segment, out, last=piece.last)
        scratch.append(buffer)

    def _message(self, place: Place) -> Decryption:
        number, preamble = place.number, self.file.preamble
        if number not in self._messages:  # two threads may both come here: they make the same
            header = self.file.raw(self.file.header.size + place.at, HEADER_BYTES)
            if number and not hmac.compare_digest(header[-TAG_BYTES:], self._tags[number - 1]):
                raise IntegrityError("a message is not the one that the index names")
            with preamble.key(self.key, number) as key:
                message = preamble.floe.decryption(key, preamble.bound(number), header)
            self._messages[number] = message
        return self._messages[number]


def _slices(text: memoryview, batch: list[Piece]) -> list[memoryview]:
    """Room for each piece, one behind the other."""
    found, at = [], 0
    for piece in batch:
        found.append(text[at : at + piece.size])
        at += piece.size
    return found
