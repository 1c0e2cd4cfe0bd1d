"""A log as files that never change: tiles of hashes, and bundles of entries (c2sp.org/tlog-tiles).

A tile holds up to 256 hashes of one level, a bundle up to 256 entries. Only those at the right edge of the log
are narrower, and get another name when they grow. So any file server can publish a log, and any cache keep it.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from hauberk.core.errors import ConfigError, DataError, IntegrityError
from hauberk.ledger.hashing import HASH_BYTES, node_hash

WIDTH = 256
HEIGHT = 8
LARGEST_ENTRY = 65535
"""Bytes of one entry: its length stands in two bytes."""
CHECKPOINT_PATH = "checkpoint"

_KEPT = 64  # tiles in memory while proofs are made: 2 MiB
_HIGHEST = 7  # level of a tile: 256**8 entries are more than a checkpoint can name
_PATH = re.compile(
    r"tile/(0|[1-9][0-9]?|entries)/((?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?", re.ASCII
)


@dataclass(frozen=True)
class Tile:
    """The coordinates of one file.

    Args:
        level: 0 for leaves, each further one 8 levels of the tree up; None for a bundle of entries.
        index: counted from 0 at the left.
        width: hashes or entries in it, 1 to 256.
    """

    level: int | None
    index: int
    width: int = WIDTH

    def __post_init__(self) -> None:
        if self.level is not None and not 0 <= self.level <= _HIGHEST:
            raise ConfigError(f"a tile lies at a level in [0, {_HIGHEST}], got {self.level}")
        if self.index < 0 or not 1 <= self.width <= WIDTH:
            raise ConfigError(f"a tile has an index from 0 and a width in [1, {WIDTH}], got {self}")

    @property
    def path(self) -> str:
        """Relative to where the log is published."""
        digits = f"{self.index:03d}"
        digits = digits.zfill(-(-len(digits) // 3) * 3)
        groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
        name = "/".join([*(f"x{one}" for one in groups[:-1]), groups[-1]])
        level = "entries" if self.level is None else self.level
        return f"tile/{level}/{name}" + (f".p/{self.width}" if self.width < WIDTH else "")

    @property
    def full(self) -> Tile:
        """The same when it has grown to its end, which a server may have in its place."""
        return Tile(self.level, self.index)

    @classmethod
    def parse(cls, path: str) -> Tile:
        """Read a path.

        Raises:
            DataError: no tile has this path.
        """
        found = _PATH.fullmatch(path)
        if found is not None:
            level, name, width = found.groups()
            index = int(name.replace("/", "").replace("x", ""))
            try:
                tile = cls(None if level == "entries" else int(level), index, int(width or WIDTH))
            except ConfigError:
                tile = None
            if tile is not None and tile.path == path:
                return tile
        raise DataError(
            f"no tile has the path {path!r}", hint="such as tile/0/x001/234 or tile/entries/000.p/8"
        )


def tiles(size: int) -> Iterator[Tile]:
    """All tiles and bundles of a log of ``size`` entries."""
    return grown(0, size)


def grown(old: int, new: int) -> Iterator[Tile]:
    """The tiles and bundles that a log of ``new`` entries has and one of ``old`` has not, bundles first."""
    for level in (None, *range(_HIGHEST + 1)):
        before, after = (size >> HEIGHT * (level or 0) for size in (old, new))
        if not after:
            return
        for index in range(before // WIDTH, -(-after // WIDTH)):
            width = min(WIDTH, after - index * WIDTH)
            if index * WIDTH + width > before:
                yield Tile(level, index, width)


def bundle_of(entry: int, size: int) -> Tile:
    """The bundle that holds an entry of a log of ``size`` entries."""
    return _tile(None, entry // WIDTH, size)


def _tile(level: int | None, index: int, size: int) -> Tile:
    return Tile(level, index, min(WIDTH, (size >> HEIGHT * (level or 0)) - index * WIDTH))


def encode_bundle(entries: Sequence[bytes]) -> bytes:
    """The bytes of a bundle: each entry behind its length in two bytes.

    Raises:
        DataError: an entry of more than 65,535 bytes.
    """
    for entry in entries:
        check_entry(entry)
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def check_entry(entry: bytes) -> None:
    """Refuse what does not fit into a bundle."""
    if len(entry) > LARGEST_ENTRY:
        raise DataError(
            f"an entry of a log has at most {LARGEST_ENTRY} bytes, this one has {len(entry)}",
            hint="log its digest, and keep the document beside the log",
        )


def decode_bundle(data: bytes, width: int) -> list[bytes]:
    """The entries of a bundle.

    Raises:
        IntegrityError: not exactly ``width`` of them.
    """
    entries, at = [], 0
    while at < len(data):
        start = at + 2
        at = start + int.from_bytes(data[at:start], "big")
        entries.append(data[start:at])
    if at != len(data) or len(entries) != width:
        raise IntegrityError(f"a bundle does not hold {width} whole entries and nothing else")
    return entries


def decode_hashes(data: bytes, width: int) -> list[bytes]:
    """The hashes of a tile.

    Raises:
        IntegrityError: not exactly ``width`` of them.
    """
    if len(data) != width * HASH_BYTES:
        raise IntegrityError(
            f"a tile of {width} hashes has {width * HASH_BYTES} bytes, this one has {len(data)}"
        )
    return [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]


class TileHashes:
    """The complete subtrees of a log of ``size`` entries, looked up in its tiles.

    Nothing is believed to be right here; a proof made from it is checked against a root.

    Args:
        read: the bytes of a tile.

    Cost: a hash takes one tile, which is read and hashed to its top the first time; memory for 64 tiles.
    """

    def __init__(self, size: int, read: Callable[[Tile], bytes]) -> None:
        self._size, self._read = size, read
        self._kept: OrderedDict[Tile, list[list[bytes]]] = OrderedDict()

    def __call__(self, level: int, index: int) -> bytes:
        """The hash of the subtree over the ``2**level`` entries from ``index << level``.

        Raises:
            ConfigError: the log is smaller than that.
            IntegrityError: the tile has not the length that it must have.
        """
        if (index + 1) << level > self._size:
            raise ConfigError(f"a log of {self._size} entries has no subtree {index} of level {level}")
        height, within = divmod(level, HEIGHT)
        number, at = divmod(index << within, WIDTH)
        return self._rows(_tile(height, number, self._size))[within][at >> within]

    def _rows(self, tile: Tile) -> list[list[bytes]]:
        """The hashes of a tile, and above them those of the complete subtrees inside it, level by level."""
        found = self._kept.get(tile)
        if found is None:
            found = self._kept[tile] = rows_over(decode_hashes(self._read(tile), tile.width))
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(tile)
        return found


def rows_over(hashes: Sequence[bytes]) -> list[list[bytes]]:
    """Hashes of one level, and above them all that they make in pairs; the last row has one hash."""
    rows = [list(hashes)]
    while len(rows[-1]) > 1:
        lower = rows[-1]
        rows.append([node_hash(*pair) for pair in zip(lower[::2], lower[1::2], strict=False)])
    return rows


def fold_complete(hashes: Sequence[bytes]) -> bytes:
    """The root over hashes of one level; their number is a power of two."""
    return rows_over(hashes)[-1][0]
