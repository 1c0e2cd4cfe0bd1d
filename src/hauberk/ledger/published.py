"""A log as files: read from a folder, a file server or an object store, and written there.

The checkpoint is written last, and full tiles are never written twice. So who reads while an export runs sees
the log as it was before or as it is after, and an export that was killed goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from hauberk.core.errors import ConfigError, IntegrityError
from hauberk.crypto.notes import Note
from hauberk.ledger import merkle
from hauberk.ledger.checkpoint import peek
from hauberk.ledger.entry import Opening
from hauberk.ledger.hashing import HASH_BYTES, leaf_hash
from hauberk.ledger.places import Place, place
from hauberk.ledger.reading import Reader
from hauberk.ledger.tiles import (
    CHECKPOINT_PATH,
    HEIGHT,
    WIDTH,
    Tile,
    TileHashes,
    bundle_of,
    decode_bundle,
    decode_hashes,
    encode_bundle,
    fold_complete,
    grown,
    tiles,
)


class PublishedLog:
    """A log that somebody else keeps, as far as it was published.

    Args:
        files: where its files lie.

    Limits: the files are not verified here; whoever reads checks a proof against a head that he believes.
    """

    def __init__(self, files: Place) -> None:
        self._files = files
        self._size = 0
        self._hashes = TileHashes(0, self.tile)

    @property
    def where(self) -> str:
        return self._files.where

    def head(self) -> bytes:
        data = self._files.read(CHECKPOINT_PATH)
        if data is None:
            raise IntegrityError(f"{self.where} has no checkpoint any more")
        size = peek(data).size
        if size > self._size:
            self._size, self._hashes = size, TileHashes(size, self.tile)
        return data

    def cosigned_heads(self) -> list[bytes]:
        head = self.head()
        origin = peek(head).origin
        return [head] if any(one.name != origin for one in Note.parse(head).signatures) else []

    def hashes(self, level: int, index: int) -> bytes:
        if (index + 1) << level > self._size:
            self.head()
        return self._hashes(level, index)

    def tile(self, tile: Tile) -> bytes:
        data = self._files.read(tile.path)
        if data is None:
            data = self._read(tile.full)[: tile.width * HASH_BYTES]
        decode_hashes(data, tile.width)
        return data

    def entry(self, index: int) -> bytes:
        return next(self.entries(index, index + 1))

    def entries(self, start: int, stop: int) -> Iterator[bytes]:
        if stop > self._size:
            self.head()
        if not 0 <= start <= stop <= self._size:
            raise ConfigError(f"no entry {start if start < 0 else stop - 1} in a log of {self._size}")
        for first in range(start - start % WIDTH, stop, WIDTH):
            bundle = bundle_of(first, self._size)
            yield from self._bundle(bundle)[max(0, start - first) : stop - first]

    def find(self, leaf: bytes) -> int | None:
        self.head()
        for tile in tiles(self._size):
            if tile.level == 0:
                hashes = decode_hashes(self.tile(tile), tile.width)
                if leaf in hashes:
                    return tile.index * WIDTH + hashes.index(leaf)
        return None

    def about(self, subject: str) -> list[int]:
        self.head()
        wanted = subject.encode()
        return [number for number, one in enumerate(self.entries(0, self._size)) if wanted in one]

    def openings(self, number: int) -> Mapping[str, Opening]:
        return {}

    def close(self) -> None:
        """Nothing is open between two questions."""

    def _bundle(self, tile: Tile) -> list[bytes]:
        data = self._files.read(tile.path)
        if data is not None:
            return decode_bundle(data, tile.width)
        # a server may keep the full one alone when there is one
        return decode_bundle(self._read(tile.full), WIDTH)[: tile.width]

    def _read(self, tile: Tile) -> bytes:
        data = self._files.read(tile.path)
        if data is None:
            raise IntegrityError(f"{self.where} lacks {tile.path}, which its checkpoint covers")
        return data


@dataclass(frozen=True)
class Exported:
    """What an export did.

    Args:
        size: entries of the log now published.
        before: entries that were published before.
        files: tiles and bundles that were written.
    """

    size: int
    before: int
    files: int


def export(log: Reader, out: str | Path) -> Exported:
    """Publish a log as tiles, bundles and its newest checkpoint, or what is new of it.

    Raises:
        IntegrityError: what is published does not belong to this log, or the log does not verify; the published
            checkpoint stays as it was.
        EnvironmentFailure: something could not be written; call again to go on.

    Cost: reads what is new since the last export once, and each of its tiles twice.
    """
    files = place(out)
    signed = log.head()
    head = peek(signed)
    if merkle.root(head.size, log.hashes) != head.root:
        raise IntegrityError(f"the tree of {log.where} is not what its checkpoint says")
    before = _published(log, files, head.origin, head.size)
    written = 0
    for tile in grown(before, head.size):
        data = _bundle(log, tile) if tile.level is None else _tile(log, tile, tile.level)
        there = files.read(tile.path) if tile.width == WIDTH else None
        if there is None:
            files.write(tile.path, data)
            written += 1
        elif there != data:
            raise IntegrityError(f"{files.where} has another {tile.path}: it belongs to another log")
    if files.read(CHECKPOINT_PATH) != signed:
        files.write(CHECKPOINT_PATH, signed)
    return Exported(head.size, before, written)


def _published(log: Reader, files: Place, origin: str, size: int) -> int:
    """How many entries are published; they must be a beginning of this log."""
    data = files.read(CHECKPOINT_PATH)
    if data is None:
        return 0
    old = peek(data)
    if old.origin != origin:
        raise IntegrityError(f"{files.where} holds another log, {old.origin}")
    if old.size > size or merkle.root(old.size, log.hashes) != old.root:
        raise IntegrityError(
            f"{files.where} has a head of {old.size} entries, which {log.where} does not continue: "
            "the log has forked"
        )
    return old.size


def _bundle(log: Reader, tile: Tile) -> bytes:
    first = tile.index * WIDTH
    entries = list(log.entries(first, first + tile.width))
    hashes = decode_hashes(log.tile(Tile(0, tile.index, tile.width)), tile.width)
    for number, (entry, leaf) in enumerate(zip(entries, hashes, strict=True), first):
        if leaf_hash(entry) != leaf:
            raise IntegrityError(f"entry {number} of {log.where} is not what was logged")
    return encode_bundle(entries)


def _tile(log: Reader, tile: Tile, level: int) -> bytes:
    data = log.tile(tile)
    if level:
        below = (Tile(level - 1, tile.index * WIDTH + at) for at in range(tile.width))
        folded = (fold_complete(decode_hashes(log.tile(one), WIDTH)) for one in below)
        if b"".join(folded) != data:
            raise IntegrityError(f"the tree of {log.where} is not whole at level {level * HEIGHT}")
    return data
