"""Writing the trail: lines of many threads in one durable commit, and of many processes in one chain.

Whoever comes while another is writing waits; the first of those who wait then writes for all of them. Each
commit locks the row that holds the newest hash, so the chain never forks, and reads the epoch of access in
the same transaction, so that a decision is checked against the newest rules before it is written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import lru_cache
from queue import SimpleQueue
from threading import Event, Lock, Thread
from time import monotonic, sleep
from typing import Any

from sqlalchemy import Connection

from hauberk.access import schema
from hauberk.access.changes import state_row
from hauberk.access.trail.line import Line
from hauberk.core.database import Database
from hauberk.core.errors import HauberkError, TrailUnavailable

Make = Callable[[Connection, int, int], Line]
"""Makes a line from the open transaction, the epoch there, and the line's number."""
Done = Callable[[Callable[[], Line]], None]
"""Told from another thread when a line is on disk or is not; what it is given returns the line or raises."""

_MOST_AT_ONCE = 2_000  # lines in one commit, so that nobody waits long for his
_HOLD_S, _PAUSE_S = 0.025, 0.005
_COMPANY_S = 0.002  # what a posted line waits for others, if there were any before: a commit costs many


class Trail:
    """The end of a trail at which lines are added.

    Args:
        database: with the tables of access.
        start: 32 bytes before the first line, the same for all who write or check this trail.
        posted: told of the newest line of each commit that has posted ones; as quick as ``Done``.
    """

    def __init__(self, database: Database, start: bytes, posted: Callable[[Line], None] | None = None) -> None:
        self._database, self._start, self._posted = database, start, posted
        self._mutex, self._waiting, self._busy, self._since = Lock(), list[_Ticket](), False, 0.0
        self._company = False  # the last commit had several posted lines
        self._turns = SimpleQueue[bool]()
        self._thread: Thread | None = None

    def write(self, make: Make) -> Line:
        """Add a line; when this returns it is on disk.

        Raises:
            TrailUnavailable: it could not be written; whatever it was to say must not happen.
            HauberkError: what ``make`` raises, after which no line was added.

        Cost: one durable commit for all who wait at the same time.
        """
        ticket = _Waiting(make)
        if not self._joined(ticket):
            ticket.woken.wait()
        if ticket.leads:
            self._lead()
        return ticket.answer()

    def post(self, make: Make, done: Done) -> None:
        """As ``write``, for those who cannot wait: an event loop. What ``done`` does must be quick, and is not
        to raise."""
        if self._joined(_Posted(make, done)):
            self._lead_aside()

    def close(self) -> None:
        """End the thread that writes what was posted, when all of it is written."""
        if self._thread is not None:
            self._turns.put(False)
            self._thread.join()
            self._thread = None

    def _joined(self, ticket: _Ticket) -> bool:
        """Whether whoever waits with this ticket has to write, since nobody else does."""
        with self._mutex:
            self._waiting.append(ticket)
            if self._busy:
                return False
            ticket.leads, self._busy, self._since = True, True, monotonic()
            return True

    def _lead_aside(self) -> None:
        """In a thread of the trail's own."""
        if self._thread is None:
            self._thread = Thread(target=self._take_turns, name="trail", daemon=True)
            self._thread.start()
        self._turns.put(True)

    def _take_turns(self) -> None:
        while True:
            if self._turns.get():
                with suppress(Exception):  # whoever waited was told, and others still need this thread
                    self._lead()
            elif self._turns.empty():
                return
            else:  # who came while the last one wrote goes first
                self._turns.put(False)

    def _lead(self) -> None:
        """Write for all who wait, and hand the lead to the first of those who came meanwhile."""
        self._let_others()
        with self._mutex:
            batch, self._waiting = self._waiting[:_MOST_AT_ONCE], self._waiting[_MOST_AT_ONCE:]
        posted, newest = sum(isinstance(one, _Posted) for one in batch), None
        self._company = posted > 1
        try:
            newest = self._commit(batch)
        except BaseException as error:
            for one in batch:
                one.failed = error
            if not isinstance(error, Exception):
                raise
        finally:
            with self._mutex:
                following = self._waiting[0] if self._waiting else None
                self._busy = following is not None
            if following is not None:
                following.leads = True
                if following.wake():  # it has no thread of its own
                    self._lead_aside()
            for one in batch:
                one.wake()
            if self._posted is not None and posted and newest is not None:
                self._posted(newest)

    def _let_others(self) -> None:
        """Leave the database to other processes now and then.

        Who waits for SQLite's lock looks from time to time whether it is free, and would not find it so between
        two commits; and what he waits with may be a revocation.
        """
        if self._company:
            sleep(_COMPANY_S)
        elif monotonic() - self._since > _HOLD_S:
            sleep(_PAUSE_S)
        else:
            return
        self._since = monotonic()

    def _commit(self, batch: Sequence[_Ticket]) -> Line | None:
        """The newest line that was written."""
        line = None
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
                rows.append((*line, before))
            if rows:
                _put(connection, rows)
        return line


def _put(connection: Connection, rows: list[tuple[Any, ...]]) -> None:
    """Lines, and the newest of them as the trail's end; in the driver's own words, since SQLAlchemy's treatment
    of each value takes longer than the database."""
    adding, setting = _statements(connection.dialect.paramstyle)
    connection.exec_driver_sql(adding, rows)
    connection.exec_driver_sql(setting, (rows[-1][0], rows[-1][-1]))


@lru_cache
def _statements(style: str) -> tuple[str, str]:
    """Both statements, for values in the order of their columns."""
    mark = "?" if style == "qmark" else "%s"
    columns = [*Line._fields, "hash"]
    marks = ", ".join([mark] * len(columns))
    return (
        f"INSERT INTO {schema.trail.name} ({', '.join(columns)}) VALUES ({marks})",  # noqa: S608 (own names)
        f"UPDATE {schema.state.name} SET number = {mark}, hash = {mark}",  # noqa: S608
    )


class _Ticket:
    """One line that waits to be written."""

    def __init__(self, make: Make) -> None:
        self.make, self.leads = make, False
        self.line: Line | None = None
        self.refused: HauberkError | None = None  # by ``make``
        self.failed: BaseException | None = None  # the commit, and so all lines in it

    def wake(self) -> bool:
        """Tell whoever waits that it is his turn to write, or that his line is written.

        Returns:
            Whether it is the turn of somebody who cannot write himself.
        """
        raise NotImplementedError

    def answer(self) -> Line:
        if self.failed is None and self.refused is not None:
            raise self.refused
        if self.failed is None and self.line is not None:
            return self.line
        raise TrailUnavailable(
            f"no, since the audit trail cannot be written: {self.failed or 'no line was made'}",
            hint=getattr(self.failed, "hint", None),
        ) from self.failed


class _Waiting(_Ticket):
    """A thread waits for it."""

    def __init__(self, make: Make) -> None:
        super().__init__(make)
        self.woken = Event()

    def wake(self) -> bool:
        self.woken.set()
        return False


class _Posted(_Ticket):
    """Nobody waits for it; somebody wants to be told."""

    def __init__(self, make: Make, done: Done) -> None:
        super().__init__(make)
        self._done = done

    def wake(self) -> bool:
        written = self.line is not None or self.refused is not None or self.failed is not None
        if written:
            self._done(self.answer)
        return not written
