"""Long bytes through encryption and SHA-256 at once: read, hash, encrypt and write overlap.

One blob is one FLOE message (``hauberk.crypto.floe``), bound to the name under which it lies. Pieces go through
a ring of buffers: the caller's thread reads and writes, one thread hashes in order, another one encrypts.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from hauberk.core.errors import IntegrityError
from hauberk.crypto.floe import HEADER_BYTES, Decryption, Encryption, Floe
from hauberk.crypto.secret import Random, Secret

FLOE = Floe(1 << 20)
_SEGMENTS = 4  # of a piece: large enough that handing it to a thread costs nothing
_AHEAD = 4  # pieces on the way
_BOUND = b"hauberk-vault/1 blob "

Read = Callable[[int, memoryview], None]
"""Fills the memory with the bytes from an offset on; raises where they end."""

Write = Callable[[memoryview], object]
"""Takes the next bytes; the memory is used again when it returns."""


@dataclass
class _Slot:
    """A piece on its way, and the memory that it uses."""

    text: bytearray
    sealed: bytearray
    first: int = 0
    count: int = 0
    size: int = 0
    done: list[Future[Any]] = field(default_factory=list)

    @property
    def plain(self) -> memoryview:
        return memoryview(self.text)[: self.size]

    @property
    def cipher(self) -> memoryview:
        return memoryview(self.sealed)[: FLOE.message_bytes(self.size) - HEADER_BYTES]

    def wait(self) -> None:
        for one in self.done:
            one.result()
        self.done = []


def encrypt(read: Read, size: int, key: Secret, name: str, write: Write, random: Random) -> str:
    """Write the message of a text; the SHA-256 of the text in hex."""
    message = FLOE.encryption(key, _BOUND + name.encode(), random=random)
    digest = hashlib.sha256()
    try:
        with _workers(size) as (hasher, cipher):
            write(memoryview(message.header))
            for at, slot in _pieces(size, lambda slot: write(slot.cipher)):
                read(at, slot.plain)
                slot.done = [
                    hasher.submit(digest.update, slot.plain),
                    cipher.submit(_seal, message, slot, size),
                ]
    finally:
        message.wipe()
    return digest.hexdigest()


def decrypt(read: Read, size: int, key: Secret, name: str, write: Write) -> str:
    """Hand out the text of a message, piece by piece as they verify; its SHA-256 in hex.

    Raises:
        IntegrityError: it is not the message that was written under this name. What was handed out before
            belongs to it; nothing of it may be used until the last piece has come.
    """
    header = bytearray(HEADER_BYTES)
    read(0, memoryview(header))
    message = FLOE.decryption(key, _BOUND + name.encode(), bytes(header))
    digest = hashlib.sha256()
    try:
        with _workers(size) as (hasher, cipher):

            def verified(slot: _Slot) -> None:
                hashed = hasher.submit(digest.update, slot.plain)
                write(slot.plain)
                hashed.result()

            for _at, slot in _pieces(size, verified):
                read(HEADER_BYTES + slot.first * FLOE.segment_bytes, slot.cipher)
                slot.done = [cipher.submit(_open, message, slot, size)]
    finally:
        message.wipe()
    return digest.hexdigest()


def _pieces(size: int, finish: Callable[[_Slot], object]) -> Iterator[tuple[int, _Slot]]:
    """Slots to be filled, each with the offset of its text; ``finish`` gets them back in order."""
    count = FLOE.segments(size)
    longest = min(_SEGMENTS * FLOE.text_bytes, size)
    ring: deque[_Slot] = deque()
    for first in range(0, count, _SEGMENTS):
        if len(ring) < _AHEAD:
            slot = _Slot(bytearray(longest), bytearray(FLOE.message_bytes(longest) - HEADER_BYTES))
        else:
            slot = ring.popleft()
            slot.wait()
            finish(slot)
        at = first * FLOE.text_bytes
        slot.first, slot.count = first, min(_SEGMENTS, count - first)
        slot.size = min(slot.count * FLOE.text_bytes, size - at)
        ring.append(slot)
        yield at, slot
    for slot in ring:
        slot.wait()
        finish(slot)


@contextmanager
def _workers(size: int) -> Iterator[tuple[Executor, Executor]]:
    """One that hashes, one that encrypts; for a single piece, starting threads would take longer than both."""
    if FLOE.segments(size) <= _SEGMENTS:
        yield _Here(), _Here()
        return
    with ExitStack() as stack:
        yield stack.enter_context(ThreadPoolExecutor(1)), stack.enter_context(ThreadPoolExecutor(1))


class _Here(Executor):
    """Works in the caller's thread."""

    def submit(self, work: Any, /, *arguments: Any, **settings: Any) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(work(*arguments, **settings))
        return done


def _seal(message: Encryption, slot: _Slot, size: int) -> None:
    for place, text, sealed in _segments(slot):
        message.segment(place, text, sealed, last=place == FLOE.segments(size) - 1)


def _open(message: Decryption, slot: _Slot, size: int) -> None:
    for place, text, sealed in _segments(slot):
        message.segment(place, sealed, text, last=place == FLOE.segments(size) - 1)


def _segments(slot: _Slot) -> Iterator[tuple[int, memoryview, memoryview]]:
    for one in range(slot.count):
        text = slot.plain[one * FLOE.text_bytes :][: FLOE.text_bytes]
        yield slot.first + one, text, slot.cipher[one * FLOE.segment_bytes :][: FLOE.segment_bytes]


def check_sha256(found: str, expected: str, what: str) -> None:
    """Raises ``IntegrityError`` where bytes are not those that were meant."""
    if found != expected:
        raise IntegrityError(f"{what} is not what it was: its SHA-256 differs")
