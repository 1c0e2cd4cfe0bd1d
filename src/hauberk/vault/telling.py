"""What the ledger is told: publications, deployments, revocations.

What happens to a version and what the ledger is to be told of it are written in one transaction of the vault's
database; the entry follows. Whoever comes next tells what a stopped one did not: the same entry told twice is
one entry. So nothing is in the ledger that did not happen, and nothing happens that it does not learn of.

Who did it, and why somebody revoked, goes in as salted digests only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, insert, select, update

from hauberk.core.clock import timestamp
from hauberk.core.errors import HauberkError
from hauberk.crypto.secret import Random
from hauberk.ledger.entry import Entry, Opening
from hauberk.ledger.statements import Statement, state
from hauberk.vault import schema

if TYPE_CHECKING:
    from hauberk.vault.place import Vault

_BATCH = 500


def note(
    connection: Connection,
    statement: Statement,
    private: Mapping[str, Any],
    *,
    detail: str,
    by: str,
    at_ms: int,
    random: Random,
) -> None:
    """Write what happened to a version, with the entry that the ledger has yet to get."""
    entry = state(statement, private, random=random)
    connection.execute(
        insert(schema.events).values(
            model=statement.name,
            number=statement.facts["version"],
            what=statement.kind,
            detail=detail,
            by=by,
            at_ms=at_ms,
            waiting=_packed(entry),
        )
    )


def statement(kind: str, subject: str, model: str, at_ms: int, **facts: Any) -> Statement:
    """What the ledger says of a version; ``document`` is the digest of what it speaks of."""
    created = timestamp(lambda: datetime.fromtimestamp(at_ms / 1000, UTC))
    return Statement(kind, subject, model, created, facts.pop("document", None), facts=facts)


def settle(vault: Vault) -> int:
    """Tell the ledger what it has yet to learn; how many entries that were.

    Raises:
        EnvironmentFailure, IntegrityError, ConfigError: the ledger does not take them. They wait in the vault.
    """
    table, told = schema.events, 0
    waiting = select(table.c.id, table.c.waiting).where(table.c.waiting.is_not(None)).order_by(table.c.id)
    while True:
        with vault.database.read() as connection:
            rows = connection.execute(waiting.limit(_BATCH)).all()
        if not rows:
            return told
        try:
            numbers = vault.ledger.append([_unpacked(bytes(one.waiting)) for one in rows])
        except HauberkError as error:
            raise type(error)(
                f"what was done is kept, but the ledger does not take it: {error}",
                hint=error.hint
                or "hauberk vault gc tells it when it is back; until then a new version is not seen",
            ) from error
        with vault.database.write() as connection:
            for row, number in zip(rows, numbers, strict=True):
                connection.execute(update(table).where(table.c.id == row.id).values(entry=number, waiting=None))
        told += len(rows)


def _packed(entry: Entry) -> bytes:
    return json.dumps(
        {
            "data": entry.data.decode(),
            "subject": entry.subject,
            "identity": entry.identity.hex() if entry.identity else None,
            "openings": {
                name: {"salt": one.salt.hex(), "fact": one.fact} for name, one in entry.openings.items()
            },
        }
    ).encode()


def _unpacked(data: bytes) -> Entry:
    told = json.loads(data)
    openings = {
        name: Opening(bytes.fromhex(one["salt"]), one["fact"]) for name, one in told["openings"].items()
    }
    identity = bytes.fromhex(told["identity"]) if told["identity"] else None
    return Entry(told["data"].encode(), told["subject"], openings, identity)
