"""Guessing slowed down and locked out, for each name that is tried and for each address that tries.

An attempt is counted before it is judged, so that many at once are counted too. Five are free; after each
further one the next must wait, twice as long each time, up to a quarter of an hour. Names that nobody has are
counted like all others, so a lock tells nothing.

Limits: whoever knows a name can keep its owner out of the console by failing in his place, a quarter of an
hour at a time; API keys, tokens and certificates, which nobody guesses, are not locked. A clock that is set
forward ends locks early; one that is set back never makes a lock longer than it was.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select, update

from hauberk.access import schema
from hauberk.access.changes import state_row
from hauberk.core.database import Database
from hauberk.core.settings import require_count

_TABLE = schema.failures


@dataclass(frozen=True)
class Throttle:
    """Args:
    free: attempts that need not wait.
    first_ms: the first wait; each further one is twice as long.
    longest_ms: the longest.
    forget_ms: after so long without an attempt all is forgotten.
    """

    free: int = 5
    first_ms: int = 1_000
    longest_ms: int = 900_000
    forget_ms: int = 86_400_000

    def __post_init__(self) -> None:
        for name in ("free", "first_ms", "longest_ms", "forget_ms"):
            require_count(name, getattr(self, name), "Throttle")

    def attempt(self, database: Database, whom: Sequence[str], now_ms: int) -> int:
        """Count an attempt.

        Args:
            whom: what it is counted for, such as ``("identity ada", "address 192.0.2.1")``.

        Returns:
            0 where it may be judged; else the milliseconds until the next may, and this one was not counted.
        """
        with database.write() as connection:
            state_row(connection, database.where, lock=True)
            counts = {one: self._count(connection, one, now_ms) for one in map(_digest, whom)}
            waits = [until - now_ms for _, until in counts.values()]
            if max(waits) > 0:
                return max(waits)
            for one, (count, _) in counts.items():
                self._put(connection, one, count + 1, now_ms)
            connection.execute(delete(_TABLE).where(_TABLE.c.last_ms < now_ms - self.forget_ms))
        return 0

    def passed(self, connection: Connection, own: str, others: Sequence[str] = ()) -> None:
        """An attempt was right.

        Args:
            own: forgotten wholly.
            others: this one attempt is taken back; the address stays counted, or else whoever has one account
                could guess at all others for ever.
        """
        connection.execute(delete(_TABLE).where(_TABLE.c.whom == _digest(own)))
        for one in map(_digest, others):
            own_row = (_TABLE.c.whom == one) & (_TABLE.c.failed > 0)
            connection.execute(update(_TABLE).where(own_row).values(failed=_TABLE.c.failed - 1, until_ms=0))

    def failed(self, database: Database, whom: str, now_ms: int) -> None:
        """Count a failure that was not announced by ``attempt``."""
        with database.write() as connection:
            state_row(connection, database.where, lock=True)
            count, _ = self._count(connection, _digest(whom), now_ms)
            self._put(connection, _digest(whom), count + 1, now_ms)

    def _count(self, connection: Connection, digest: str, now_ms: int) -> tuple[int, int]:
        """How often, and until when to wait; never further away than the longest wait."""
        row = connection.execute(select(_TABLE).where(_TABLE.c.whom == digest)).first()
        if row is None or row.last_ms < now_ms - self.forget_ms:
            return 0, 0
        return row.failed, min(row.until_ms, now_ms + self._wait(row.failed))

    def _wait(self, count: int) -> int:
        if count < self.free:
            return 0
        return min(self.longest_ms, self.first_ms << min(count - self.free, 40))

    def _put(self, connection: Connection, digest: str, count: int, now_ms: int) -> None:
        values = {"failed": count, "last_ms": now_ms, "until_ms": now_ms + self._wait(count)}
        if connection.execute(update(_TABLE).where(_TABLE.c.whom == digest).values(values)).rowcount == 0:
            connection.execute(insert(_TABLE).values(whom=digest, **values))


def _digest(whom: str) -> str:
    """A name that somebody tried may be his password in the wrong field: it is not stored as it is."""
    return hashlib.sha256(whom.encode("utf-8", "surrogatepass")).hexdigest()
