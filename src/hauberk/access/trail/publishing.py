"""The trail's heads in the ledger: what they cover, nobody changes unnoticed.

A statement of kind ``access-batch`` names the head after its last line, the number of its first line, how many
there are, and the trail. Statements may overlap, where two processes published at once or one was stopped; each
holds for itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

from sqlalchemy import Connection, func, insert, select

from hauberk.access import schema
from hauberk.access.changes import milliseconds, state_row
from hauberk.access.trail.line import Line
from hauberk.core.clock import Clock, now, timestamp
from hauberk.core.database import Database
from hauberk.core.errors import HauberkError, IntegrityError
from hauberk.ledger.entry import Entry
from hauberk.ledger.statements import Statement, state
from hauberk.ledger.store.log import Log

DUE_LINES = 1_000
DUE_MS = 60_000

_LAST = select(func.max(schema.batches.c.last))
_OLDEST = select(schema.trail.c.time_ms).order_by(schema.trail.c.number).limit(1)


def trail_id(start: bytes | bytearray) -> str:
    """What statements call a trail: a hash of the secret that it starts with."""
    return hashlib.sha256(b"hauberk access trail\n" + start).hexdigest()[:32]


class Publisher:
    """Puts heads into a ledger.

    Args:
        start: of the trail.
        ledger: opens the one to append to, when first there is something for it.
    """

    def __init__(
        self, database: Database, start: bytes, ledger: Callable[[], Log], *, clock: Clock = now
    ) -> None:
        self._database, self._id, self._ledger, self._clock = database, trail_id(start), ledger, clock
        self._lock = Lock()
        self._covered: int | None = None
        self._waits_since_ms: int | None = None
        self._thread: ThreadPoolExecutor | None = None
        self.failure: HauberkError | None = None

    def written(self, number: int, time_ms: int) -> None:
        """A line is on disk: publish when a thousand lines wait, or when one has waited for a minute.

        What goes wrong is kept as ``failure`` and tried again later: the line itself is safe.
        """
        if not self._due(number, time_ms) or not self._lock.acquire(blocking=False):
            return
        try:
            self._publish()
            self.failure = None
        except HauberkError as error:
            self.failure = error
            self._waits_since_ms = time_ms
        finally:
            self._lock.release()

    def written_aside(self, line: Line) -> None:
        """As ``written``, without waiting: what is due is published by a thread of its own."""
        if self._lock.locked():
            return
        try:
            if self._due(line.number, line.time_ms):
                self._thread = self._thread or ThreadPoolExecutor(1, thread_name_prefix="publisher")
                self._thread.submit(self.written, line.number, line.time_ms)
        except HauberkError:
            return  # no database: the next line is looked at again

    def close(self) -> None:
        """End that thread."""
        if self._thread is not None:
            self._thread.shutdown()

    def publish(self) -> int:
        """Put the newest head into the ledger, if it is not there; how many lines that covers newly.

        Raises:
            EnvironmentFailure, ConfigError, IntegrityError: the ledger cannot be appended to.
        """
        with self._lock:
            return self._publish()

    def _due(self, number: int, time_ms: int) -> bool:
        if self._covered is None or self._waits_since_ms is None:
            with self._database.read() as connection:
                self._covered = covered(connection)
                oldest = connection.execute(_OLDEST.where(schema.trail.c.number > self._covered)).scalar()
            self._waits_since_ms = time_ms if oldest is None else oldest
        if number <= self._covered:  # a batch that was published while this line was on its way
            return False
        waits_ms = time_ms - self._waits_since_ms
        return number - self._covered >= DUE_LINES or not 0 <= waits_ms < DUE_MS  # or the clock was set back

    def _publish(self) -> int:
        with self._database.read() as connection:
            newest = state_row(connection, self._database.where)
            last = covered(connection)
        self._covered, self._waits_since_ms = max(last, newest.number), None
        if newest.number < last:
            raise IntegrityError(
                f"the trail ends with line {newest.number}, and the ledger covers {last}: it was cut short"
            )
        if newest.number == last:
            return 0
        count = newest.number - last
        (entry,) = self._ledger().append([self._statement(newest.hash, last + 1, count)])
        row = {"first": last + 1, "last": newest.number, "entry": entry, "time_ms": milliseconds(self._clock())}
        table = schema.batches
        with self._database.write() as connection:
            state_row(connection, self._database.where, lock=True)
            if connection.execute(select(table.c.first).where(table.c.first == last + 1)).first() is None:
                connection.execute(insert(table).values(row))
        return int(count)

    def _statement(self, head: bytes, first: int, count: int) -> Entry:
        facts = {"first": first, "count": count, "trail": self._id}
        return state(
            Statement("access-batch", None, None, timestamp(self._clock), f"sha256:{head.hex()}", facts=facts)
        )


def covered(connection: Connection) -> int:
    """The last line of which the ledger knows."""
    return int(connection.execute(_LAST).scalar() or 0)
