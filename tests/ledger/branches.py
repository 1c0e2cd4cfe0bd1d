"""A log as a list in memory, its tree hashed from RFC 6962's definition each time: slow, and apart from ours.

It signs whatever it is told to, so that tests can have logs that lie.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from hauberk.crypto.notes import Checkpoint, Note, Signer, generate


def tree(entries: Sequence[bytes]) -> bytes:
    """RFC 6962, section 2.1, word for word."""
    if not entries:
        return hashlib.sha256(b"").digest()
    if len(entries) == 1:
        return hashlib.sha256(b"\x00" + entries[0]).digest()
    half = 1
    while half * 2 < len(entries):
        half *= 2
    return hashlib.sha256(b"\x01" + tree(entries[:half]) + tree(entries[half:])).digest()


def consistency(old: int, entries: Sequence[bytes], whole: bool = True) -> list[bytes]:
    """RFC 6962, section 2.1.2, word for word."""
    if old == 0:
        return []
    if old == len(entries):
        return [] if whole else [tree(entries)]
    half = 1
    while half * 2 < len(entries):
        half *= 2
    if old <= half:
        return [*consistency(old, entries[:half], whole), tree(entries[half:])]
    return [*consistency(old - half, entries[half:], False), tree(entries[:half])]


class Branch:
    """One history that a log tells; a ``Reader``."""

    where = "a branch"

    def __init__(self, entries: Sequence[bytes] = (), *, signer: Signer | None = None) -> None:
        self.signer = signer or generate("log.example/models")
        self.list = list(entries)

    def fork(self, at: int, *others: bytes) -> Branch:
        """The same log with another story from entry ``at``."""
        return Branch([*self.list[:at], *others], signer=self.signer)

    def checkpoint(self, size: int | None = None) -> bytes:
        size = len(self.list) if size is None else size
        text = Checkpoint(self.signer.name, size, tree(self.list[:size])).text
        return bytes(Note(text, (self.signer.sign(text),)))

    def head(self) -> bytes:
        return self.checkpoint()

    def cosigned_heads(self) -> list[bytes]:
        return []

    def hashes(self, level: int, index: int) -> bytes:
        return tree(self.list[index << level : (index + 1) << level])

    def entry(self, index: int) -> bytes:
        return self.list[index]

    def entries(self, start: int, stop: int) -> Iterator[bytes]:
        yield from self.list[start:stop]

    def find(self, leaf: bytes) -> int | None:
        found = [n for n, one in enumerate(self.list) if hashlib.sha256(b"\x00" + one).digest() == leaf]
        return found[0] if found else None

    def close(self) -> None: ...

    def request(self, old: int, size: int | None = None) -> bytes:
        """What the log would send to a witness, written after c2sp.org/tlog-witness and not by our client."""
        import base64

        size = len(self.list) if size is None else size
        proof = [base64.b64encode(one).decode() for one in consistency(old, self.list[:size])]
        return "\n".join([f"old {old}", *proof, "", ""]).encode() + self.checkpoint(size)


def numbered(count: int, word: str = "entry") -> list[bytes]:
    return [f"{word} {number}".encode() for number in range(count)]
