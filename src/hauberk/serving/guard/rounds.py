"""A guard's memory while a server runs: shared every second, kept within a minute and at the end.

What touches the guard happens on the event loop and is quick; whatever waits for the database waits in a
thread. When the database is away the guard goes on alone, and tells everything when it is back.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable

from hauberk.core.errors import HauberkError
from hauberk.serving.guard.alerts import Alert
from hauberk.serving.guard.store import GuardStore
from hauberk.serving.logs import tell

_KEEP_EVERY, _KEPT_IN = 60, 50  # turns; each keeps its share of the callers, so that none takes long


class Rounds:
    """The rounds of one process; what ``hauberk.serving.watch.Memory`` asks for.

    Args:
        record: writes an alert down where it cannot be removed, such as in the audit trail; called in a thread.
    """

    def __init__(self, store: GuardStore, record: Callable[[Alert], None]) -> None:
        self._store, self._record = store, record
        self._unrecorded: deque[Alert] = deque()
        self._due: list[tuple[str, str]] = []  # callers who are kept in this and the next turns
        self._turns, self._share, self._well = 0, 0, True
        self._one = asyncio.Lock()

    async def begin(self) -> None:
        await asyncio.to_thread(self._store.load)

    async def turn(self) -> None:
        async with self._one:
            self._turns += 1
            if self._turns % _KEEP_EVERY == 0:
                self._due = self._all_due()
                self._share = 1 + len(self._due) // _KEPT_IN
            await self._round(self._share)

    async def end(self) -> None:
        async with self._one:
            self._due = self._all_due()
            await self._round(len(self._due))

    def _all_due(self) -> list[tuple[str, str]]:
        return sorted({*self._due, *self._store.due()})

    async def _round(self, share: int) -> None:
        """Keep so many callers, tell and hear, write down."""
        try:
            if self._due:
                await self._keep(share)
            await self._sync()
            if self._unrecorded:
                await asyncio.to_thread(self._write_down)
        except HauberkError as error:
            if self._well:
                tell("guard-alone", level=logging.ERROR, why=str(error))
            self._well = False
        else:
            self._well = True

    async def _sync(self) -> None:
        told = self._store.news()
        try:
            heard = await asyncio.to_thread(self._store.exchange, told)
        except HauberkError:
            self._store.put_back(told)
            raise
        self._unrecorded.extend(told.alerts)
        self._store.hear(heard)

    async def _keep(self, share: int) -> None:
        changed = self._store.changes(self._due[:share])
        del self._due[:share]
        try:
            await asyncio.to_thread(self._store.write, changed)
        except HauberkError:
            self._store.put_changes_back(changed)
            raise

    def _write_down(self) -> None:
        while self._unrecorded:
            self._record(self._unrecorded[0])
            self._unrecorded.popleft()
