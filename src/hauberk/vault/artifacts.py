"""The bytes of versions: encrypted, named by a keyed hash of what they are, each of them stored once.

Whoever sees the place without the vault's key learns how many blobs there are, how long they are and when they
were written; not which model they belong to, and not whether they equal bytes that he has himself.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from hauberk.core.errors import IntegrityError
from hauberk.crypto.secret import Random
from hauberk.vault.blob_places import BlobPlace
from hauberk.vault.ciphering import FLOE, Read, Write, check_sha256, decrypt, encrypt
from hauberk.vault.keys import VaultKeys


class Artifacts:
    """Blobs by the SHA-256 of their plain bytes, in hex.

    Args:
        place: where they lie.
        keys: of the vault.
    """

    def __init__(self, place: BlobPlace, keys: VaultKeys, random: Random = os.urandom) -> None:
        self._place, self._keys, self._random = place, keys, random

    @property
    def where(self) -> str:
        return self._place.where

    def has(self, sha256: str, size: int) -> bool:
        """Whether a blob of the right length is there; its bytes are verified when they are read."""
        return self._place.size(self._keys.blob_name(sha256)) == FLOE.message_bytes(size)

    def put(self, read: Read, size: int, sha256: str, what: str) -> None:
        """Store bytes; when this returns they are there for good, or an error was raised and they are not.

        Args:
            sha256: what they are said to be.
            what: for messages.

        Raises:
            IntegrityError: they are something else; nothing is stored.
            EnvironmentFailure: the place cannot be written to.
        """
        name = self._keys.blob_name(sha256)
        with self._place.writing(name) as write:
            found = encrypt(read, size, self._keys.blobs, name, write, self._random)
            check_sha256(found, sha256, what)

    def put_bytes(self, data: bytes, sha256: str, what: str) -> None:
        """The same for what is in memory."""

        def read(at: int, into: memoryview) -> None:
            into[:] = memoryview(data)[at : at + len(into)]

        self.put(read, len(data), sha256, what)

    def fetch(self, sha256: str, size: int, write: Write) -> None:
        """Hand out a blob's plain bytes in order.

        Raises:
            IntegrityError: it is missing or changed. Nothing that was handed out may be used then.
        """
        name = self._keys.blob_name(sha256)
        found = self._place.size(name)
        if found is not None and found != FLOE.message_bytes(size):
            raise IntegrityError(f"{name[:16]}… in {self.where} has {found} bytes: it was cut short or changed")
        with self._place.reading(name) as read:
            digest = decrypt(read, size, self._keys.blobs, name, write)
        check_sha256(digest, sha256, f"{name[:16]}… in {self.where}")

    def read(self, sha256: str, size: int) -> bytearray:
        """A whole blob, verified; raises as ``fetch``."""
        data = bytearray(size)
        at = 0

        def write(piece: memoryview) -> None:
            nonlocal at
            data[at : at + len(piece)] = piece
            at += len(piece)

        self.fetch(sha256, size, write)
        return data

    def remove_unless(self, needed: set[str], before: float) -> Iterator[str]:
        """Take away what no version needs and was written before a POSIX time; the names.

        Args:
            needed: digests of all versions' files.
        """
        kept = {self._keys.blob_name(one) for one in needed}
        for name, written in self._place.leftovers():
            if name not in kept and written < before:
                self._place.remove(name)
                yield name
