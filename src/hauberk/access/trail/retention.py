"""Old lines removed, their proofs kept.

Only whole batches go whose heads stand in the ledger. The hash after the last of them stays, so that the rest
is still checked from where it begins, and whoever kept a copy of what was removed can still show that it is
true.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, func, select, update

from hauberk.access import schema
from hauberk.access.changes import milliseconds, state_row
from hauberk.core.database import Database
from hauberk.core.errors import IntegrityError


def removable(database: Database, before: datetime) -> int:
    """The last line that may go: the end of the newest batch in which all lines are older; 0 for none."""
    lines, batches = schema.trail.c, schema.batches.c
    with database.read() as connection:
        state = state_row(connection, database.where)
        kept = select(func.min(lines.number)).where(lines.time_ms >= milliseconds(before))
        first_kept = connection.execute(kept).scalar() or state.number + 1
        last = connection.execute(select(func.max(batches.last)).where(batches.last < first_kept)).scalar() or 0
    return int(last) if last >= state.first else 0


def reason(last: int) -> str:
    """What the trail must say before lines up to ``last`` are removed: an allowed ``vault.admin`` with this."""
    return f"remove the trail's lines to {last}"


def remove(database: Database, last: int) -> int:
    """Remove the lines up to ``last``, one of those that ``removable`` names; how many there were.

    Raises:
        IntegrityError: line ``last`` is not there, or no batch ends with it.
    """
    lines, batches = schema.trail.c, schema.batches.c
    with database.write() as connection:
        state_row(connection, database.where, lock=True)
        after = connection.execute(select(lines.hash).where(lines.number == last)).scalar()
        if (
            after is None
            or connection.execute(select(batches.first).where(batches.last == last)).first() is None
        ):
            raise IntegrityError(f"no batch of the trail ends with line {last}")
        gone = connection.execute(delete(schema.trail).where(lines.number <= last)).rowcount
        connection.execute(update(schema.state).values(first=last + 1, before=after))
    database.forget()
    return gone
