"""The newest alerts in a table, for people: the console and ``hauberk guard alerts`` read them there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, insert, select

from hauberk.core.database import Database
from hauberk.serving.guard import tables
from hauberk.serving.guard.alerts import Alert
from hauberk.serving.guard.policy import Action, Finding

MOST = 10_000
"""How many alerts are kept; the oldest go first."""


@dataclass(frozen=True)
class KeptAlert:
    """An alert with its number, which counts all that there ever were."""

    number: int
    alert: Alert


def put(connection: Connection, found: Sequence[Alert]) -> None:
    """Keep alerts, in a transaction in which ``tables.alone`` holds."""
    table = tables.alerts
    rows = [{**one.to_json(), "facts": json.dumps(dict(one.facts))} for one in found]
    connection.execute(insert(table), rows)
    newest = connection.execute(select(func.max(table.c.id))).scalar_one()
    connection.execute(delete(table).where(table.c.id <= newest - MOST))


def recent(
    database: Database, newest: int = 100, *, caller: str | None = None, before: int | None = None
) -> list[KeptAlert]:
    """The newest alerts, newest first; none where no guard has ever been at work.

    Args:
        newest: how many at most.
        caller: those about him alone.
        before: older ones than the one with this number, for the next page.
    """
    table = tables.alerts
    query = select(table).order_by(table.c.id.desc()).limit(newest)
    if caller is not None:
        query = query.where(table.c.caller == caller)
    if before is not None:
        query = query.where(table.c.id < before)
    with database.read() as connection:
        if not tables.there(connection):
            return []
        rows = connection.execute(query).all()
    found = []
    for row in rows:
        told = dict(row._mapping)
        number = told.pop("id")
        told |= {"finding": Finding(row.finding), "action": Action(row.action), "facts": json.loads(row.facts)}
        found.append(KeptAlert(number, Alert(**told)))
    return found
