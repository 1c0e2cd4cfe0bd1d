"""How the tree in the tables grows: the edge is read, leaves are hashed in, the rows that changed go back."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, bindparam, insert, select, update

from hauberk.core.errors import IntegrityError
from hauberk.ledger.hashing import HASH_BYTES
from hauberk.ledger.merkle import Frontier
from hauberk.ledger.store import schema
from hauberk.ledger.tiles import HEIGHT, WIDTH, Tile, TileHashes

_TILES = schema.tiles
_SELECT = select(_TILES.c.hashes).where(_TILES.c.level == bindparam("at"), _TILES.c.number == bindparam("nth"))
_UPDATE = update(_TILES).where(_TILES.c.level == bindparam("at"), _TILES.c.number == bindparam("nth"))
_INSERT = insert(_TILES)


def read_tile(connection: Connection, tile: Tile) -> bytes:
    """The hashes of a tile; where more are there than it has, its own.

    Raises:
        IntegrityError: it is missing or too short.
    """
    found = connection.execute(_SELECT, {"at": tile.level, "nth": tile.index}).scalar()
    length = tile.width * HASH_BYTES
    if not isinstance(found, bytes) or len(found) < length:
        raise IntegrityError(f"the tables lack hashes of the tree ({tile.path}): they were changed")
    return found[:length]


class Growing:
    """The right edge of a stored tree.

    Args:
        size: how many entries the tables have.
    """

    def __init__(self, connection: Connection, size: int) -> None:
        self._connection = connection
        counts = [size >> HEIGHT * level for level in range(-(-size.bit_length() // HEIGHT))]
        edge = [Tile(at, one // WIDTH, one % WIDTH) for at, one in enumerate(counts) if one % WIDTH]
        read = {one: read_tile(connection, one) for one in edge}
        self.frontier = Frontier.read(size, TileHashes(size, read.__getitem__))
        self._old = [(one.level, one.index) for one in edge]
        self._rows = {(one.level, one.index): bytearray(read[one]) for one in edge}  # not full
        self._full: dict[tuple[int | None, int], bytes] = {}

    def append(self, leaves: Iterable[bytes]) -> None:
        """Hash leaves into the tree."""
        for leaf in leaves:
            for (level, index), value in self.frontier.append(leaf):
                if not level % HEIGHT:
                    self._keep((level // HEIGHT, index // WIDTH), value)

    def _keep(self, at: tuple[int | None, int], value: bytes) -> None:
        row = self._rows.setdefault(at, bytearray())
        row += value
        if len(row) == WIDTH * HASH_BYTES:
            self._full[at] = bytes(self._rows.pop(at))

    def write(self) -> None:
        """Put the rows that changed in the tables."""
        changed = {**self._full, **{at: bytes(row) for at, row in self._rows.items()}}
        for level, number in self._old:
            row = changed.pop((level, number))
            self._connection.execute(_UPDATE, {"at": level, "nth": number, "hashes": row})
        if changed:
            rows = [{"level": at[0], "number": at[1], "hashes": row} for at, row in changed.items()]
            self._connection.execute(_INSERT, rows)
