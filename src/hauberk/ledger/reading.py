"""What can be read of a log, wherever it lies: in a database, in a folder, behind HTTP, in an object store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

from hauberk.ledger.entry import Opening
from hauberk.ledger.tiles import Tile


class Reader(Protocol):
    """A log as whoever checks it sees it. Nothing that it hands out is to be believed without a proof."""

    @property
    def where(self) -> str:
        """The place, for messages; without a password."""

    def head(self) -> bytes:
        """The newest checkpoint as a signed note, with the cosignatures known for it."""

    def cosigned_heads(self) -> list[bytes]:
        """Checkpoints that witnesses cosigned, oldest first; each with all its signatures."""

    def hashes(self, level: int, index: int) -> bytes:
        """The hash of the complete subtree of ``2**level`` entries that begins at ``index * 2**level``.

        Raises:
            IntegrityError: the log does not hold it although its head says so.
        """

    def tile(self, tile: Tile) -> bytes:
        """The bytes of a tile of hashes.

        Raises:
            IntegrityError: it is missing, or too short.
        """

    def entry(self, index: int) -> bytes:
        """The bytes of one entry, counted from 0."""

    def entries(self, start: int, stop: int) -> Iterator[bytes]:
        """The bytes of entries ``start`` to ``stop - 1``, in order. Cost: memory for 256 entries at a time."""

    def find(self, leaf: bytes) -> int | None:
        """The number of the first entry with this leaf hash, or None. Cost: a database looks it up, tiles are
        searched from the beginning."""

    def about(self, subject: str) -> list[int]:
        """The numbers of the statements about the model with this digest. Cost: as ``find``."""

    def openings(self, number: int) -> Mapping[str, Opening]:
        """What opens the salted digests of an entry, by name; published tiles hold none."""

    def close(self) -> None:
        """Give back what is open."""
