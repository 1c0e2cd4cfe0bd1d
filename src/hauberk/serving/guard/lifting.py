"""What is held against callers, for an operator who looks at it and forgives: no server need run here."""

from __future__ import annotations

import time
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select

from hauberk.core.database import Database
from hauberk.serving.guard import tables
from hauberk.serving.guard.policy import Action

VERDICT, PLACE, LIFT = "verdict", "place", "lift"
KEPT_S = 7 * 86_400.0
"""How long a lift and the place of a search are told to workers."""

FOR_EVER = 1e300
"""PostgreSQL and JSON both know it, which is not so of infinity."""

_OPERATOR = "operator"


@dataclass(frozen=True)
class Held:
    """One caller under a verdict.

    Args:
        until: POSIX seconds; None until somebody lifts it.
    """

    caller: str
    action: Action
    until: float | None


def held(database: Database, *, now: float | None = None) -> list[Held]:
    """Everybody whom a guard treats otherwise now, by name; each with the strictest verdict."""
    table, present = tables.news, time.time() if now is None else now
    query = select(table.c.subject, table.c.until, table.c.body).where(
        table.c.kind == VERDICT, table.c.until >= present
    )
    with database.read() as connection:
        rows = connection.execute(query).all() if tables.there(connection) else []
    found: dict[str, Held] = {}
    for caller, until, body in rows:
        one = Held(caller, Action(bytes(body).decode()), None if until >= FOR_EVER else until)
        old = found.get(caller)
        if old is None or old.action.rank <= one.action.rank:
            found[caller] = one
    return [found[name] for name in sorted(found)]


def lift(database: Database, caller: str, *, now: float | None = None) -> bool:
    """Forget what was held against a caller, in all workers within about a second.

    Returns:
        Whether there was a verdict on him.
    """
    tables.make(database)
    with database.write() as connection:
        tables.alone(connection)
        return forget(connection, caller, _OPERATOR, time.time() if now is None else now)


def forget(connection: Connection, caller: str, worker: str, now: float) -> bool:
    """The same within a transaction in which ``tables.alone`` holds."""
    table = tables.news
    mine = (table.c.kind == VERDICT) & (table.c.subject == caller)
    gone = connection.execute(delete(table).where(mine)).rowcount
    connection.execute(delete(tables.callers).where(tables.callers.c.caller == caller))
    connection.execute(
        insert(table).values(worker=worker, kind=LIFT, subject=caller, until=now + KEPT_S, body=b"")
    )
    return bool(gone)
