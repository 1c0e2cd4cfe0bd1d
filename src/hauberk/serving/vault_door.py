"""The door of a server that serves a vault: it knows its callers, and its decisions stand in the trail.

What is remembered is decided on the event loop, and the network computes while the line is written; anything
else is decided in a thread. Lines of decisions that are made at the same time share one commit.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any

from hauberk.access import Access, Circumstances, Question
from hauberk.access.deciding import REVOKED
from hauberk.access.trail.line import Line
from hauberk.core.errors import AccessDenied, HauberkError
from hauberk.serving.door import Admission, Ask
from hauberk.serving.problems import Problem
from hauberk.serving.recognising import Recogniser, api_key, unknown

_ACTIONS = {"metrics.read": "audit.read"}  # what the server asks, by the name that roles know it by
_AT_ONCE = 32  # decisions that may share a commit


class VaultDoor:
    """Asks a vault's access; nobody comes in whom it does not know.

    Args:
        access: of the vault that is served.
        in_use: the alias that a request without a version means, where none is served.
        recogniser: who somebody is [default: by API key or certificate].
    """

    def __init__(self, access: Access, *, in_use: str, recogniser: Recogniser | None = None) -> None:
        self._access, self._in_use = access, in_use
        self._recogniser = recogniser or Recogniser(access)
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="door")
        self._written: deque[tuple[asyncio.Future[Problem | None], Problem | None]] = deque()
        self._called = False  # the loop will look at what was written

    async def admit(self, ask: Ask) -> Admission:
        loop = asyncio.get_running_loop()
        where = Circumstances(ask.address, ask.request)
        versions = ask.names or (() if ask.model is None else (ask.version or self._in_use,))
        question = Question(_ACTIONS.get(ask.action, ask.action), ask.model or "", versions)
        text = api_key(ask)
        if text is not None:
            recorded = _Recorded(loop)
            told = partial(self._told, recorded.future, question)
            caller = self._access.decide_at_once(text, question, where, told)
            if caller is not None:
                return Admission(caller.name, recorded)
        return await loop.run_in_executor(self._threads, self._decide, ask, question, where)

    def _told(
        self, future: asyncio.Future[Problem | None], question: Question, answer: Callable[[], Line]
    ) -> None:
        """A line is written, or is not; one call wakes the loop for all of a commit."""
        try:
            line = answer()
            problem = None if line.allowed else _refused(question, line)
        except HauberkError:
            problem = _no_trail()
        self._written.append((future, problem))
        if not self._called:
            self._called = True
            with suppress(RuntimeError):  # the loop has ended, and nobody waits any more
                future.get_loop().call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        self._called = False
        while self._written:
            future, problem = self._written.popleft()
            if not future.done():
                future.set_result(problem)

    def _decide(self, ask: Ask, question: Question, where: Circumstances) -> Admission:
        try:
            caller = self._recogniser.caller(ask, where)
        except AccessDenied as error:
            raise unknown() if error.exit_code == 1 else _no_trail() from None
        except HauberkError:  # the database is away
            raise _no_trail() from None
        try:
            line = self._access.decide(caller, question, where)
        except HauberkError:
            raise _no_trail() from None
        if not line.allowed:
            raise _refused(question, line)
        return Admission(caller.name)


class _Recorded:
    """Waited for before an answer leaves; raises if there is to be none.

    Its future never holds an error, of which asyncio would complain where the caller has gone and nobody asks.
    """

    __slots__ = ("future",)

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.future: asyncio.Future[Problem | None] = loop.create_future()

    def __await__(self) -> Generator[Any, None, None]:
        problem = yield from self.future.__await__()
        if problem is not None:
            raise problem


def _refused(question: Question, line: Line) -> Problem:
    if REVOKED.fullmatch(line.why):  # the server's own next look comes later, and says the same
        return Problem(410, "revoked", f"{question.model} {line.why}")
    return Problem(403, "refused", f"you may not do that: {question.action}")


def _no_trail() -> Problem:
    """No answer without a line in the trail."""
    return Problem(503, "no-trail", "the decision cannot be written down, so the answer is no")
