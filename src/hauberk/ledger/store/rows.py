"""The rows of the tables, one function for each thing that is done with them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, bindparam, delete, insert, select, update

from hauberk.core.errors import IntegrityError
from hauberk.crypto.notes import Note, Signature
from hauberk.ledger.entry import Entry, Opening
from hauberk.ledger.hashing import leaf_hash
from hauberk.ledger.store import schema
from hauberk.ledger.store.database import no_ledger

T = TypeVar("T")
_AT_ONCE = 500  # questions in one statement: SQLite takes 32,766

# made once: putting a statement together takes longer than SQLite takes to answer it
_ENTRIES, _OPENINGS = schema.entries, schema.openings
_STATE = select(schema.log)
_LOCKED = _STATE.with_for_update()
_SET_HEAD = update(schema.log)
_SAME = (
    select(_ENTRIES.c.number, _ENTRIES.c.data)
    .where(_ENTRIES.c.fingerprint.in_(bindparam("some", expanding=True)))
    .order_by(_ENTRIES.c.number)
)
_SAID = select(_OPENINGS.c.number, _OPENINGS.c.identity).where(
    _OPENINGS.c.identity.in_(bindparam("some", expanding=True))
)
_PUT_ENTRIES, _PUT_SUBJECTS, _PUT_OPENINGS = map(insert, (_ENTRIES, schema.subjects, _OPENINGS))


def state(connection: Connection, where: str, *, lock: bool = False) -> Row[Any]:
    """The row of the log.

    Args:
        lock: keep other writers out until the transaction ends.

    Raises:
        DataError: there is none.
    """
    found = connection.execute(_LOCKED if lock else _STATE).first()
    if found is None:
        raise no_ledger(where)
    return found


def octets(value: object) -> bytes:
    """The bytes of a column; SQLite lets anything stand there.

    Raises:
        IntegrityError: something else does.
    """
    if not isinstance(value, bytes):
        raise IntegrityError("the tables hold something else where bytes belong: they were changed")
    return value


def fingerprint(data: bytes) -> int:
    """The first 8 bytes of a hash as a signed number: small enough for an index, and never trusted alone."""
    return int.from_bytes(data[:8], "big", signed=True)


def hashed(text: str) -> int:
    """The fingerprint of something that is no hash yet."""
    return fingerprint(hashlib.sha256(text.encode()).digest())


def number(
    connection: Connection, wanted: Sequence[Entry], size: int
) -> tuple[list[int], list[tuple[bytes, Entry]]]:
    """Which number each entry has or gets.

    Returns:
        The numbers, and what is new with its leaf hash, in order.
    """
    leaves = [leaf_hash(one.data) for one in wanted]
    known = {**_logged(connection, wanted, leaves), **_said(connection, wanted)}
    numbers: list[int] = []
    fresh: list[tuple[bytes, Entry]] = []
    for one, leaf in zip(wanted, leaves, strict=True):
        name = one.identity or one.data
        if name not in known:
            known[name] = size + len(fresh)
            fresh.append((leaf, one))
        numbers.append(known[name])
    return numbers, fresh


def _logged(connection: Connection, wanted: Sequence[Entry], leaves: Sequence[bytes]) -> dict[bytes, int]:
    """The first numbers of those entries that are in the log, by their bytes."""
    data = {one.data for one in wanted}
    found: dict[bytes, int] = {}
    for some in _batches([fingerprint(leaf) for leaf in leaves]):
        for row in connection.execute(_SAME, {"some": some}):
            if octets(row.data) in data:
                found.setdefault(octets(row.data), row.number)
    return found


def _said(connection: Connection, wanted: Sequence[Entry]) -> dict[bytes, int]:
    """The numbers of entries that say the same under other salts, by their identity."""
    found: dict[bytes, int] = {}
    for some in _batches([one.identity for one in wanted if one.identity is not None]):
        for row in connection.execute(_SAID, {"some": some}):
            found[octets(row.identity)] = row.number
    return found


def put(connection: Connection, fresh: Sequence[tuple[bytes, Entry]], first: int) -> None:
    """Write new entries, and what belongs to them."""
    rows = [
        {"number": place, "fingerprint": fingerprint(leaf), "data": entry.data}
        for place, (leaf, entry) in enumerate(fresh, first)
    ]
    connection.execute(_PUT_ENTRIES, rows)
    subjects = [
        {"subject": hashed(entry.subject), "number": place}
        for place, (_, entry) in enumerate(fresh, first)
        if entry.subject is not None
    ]
    if subjects:
        connection.execute(_PUT_SUBJECTS, subjects)
    salted = [
        {
            "number": place,
            "name": name,
            "salt": one.salt,
            "fact": json.dumps(one.fact),
            "identity": entry.identity,
        }
        for place, (_, entry) in enumerate(fresh, first)
        for name, one in entry.openings.items()
    ]
    if salted:
        connection.execute(_PUT_OPENINGS, salted)


def set_head(connection: Connection, size: int, head: bytes, signed_ms: int) -> None:
    """The newest checkpoint."""
    connection.execute(_SET_HEAD, {"size": size, "head": head, "signed_ms": signed_ms})


def erase(connection: Connection, place: int, name: str | None) -> int:
    """Forget one opening of an entry or all, and by what the entry was known; how many there were."""
    own = _OPENINGS.c.number == place
    gone = connection.execute(
        delete(_OPENINGS).where(own if name is None else own & (_OPENINGS.c.name == name))
    )
    if gone.rowcount:
        connection.execute(update(_OPENINGS).where(own).values(identity=None))
    return gone.rowcount


def openings(connection: Connection, place: int) -> dict[str, Opening]:
    """What opens the salted digests of an entry."""
    rows = connection.execute(select(_OPENINGS).where(_OPENINGS.c.number == place)).all()
    return {row.name: Opening(octets(row.salt), json.loads(row.fact)) for row in rows}


def cosigned(connection: Connection, size: int, head: bytes) -> bytes:
    """A head with the cosignatures that are known for it."""
    table = schema.cosignatures
    query = select(table.c.name, table.c.key_id, table.c.signature).where(table.c.size == size)
    rows = connection.execute(query.order_by(table.c.name, table.c.key_id)).all()
    lines = [Signature(row.name, octets(row.key_id), octets(row.signature)) for row in rows]
    return bytes(Note.parse(head).add(*lines))


def put_cosignatures(connection: Connection, size: int, head: bytes, lines: Sequence[Signature]) -> None:
    """Keep cosignatures of a head, each in the place of an older one by the same key."""
    table = schema.cosignatures
    for one in lines:
        own = (table.c.size == size) & (table.c.name == one.name) & (table.c.key_id == one.key_id)
        connection.execute(delete(table).where(own))
        connection.execute(
            insert(table).values(size=size, name=one.name, key_id=one.key_id, signature=one.data)
        )
    if connection.execute(select(schema.heads.c.size).where(schema.heads.c.size == size)).first() is None:
        connection.execute(insert(schema.heads).values(size=size, head=head))


def _batches(values: Sequence[T]) -> Iterator[Sequence[T]]:
    for at in range(0, len(values), _AT_ONCE):
        yield values[at : at + _AT_ONCE]
