"""A log that can be read and appended to, on its tables.

An append is one transaction: the entries, the tree's new hashes and the checkpoint that signs them are on disk
together or not at all. Before anything is signed, the stored edge of the tree is hashed again and compared with
the last checkpoint, and that with the key, so that a log whose edge was edited is not continued.

The same bytes are not logged twice: the entry's first number is given again. So an append whose answer was lost
can be repeated. A document whose digest is salted is known by its opening, until that is erased.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from types import TracebackType
from typing import Any

from sqlalchemy import Connection, Row, select

from hauberk.core.clock import Clock, now
from hauberk.core.database import Database
from hauberk.core.errors import ConfigError, DataError, IntegrityError
from hauberk.crypto.notes import Checkpoint, Note, Signature, Signer, parse_verifier, read_signers
from hauberk.ledger import merkle
from hauberk.ledger.checkpoint import open_checkpoint, peek, sign_checkpoint
from hauberk.ledger.entry import Entry, Opening
from hauberk.ledger.hashing import leaf_hash
from hauberk.ledger.store import rows, schema
from hauberk.ledger.store.growing import Growing, read_tile
from hauberk.ledger.tiles import WIDTH, Tile, TileHashes


class Log:
    """A ledger's log. Use it in a ``with`` block, or ``close`` it.

    Args:
        database: where the tables are.
        key_file: where the signing key lies, if that is known; the first append reads it.
        clock: for the time of a head.

    Raises:
        DataError: there is no ledger, or one from a newer Hauberk.

    Limits: openings stand in the tables in the clear: guard the database as you guard what it was told. Whoever
    holds the key can rewrite the log, and only who kept an older checkpoint sees it.
    """

    def __init__(self, database: Database, key_file: Path | None, *, clock: Clock = now) -> None:
        self._database, self._key_file, self._clock = database, key_file, clock
        self._signers: tuple[Signer, ...] = ()
        self._largest = 0  # size of the heads that this object has seen
        self._signed = b""  # the last one that it signed itself
        with database.read() as connection:
            state = rows.state(connection, database.where)
        if state.version != schema.VERSION:
            raise DataError(
                f"the ledger {database.where} has tables of version {state.version}; "
                f"this Hauberk knows version {schema.VERSION}",
                hint="use the version of Hauberk that made it",
            )
        self.verifier = parse_verifier(state.verifier)
        self._see(state)
        self._hashes, self._hashed = TileHashes(0, self.tile), 0

    @property
    def where(self) -> str:
        return self._database.where

    @property
    def origin(self) -> str:
        """The log's name."""
        return self.verifier.name

    def append(self, entries: Iterable[bytes | Entry]) -> list[int]:
        """Log entries, in order, in one transaction; when this returns they are on disk under a signed head.

        Returns:
            The number of each, counted from 0. What was logged before has its first number.

        Raises:
            DataError: an entry that is too long; nothing was logged.
            ConfigError: the key file holds another log's key, or may be read by others.
            IntegrityError: the tables do not belong to their checkpoint; nothing was logged.
            EnvironmentFailure: disk full, database away. What was being logged is there wholly or not at all.

        Cost: one durable commit, so that a thousand entries take little longer than one.
        """
        wanted = [one if isinstance(one, Entry) else Entry(one) for one in entries]
        signers = self._own_signers()
        with self._database.write() as connection:
            state = rows.state(connection, self.where, lock=True)
            edge = self._edge(connection, state)
            numbers, fresh = rows.number(connection, wanted, state.size)
            if fresh:
                edge.append(leaf for leaf, _ in fresh)
                edge.write()
                rows.put(connection, fresh, state.size)
                head = Checkpoint(self.origin, edge.frontier.size, edge.frontier.root)
                signed = bytes(sign_checkpoint(head, signers, clock=self._clock))
                signed_ms = max(state.signed_ms, int(self._clock().timestamp() * 1000))
                rows.set_head(connection, head.size, signed, signed_ms)
        if fresh:
            self._largest, self._signed = head.size, signed
        return numbers

    def add_cosignatures(self, checkpoint: bytes, lines: Sequence[Signature]) -> None:
        """Keep what witnesses said of a checkpoint; a witness' newer cosignature replaces his older one.

        Args:
            checkpoint: the signed note that they were asked about.

        Raises:
            IntegrityError: this log has no such head.

        Limits: whose cosignatures count is for a policy to say; the lines are not verified here.
        """
        note = Note.parse(checkpoint)
        head = open_checkpoint(note, [self.verifier])
        own = Note(note.text, tuple(one for one in note.signatures if self.verifier.made(one)))
        with self._database.write() as connection:
            state = rows.state(connection, self.where, lock=True)
            hashes = TileHashes(state.size, lambda tile: read_tile(connection, tile))
            if head.size > state.size or merkle.root(head.size, hashes) != head.root:
                raise IntegrityError(
                    f"{self.where} never had this head of {head.size} entries: the log has forked"
                )
            rows.put_cosignatures(connection, head.size, bytes(own), lines)

    def erase(self, number: int, name: str | None = None) -> int:
        """Forget what opens the salted digests of an entry; the log stays as it is and still verifies.

        Args:
            name: of one fact, or None for all.

        Returns:
            How many facts were there.

        Limits: not forgotten by copies of the database, by who was shown the opening, and by PostgreSQL before
        VACUUM has run and its write-ahead log has moved on.
        """
        with self._database.write() as connection:
            gone = rows.erase(connection, number, name)
        self._database.forget()
        return gone

    def head(self) -> bytes:
        with self._database.read() as connection:
            state = rows.state(connection, self.where)
            self._see(state)
            return rows.cosigned(connection, state.size, rows.octets(state.head))

    def signed_ms(self) -> int:
        """When the newest head was signed by this log's own clock: POSIX milliseconds, which never fall."""
        with self._database.read() as connection:
            return int(rows.state(connection, self.where).signed_ms)

    def cosigned_heads(self) -> list[bytes]:
        table = schema.heads
        with self._database.read() as connection:
            found = connection.execute(select(table.c.size, table.c.head).order_by(table.c.size)).all()
            return [rows.cosigned(connection, one.size, rows.octets(one.head)) for one in found]

    def hashes(self, level: int, index: int) -> bytes:
        if (index + 1) << level > self._hashed:
            self.head()
            self._hashes, self._hashed = TileHashes(self._largest, self.tile), self._largest
        return self._hashes(level, index)

    def tile(self, tile: Tile) -> bytes:
        with self._database.read() as connection:
            return read_tile(connection, tile)

    def entry(self, index: int) -> bytes:
        return next(self.entries(index, index + 1))

    def entries(self, start: int, stop: int) -> Iterator[bytes]:
        table = schema.entries
        for first in range(start, stop, WIDTH):
            last = min(first + WIDTH, stop)
            query = select(table.c.number, table.c.data).where(table.c.number >= first, table.c.number < last)
            with self._database.read() as connection:
                size = rows.state(connection, self.where).size
                found = connection.execute(query.order_by(table.c.number)).all()
            if start < 0 or last > size:
                raise ConfigError(f"no entry {last - 1 if start >= 0 else start} in a log of {size}")
            for number, row in zip_longest(range(first, last), found):
                if row is None or row.number != number:
                    raise IntegrityError(f"the ledger {self.where} lacks entry {number}, which its head covers")
                yield rows.octets(row.data)

    def find(self, leaf: bytes) -> int | None:
        table = schema.entries
        query = select(table.c.number, table.c.data).where(table.c.fingerprint == rows.fingerprint(leaf))
        with self._database.read() as connection:
            found = connection.execute(query.order_by(table.c.number)).all()
        return next((row.number for row in found if leaf_hash(rows.octets(row.data)) == leaf), None)

    def about(self, subject: str) -> list[int]:
        table = schema.subjects
        query = select(table.c.number).where(table.c.subject == rows.hashed(subject)).order_by(table.c.number)
        with self._database.read() as connection:
            return list(connection.execute(query).scalars())

    def openings(self, number: int) -> dict[str, Opening]:
        with self._database.read() as connection:
            return rows.openings(connection, number)

    def close(self) -> None:
        """Close the database and wipe the key."""
        self._database.close()
        for one in self._signers:
            one.wipe()
        self._signers = ()

    def __enter__(self) -> Log:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _own_signers(self) -> tuple[Signer, ...]:
        if self._key_file is None:
            raise ConfigError(
                f"{self.where} is signed with a key that is kept elsewhere: say where it lies",
                hint="--key FILE, or HAUBERK_LEDGER_KEY=FILE",
            )
        if not self._signers:
            found = read_signers(self._key_file)
            if self.verifier not in [one.verifier for one in found]:
                raise ConfigError(
                    f"{self._key_file} holds another key than the one that signs {self.where}: {self.verifier}",
                    hint="name the right key file with --key",
                )
            self._signers = found
        return self._signers

    def _edge(self, connection: Connection, state: Row[Any]) -> Growing:
        """The edge of the stored tree, which is what the newest checkpoint says."""
        self._see(state)
        signed = rows.octets(state.head)
        head = peek(signed) if signed == self._signed else open_checkpoint(signed, [self.verifier])
        edge = Growing(connection, state.size)
        if head.root != edge.frontier.root:
            raise self._changed()
        return edge

    def _see(self, state: Row[Any]) -> None:
        if peek(rows.octets(state.head)).size != state.size:
            raise self._changed()
        if state.size < self._largest:
            raise IntegrityError(
                f"{self.where} has {state.size} entries and had {self._largest}: it was cut short or replaced"
            )
        self._largest = state.size

    def _changed(self) -> IntegrityError:
        return IntegrityError(f"the tables of {self.where} are not what its checkpoint says: they were changed")
