"""OpenTimestamps files: how a digest is hashed, step by step, into something that a chain has in a block.

A file is a tree. From the digest of what was stamped, each branch appends, prepends or hashes, and ends in an
attestation: "a Bitcoin block of this height has the result as its Merkle root", or "ask this calendar for the
rest". The makers' own ``ots`` command and library read what is written here.

Source: the format of the OpenTimestamps proof, major version 1.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from hauberk.core.errors import DataError

Found = TypeVar("Found")

MAGIC = b"\x00OpenTimestamps\x00\x00Proof\x00\xbf\x89\xe2\xe8\x84\xe8\x92\x94\x01"  # with the version
SHA256 = b"\x08"
PENDING = bytes.fromhex("83dfe30d2ef90c8e")
BITCOIN = bytes.fromhex("0588960d73d71901")
_ATTESTATION, _MORE = 0x00, 0xFF
_UNARY: dict[int, Callable[[bytes], bytes]] = {  # not SHA-1: two heads could be made to meet in it
    0x08: lambda message: hashlib.sha256(message).digest(),
    0xF2: lambda message: message[::-1],
    0xF3: lambda message: message.hex().encode(),
}
_BINARY: dict[int, Callable[[bytes, bytes], bytes]] = {
    0xF0: lambda message, more: message + more,
    0xF1: lambda message, more: more + message,
}
_LONGEST = 4096  # of a message and of what is added to it
_LONGEST_ATTESTATION = 8192
_DEEPEST = 256


@dataclass(frozen=True)
class Attestation:
    """Who vouches for a message: ``kind`` is 8 bytes, ``payload`` belongs to it."""

    kind: bytes
    payload: bytes

    @property
    def height(self) -> int:
        """Of a Bitcoin block.

        Raises:
            DataError: the payload is malformed.
        """
        return _Bytes(self.payload).last(_Bytes.number)

    @property
    def calendar(self) -> str:
        """The address of a pending attestation's calendar; raises as ``height``."""
        try:
            return _Bytes(self.payload).last(_Bytes.text).decode("ascii")
        except UnicodeDecodeError:
            raise _malformed("a calendar's address is not ASCII") from None


@dataclass(frozen=True)
class Step:
    """One operation: its byte, and what it adds (empty for a hash)."""

    code: int
    added: bytes = b""

    def __call__(self, message: bytes) -> bytes:
        made = _UNARY[self.code](message) if self.code in _UNARY else _BINARY[self.code](message, self.added)
        if len(made) > _LONGEST:
            raise _malformed(f"a message has more than {_LONGEST} bytes")
        return made


@dataclass
class Stamp:
    """What is known of one message: who vouches for it, and which steps lead on."""

    message: bytes
    attestations: list[Attestation] = field(default_factory=list)
    steps: list[tuple[Step, Stamp]] = field(default_factory=list)

    def walk(self) -> Iterator[tuple[Stamp, Attestation]]:
        """All attestations below, each with the stamp whose message it speaks of."""
        for one in list(self.attestations):
            yield self, one
        for _step, below in list(self.steps):
            yield from below.walk()

    def __bytes__(self) -> bytes:
        parts = [bytes([_ATTESTATION]) + one.kind + _text(one.payload) for one in self.attestations]
        for step, below in self.steps:
            added = _text(step.added) if step.code in _BINARY else b""
            parts.append(bytes([step.code]) + added + bytes(below))
        if not parts:
            raise _malformed("a message leads to nothing")
        return b"".join(bytes([_MORE]) + one for one in parts[:-1]) + parts[-1]

    @classmethod
    def parse(cls, data: bytes, message: bytes) -> Stamp:
        """What a calendar hands out for ``message``.

        Raises:
            DataError: it is malformed, or has an operation that is not known here.
        """
        return _Bytes(data).last(lambda source: _read(source, message, 0))


def write(stamp: Stamp) -> bytes:
    """The ``.ots`` file for the SHA-256 digest that ``stamp`` starts from."""
    return MAGIC + SHA256 + stamp.message + bytes(stamp)


def read(data: bytes) -> Stamp:
    """The tree of an ``.ots`` file; its message is the SHA-256 digest of what was stamped.

    Raises:
        DataError: it is none, or of another version or hash.
    """
    head = MAGIC + SHA256
    if not data.startswith(head):
        raise _malformed("it does not begin as one with SHA-256 does")
    body = data[len(head) :]
    return Stamp.parse(body[32:], body[:32])


def pending(address: str) -> Attestation:
    """The attestation that sends to a calendar."""
    return Attestation(PENDING, _text(address.encode("ascii")))


class _Bytes:
    """A position in bytes that come from elsewhere."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, count: int) -> bytes:
        found = self._data[self._at : self._at + count]
        if len(found) < count:
            raise _malformed("it ends too early")
        self._at += count
        return found

    def number(self) -> int:
        """Seven bits to a byte, the lowest first."""
        value = shift = 0
        while shift < 63:
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7
        raise _malformed("a number is too large")

    def text(self, longest: int = _LONGEST) -> bytes:
        """Bytes behind their count."""
        count = self.number()
        if count > longest:
            raise _malformed(f"a part has more than {longest} bytes")
        return self.take(count)

    def last(self, read: Callable[[_Bytes], Found]) -> Found:
        """What ``read`` makes of the rest, all of which it must need."""
        found = read(self)
        if self._at != len(self._data):
            raise _malformed("something stands behind its end")
        return found


def _read(source: _Bytes, message: bytes, depth: int) -> Stamp:
    if depth > _DEEPEST:
        raise _malformed(f"it has more than {_DEEPEST} steps")
    stamp = Stamp(message)
    code = _MORE
    while code == _MORE:
        code = source.take(1)[0]
        more = code == _MORE
        _branch(source, stamp, source.take(1)[0] if more else code, depth)
    return stamp


def _branch(source: _Bytes, stamp: Stamp, code: int, depth: int) -> None:
    if code == _ATTESTATION:
        stamp.attestations.append(Attestation(source.take(8), source.text(_LONGEST_ATTESTATION)))
        return
    if code not in _UNARY and code not in _BINARY:
        raise _malformed(f"operation 0x{code:02x} is not known here")
    step = Step(code, source.text() if code in _BINARY else b"")
    stamp.steps.append((step, _read(source, step(stamp.message), depth + 1)))


def _number(value: int) -> bytes:
    made = bytearray()
    while value >= 0x80:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*made, value])


def _text(data: bytes) -> bytes:
    return _number(len(data)) + data


def _malformed(what: str) -> DataError:
    return DataError(f"not an OpenTimestamps proof that can be read: {what}")
