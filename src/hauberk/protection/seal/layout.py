"""How the parts of a sealed file are put together (docs/spec/sealed-model.md).

    age header | preamble (64 bytes) | message 0: index | messages 1 … F: files | messages F+1 … F+T: tensors

Where each message lies follows from the sizes in the index; nothing else says it, so nothing can contradict it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from hauberk.core.errors import IntegrityError
from hauberk.crypto.derive import hkdf_sha256
from hauberk.crypto.floe import HEADER_BYTES, SEGMENT_OVERHEAD, Floe
from hauberk.crypto.secret import Secret

MAGIC = b"hauberk-sealed/1"
NONCE_BYTES = 32
PREAMBLE_BYTES = 64
SEGMENT_BYTES = 1 << 20
"""Of an encrypted segment, by default: small enough to stay in a core's cache, large enough to cost nothing."""

SMALLEST_SEGMENT, LARGEST_SEGMENT = 64, 1 << 24
LARGEST_INDEX = 64 << 20

_FORM = struct.Struct(f">16s{NONCE_BYTES}sIIQ")
_MESSAGE = b"hauberk-sealed/1 message"
_RECIPIENTS = b"hauberk-sealed/1 recipients"


@dataclass(frozen=True)
class Preamble:
    """The 64 bytes behind the header; every message is bound to them.

    Args:
        nonce: fresh for each body; every message's key is made from it.
        segment_bytes: of FLOE.
        index_bytes: of the index's text.
        body_bytes: from the preamble's first byte to the end of the file.
    """

    nonce: bytes
    segment_bytes: int
    index_bytes: int
    body_bytes: int

    def packed(self) -> bytes:
        return _FORM.pack(MAGIC, self.nonce, self.segment_bytes, self.index_bytes, self.body_bytes)

    @classmethod
    def parse(cls, data: bytes) -> Preamble:
        """Read it back; raises ``IntegrityError`` where it cannot be one."""
        if len(data) != PREAMBLE_BYTES or not data.startswith(MAGIC):
            raise IntegrityError(f"no {MAGIC.decode()} body behind the header: no sealed model, or damaged")
        _magic, nonce, segment_bytes, index_bytes, body_bytes = _FORM.unpack(data)
        if not SMALLEST_SEGMENT <= segment_bytes <= LARGEST_SEGMENT or index_bytes > LARGEST_INDEX:
            raise IntegrityError("the sizes behind the header are out of range: the file is damaged")
        return cls(nonce, segment_bytes, index_bytes, body_bytes)

    @property
    def floe(self) -> Floe:
        return Floe(self.segment_bytes)

    def key(self, file_key: Secret, number: int) -> Secret:
        """The key of message ``number``."""
        return hkdf_sha256(file_key, salt=self.nonce, info=_MESSAGE + number.to_bytes(8, "big"))

    def bound(self, number: int) -> bytes:
        """What message ``number`` is bound to: FLOE's associated data."""
        return self.packed() + number.to_bytes(8, "big")


def recipients_key(file_key: Secret) -> Secret:
    """The key of the list of recipients in the header."""
    return hkdf_sha256(file_key, info=_RECIPIENTS)


@dataclass(frozen=True)
class Place:
    """A message in the body.

    Args:
        number: counted from 0, the index.
        at: offset of its FLOE header from the preamble's first byte.
        size: of its text.
    """

    number: int
    at: int
    size: int


def places(floe: Floe, sizes: Iterable[int]) -> list[Place]:
    """Messages one behind the other, the first behind the preamble."""
    found, at = [], PREAMBLE_BYTES
    for number, size in enumerate(sizes):
        found.append(Place(number, at, size))
        at += floe.message_bytes(size)
    return found


def body_bytes(floe: Floe, sizes: Iterable[int]) -> int:
    """Length of a body with messages of these sizes."""
    return PREAMBLE_BYTES + sum(floe.message_bytes(size) for size in sizes)


@dataclass(frozen=True)
class Piece:
    """One segment of a message.

    Args:
        place: the message.
        position: of the segment in it.
        at: offset of the segment from the preamble's first byte.
        start: offset of its text in the message's.
        size: of its text.
        last: whether it ends the message.
    """

    place: Place
    position: int
    at: int
    start: int
    size: int
    last: bool

    @property
    def end(self) -> int:
        """Offset behind the segment."""
        return self.at + self.size + SEGMENT_OVERHEAD


def pieces(floe: Floe, place: Place) -> Iterator[Piece]:
    """The segments of a message in order."""
    count = floe.segments(place.size)
    at = place.at + HEADER_BYTES
    for position in range(count):
        start = position * floe.text_bytes
        size = min(floe.text_bytes, place.size - start)
        yield Piece(place, position, at + position * floe.segment_bytes, start, size, position == count - 1)


def batches(floe: Floe, messages: Iterable[Place]) -> Iterator[list[Piece]]:
    """All segments of all messages in order, in portions of about one full segment: one piece of work each."""
    batch: list[Piece] = []
    held = 0
    for place in messages:
        for piece in pieces(floe, place):
            if batch and held + piece.size > floe.text_bytes:
                yield batch
                batch, held = [], 0
            batch.append(piece)
            held += piece.size
    if batch:
        yield batch


def span(batch: list[Piece]) -> tuple[int, int]:
    """From where to where a batch lies in the body; a message's header goes with its first segment."""
    first = batch[0]
    return first.at - (HEADER_BYTES if first.position == 0 else 0), batch[-1].end


def room(buffer: bytearray, size: int) -> bytearray:
    """The buffer, or a new one where it is too small: buffers are used again, fresh memory is slow."""
    return buffer if len(buffer) >= size else bytearray(size)
