"""API keys as the database knows them: made, rotated with an overlap, revoked, found again."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from hauberk.access import schema
from hauberk.access.changes import changing, identity_row, milliseconds
from hauberk.access.keys import ApiKey, make
from hauberk.access.words import Rule
from hauberk.core.clock import Clock, now
from hauberk.core.database import Database
from hauberk.core.errors import ConfigError
from hauberk.crypto.secret import Random

_KEY = select(schema.keys)


@dataclass(frozen=True)
class KeyRecord:
    """One key without its secret.

    Args:
        scopes: what it is for; empty for all that its identity may.
        expires_ms: from then on it is worth nothing; None for never.
        revoked_ms: when it was revoked, or None.
        successor: the key that replaced it.
    """

    id: str
    identity: str
    digest: bytes
    scopes: tuple[Rule, ...]
    created_ms: int
    expires_ms: int | None
    revoked_ms: int | None
    successor: str | None

    def refusal(self, now_ms: int) -> str | None:
        """Why it is worth nothing, or None."""
        if self.revoked_ms is not None:
            return "the key is revoked"
        if self.expires_ms is not None and now_ms >= self.expires_ms:
            return "the key has expired"
        return None


def new(
    database: Database,
    identity: str,
    *,
    scopes: Sequence[Rule] = (),
    lifetime: timedelta | None = None,
    clock: Clock = now,
    random: Random = os.urandom,
) -> ApiKey:
    """A key for an identity; its text is in the answer and nowhere else.

    Args:
        scopes: allowing rules; the key can do what both they and its identity's rules allow.
        lifetime: None for a key that does not expire.

    Raises:
        ConfigError: no such identity, a denying scope, or a lifetime that is over before it begins.
    """
    with changing(database) as connection:
        identity_row(connection, identity)
        return _put(connection, identity, scopes, lifetime, clock, random)


def rotate(
    database: Database,
    id_: str,
    *,
    overlap: timedelta,
    lifetime: timedelta | None = None,
    clock: Clock = now,
    random: Random = os.urandom,
) -> ApiKey:
    """A successor with the same scopes; the old key stays good for the overlap, or until it expires before.

    Args:
        lifetime: of the new key [default: as long as the old one was made for].

    Raises:
        ConfigError: no such key, or one that is worth nothing or was rotated already.
    """
    with changing(database) as connection:
        old = require(connection, id_)
        present = milliseconds(clock())
        reason = old.refusal(present) or (f"it was replaced by {old.successor}" if old.successor else None)
        if reason:
            raise ConfigError(
                f"key {id_} cannot be rotated: {reason}", hint="hauberk access key new makes another"
            )
        if lifetime is None and old.expires_ms is not None:
            lifetime = timedelta(milliseconds=old.expires_ms - old.created_ms)
        made = _put(connection, old.identity, old.scopes, lifetime, clock, random)
        ends = present + _whole_ms(overlap, "overlap", least=0)
        if old.expires_ms is not None:
            ends = min(ends, old.expires_ms)
        _set(connection, id_, expires_ms=ends, successor=made.id)
    return made


def revoke(database: Database, id_: str, *, clock: Clock = now) -> KeyRecord:
    """Let nobody in with this key from now on.

    Raises:
        ConfigError: no such key.
    """
    with changing(database) as connection:
        found = require(connection, id_)
        if found.revoked_ms is None:
            _set(connection, id_, revoked_ms=milliseconds(clock()))
        return require(connection, id_)


def listed(database: Database, identity: str | None = None) -> list[KeyRecord]:
    """All keys or one identity's, oldest first."""
    query = _KEY.order_by(schema.keys.c.created_ms, schema.keys.c.id)
    if identity is not None:
        query = query.where(schema.keys.c.identity == identity)
    with database.read() as connection:
        if identity is not None:
            identity_row(connection, identity)
        return [_record(one) for one in connection.execute(query)]


def find(connection: Connection, id_: str) -> KeyRecord | None:
    """A key by its identifier."""
    row = connection.execute(_KEY.where(schema.keys.c.id == id_)).first()
    return None if row is None else _record(row)


def require(connection: Connection, id_: str) -> KeyRecord:
    """As ``find``; raises ConfigError where there is none."""
    found = find(connection, id_)
    if found is None:
        raise ConfigError(
            "no key of this id", hint="hauberk access key list shows all; the id is not the key itself"
        )
    return found


def _put(
    connection: Connection,
    identity: str,
    scopes: Sequence[Rule],
    lifetime: timedelta | None,
    clock: Clock,
    random: Random,
) -> ApiKey:
    if any(one.effect != "allow" for one in scopes):
        raise ConfigError("a key's scopes say what it is for; deny something with a grant to its identity")
    made, present = make(random=random), milliseconds(clock())
    expires = None if lifetime is None else present + _whole_ms(lifetime, "lifetime", least=1)
    row = {
        "id": made.id,
        "identity": identity,
        "digest": made.digest,
        "created_ms": present,
        "expires_ms": expires,
    }
    connection.execute(insert(schema.keys).values(scopes="\n".join(map(str, scopes)), **row))
    return made


def _whole_ms(span: timedelta, name: str, *, least: int) -> int:
    whole = span // timedelta(milliseconds=1)
    if whole < least:
        raise ConfigError(f"a key's {name} is a time to come, got {span}")
    return whole


def _set(connection: Connection, id_: str, **values: object) -> None:
    connection.execute(update(schema.keys).where(schema.keys.c.id == id_).values(**values))


def _record(row: Row[Any]) -> KeyRecord:
    told = dict(row._mapping)
    scopes = tuple(Rule.parse("allow", one) for one in told["scopes"].splitlines())
    return KeyRecord(**{**told, "scopes": scopes})
