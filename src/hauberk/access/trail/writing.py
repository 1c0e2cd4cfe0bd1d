"""Writing the trail: lines of many threads in one durable commit, and of many processes in one chain.

Whoever comes while another is writing waits; the first of those who wait then writes for all of them. Each
commit locks the row that holds the newest hash, so the chain never forks, and reads the epoch of access in
the same transaction, so that a decision is checked against the newest rules before it is written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Event, Lock
from time import monotonic, sleep

from sqlalchemy import Connection, insert, update

from hauberk.access import schema
from hauberk.access.changes import state_row
from hauberk.access.trail.line import Line
from hauberk.core.database import Database
from hauberk.core.errors import HauberkError, TrailUnavailable

Make = Callable[[Connection, int, int], Line]
"""Makes a line from the open transaction, the epoch there, and the line's number."""

_MOST_AT_ONCE = 2_000  # lines in one commit, so that nobody waits long for his
_HOLD_S, _PAUSE_S = 0.025, 0.005

_PUT = insert(schema.trail)
_SET = update(schema.state)


class Trail:
    """The end of a trail at which lines are added.

    Args:
        database: with the tables of access.
        start: 32 bytes before the first line, the same for all who write or check this trail.
    """

    def __init__(self, database: Database, start: bytes) -> None:
        self._database, self._start = database, start
        self._mutex, self._waiting, self._busy, self._since = Lock(), list[_Ticket](), False, 0.0

    def write(self, make: Make) -> Line:
        """Add a line; when this returns it is on disk.

        Raises:
            TrailUnavailable: it could not be written; whatever it was to say must not happen.
            HauberkError: what ``make`` raises, after which no line was added.

        Cost: one durable commit for all who wait at the same time.
        """
        ticket = _Ticket(make)
        with self._mutex:
            self._waiting.append(ticket)
            if not self._busy:
                ticket.leads, self._busy, self._since = True, True, monotonic()
        if not ticket.leads:
            ticket.woken.wait()
        if ticket.leads:
            self._lead()
        return ticket.answer()

    def _lead(self) -> None:
        """Write for all who wait, and hand the lead to the first of those who came meanwhile."""
        self._let_others()
        with self._mutex:
            batch, self._waiting = self._waiting[:_MOST_AT_ONCE], self._waiting[_MOST_AT_ONCE:]
        try:
            self._commit(batch)
        except BaseException as error:
            for one in batch:
                one.failed = error
            if not isinstance(error, Exception):
                raise
        finally:
            with self._mutex:
                following = self._waiting[:1]
                self._busy = bool(following)
            for one in following:
                one.leads = True
            for one in (*following, *batch):
                one.woken.set()

    def _let_others(self) -> None:
        """Leave the database to other processes now and then.

        Who waits for SQLite's lock looks from time to time whether it is free, and would not find it so between
        two commits; and what he waits with may be a revocation.
        """
        if monotonic() - self._since > _HOLD_S:
            sleep(_PAUSE_S)
            self._since = monotonic()

    def _commit(self, batch: Sequence[_Ticket]) -> None:
        with self._database.write() as connection:
            state = state_row(connection, self._database.where, lock=True)
            number, before = state.number, state.hash or self._start
            rows = []
            for one in batch:
                try:
                    line = one.make(connection, state.epoch, number + 1)
                except HauberkError as error:
                    one.refused = error
                    continue
                number, before = number + 1, line.hash(before)
                one.line = line
                rows.append({**line.__dict__, "hash": before})
            if rows:
                connection.execute(_PUT, rows)
                connection.execute(_SET, {"number": number, "hash": before})


class _Ticket:
    """One line that waits to be written."""

    def __init__(self, make: Make) -> None:
        self.make, self.leads, self.woken = make, False, Event()
        self.line: Line | None = None
        self.refused: HauberkError | None = None  # by ``make``
        self.failed: BaseException | None = None  # the commit, and so all lines in it

    def answer(self) -> Line:
        if self.failed is None and self.refused is not None:
            raise self.refused
        if self.failed is None and self.line is not None:
            return self.line
        raise TrailUnavailable(
            f"no, since the audit trail cannot be written: {self.failed or 'no line was made'}",
            hint=getattr(self.failed, "hint", None),
        ) from self.failed
