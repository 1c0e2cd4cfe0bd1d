"""How many lines said yes and no, hour by hour."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select

from hauberk.access import schema
from hauberk.access.trail.ocsf import ENTER
from hauberk.core.database import Database

HOUR_MS = 3_600_000


@dataclass(frozen=True)
class Hour:
    """Args:
    begin_ms: when it began.
    """

    begin_ms: int
    allowed: int
    refused: int


def by_hour(database: Database, now_ms: int, hours: int) -> tuple[Hour, ...]:
    """The last ``hours`` hours, the present one last; those without a line too."""
    table = schema.trail.c
    first = (now_ms // HOUR_MS - hours + 1) * HOUR_MS
    begin = table.time_ms - table.time_ms % HOUR_MS
    query = (
        select(begin.label("begin"), table.allowed, func.count().label("lines"))
        .where(table.time_ms >= first)
        .group_by(begin, table.allowed)
    )
    with database.read() as connection:
        found = {(int(one.begin), bool(one.allowed)): int(one.lines) for one in connection.execute(query)}
    return tuple(
        Hour(at, found.get((at, True), 0), found.get((at, False), 0))
        for at in range(first, first + hours * HOUR_MS, HOUR_MS)
    )


def failed_entries(database: Database, since_ms: int) -> int:
    """How often somebody tried to enter since then, and was not recognised."""
    table = schema.trail.c
    failed = (table.time_ms >= since_ms, table.action == ENTER, table.allowed.is_(False))
    with database.read() as connection:
        return int(connection.execute(select(func.count()).where(*failed)).scalar_one())


def not_covered(database: Database) -> tuple[int, int | None]:
    """How many lines the ledger has yet to cover, and when the oldest of them was written."""
    with database.read() as connection:
        last = connection.execute(select(func.max(schema.batches.c.last))).scalar() or 0
        lines = select(func.count(), func.min(schema.trail.c.time_ms)).where(schema.trail.c.number > last)
        count, oldest = connection.execute(lines).one()
    return int(count), oldest
