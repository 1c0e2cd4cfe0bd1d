"""The newest head of each log that a witness has cosigned, in one SQLite file.

What is judged and what is kept are one transaction under the file's write lock, so that of two requests at once
the second is judged by what the first left. It is on disk when the transaction ends, and no cosignature leaves
before.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    LargeBinary,
    MetaData,
    Table,
    Text,
    delete,
    insert,
    select,
)

from hauberk.core.database import Database, sqlite_url
from hauberk.core.errors import DataError
from hauberk.crypto.notes import Checkpoint
from hauberk.ledger.hashing import EMPTY_ROOT

_metadata = MetaData()
_heads = Table(
    "witness_heads",
    _metadata,
    Column("origin", Text, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("root", LargeBinary, nullable=False),
    Column("checkpoint", LargeBinary, nullable=False),
    Column("time", BigInteger, nullable=False),
)


@dataclass(frozen=True)
class Kept:
    """A head that was cosigned.

    Args:
        checkpoint: the note as it came; empty before the first.
        time: POSIX seconds of the newest cosignature.
    """

    size: int = 0
    root: bytes = EMPTY_ROOT
    checkpoint: bytes = b""
    time: int = 0


class Heads:
    """The file of them. Close it when done."""

    def __init__(self, file: str | Path) -> None:
        """Open ``file``, or make it, for its owner alone.

        Raises:
            EnvironmentFailure: it cannot be opened or written.
            IntegrityError: it is something else, or damaged.
        """
        Path(file).touch(mode=0o600)
        self._database = Database(sqlite_url(Path(file)), str(file), noun="file of heads", absent=_no_heads)
        with self._database.write() as connection:
            _metadata.create_all(connection)

    def last(self, origin: str) -> Kept:
        """The newest head of a log, or the empty one."""
        with self._database.read() as connection:
            return _read(connection, origin)

    @contextmanager
    def turn(self, origin: str) -> Iterator[Turn]:
        """The sole right to a log's head. An error in the block leaves all as it was."""
        with self._database.write() as connection:
            yield Turn(connection, origin, _read(connection, origin))

    def close(self) -> None:
        self._database.close()


@dataclass(frozen=True)
class Turn:
    """One transaction."""

    _connection: Connection
    _origin: str
    last: Kept

    def keep(self, head: Checkpoint, checkpoint: bytes, time: int) -> None:
        """Replace the newest head; on disk when the turn is over."""
        self._connection.execute(delete(_heads).where(_heads.c.origin == self._origin))
        row = {"size": head.size, "root": head.root, "checkpoint": checkpoint, "time": time}
        self._connection.execute(insert(_heads), [{"origin": self._origin, **row}])


def _read(connection: Connection, origin: str) -> Kept:
    columns = _heads.c.size, _heads.c.root, _heads.c.checkpoint, _heads.c.time
    found = connection.execute(select(*columns).where(_heads.c.origin == origin)).one_or_none()
    return Kept() if found is None else Kept(*found)


def _no_heads(where: str) -> DataError:
    return DataError(f"{where} is no witness' file of heads")
