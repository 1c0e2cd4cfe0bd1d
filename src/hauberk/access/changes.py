"""A change of who may do what: one transaction, which raises the epoch.

All that is remembered of identities, keys, roles and grants is remembered of one epoch. A decision is written
to the trail in a transaction that reads the epoch again, and is made anew where it has moved on: so what is
changed here counts from the moment when it is on disk, in every process that uses this database.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from hauberk.access import schema
from hauberk.core.database import Database
from hauberk.core.errors import ConfigError, DataError
from hauberk.vault.registry import decide_anew

_IDENTITY = select(schema.identities)
_STATE = select(schema.state)
_LOCKED = _STATE.with_for_update()


@contextmanager
def changing(database: Database) -> Iterator[Connection]:
    """A transaction that changes who may do what.

    Raises:
        DataError: the database has no tables of access.
    """
    with database.write() as connection:
        if not decide_anew(connection):
            raise DataError(f"{database.where} lacks the row of access", hint="hauberk vault upgrade")
        yield connection


def state_row(connection: Connection, where: str, *, lock: bool = False) -> Row[Any]:
    """The row of ``access_state``; with ``lock``, kept from others until the transaction ends.

    Raises:
        DataError: there is none.
    """
    found = connection.execute(_LOCKED if lock else _STATE).first()
    if found is None:
        raise DataError(f"{where} lacks the row of access", hint="hauberk vault upgrade")
    return found


def identity_row(connection: Connection, name: str) -> Row[Any]:
    """One identity.

    Raises:
        ConfigError: there is none of that name.
    """
    found = connection.execute(_IDENTITY.where(schema.identities.c.name == name)).first()
    if found is None:
        raise ConfigError(f"no identity '{name}'", hint="hauberk access user list shows all")
    return found


def milliseconds(time: datetime) -> int:
    """POSIX milliseconds."""
    return int(time.timestamp() * 1000)
