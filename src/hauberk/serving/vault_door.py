"""The door of a server that serves a vault: callers are known by API key, decisions stand in its trail.

A decision waits for the disk, so it is made in a thread; those that are made at the same time share one commit.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from hauberk.access import Access, Caller, Circumstances, Question
from hauberk.core.errors import AccessDenied, HauberkError
from hauberk.serving.door import Admission, Ask
from hauberk.serving.problems import Problem

_ACTIONS = {"metrics.read": "audit.read"}  # what the server asks, by the name that roles know it by
_AT_ONCE = 32  # decisions that may share a commit
_BEARER = "bearer "


class VaultDoor:
    """Asks a vault's access; nobody comes in whom it does not know.

    Args:
        access: of the vault that is served.
        in_use: the alias that a request without a version means.

    Limits: API keys alone; put certificates (``--mtls``) in front where a stolen key must not be enough.
    """

    def __init__(self, access: Access, *, in_use: str) -> None:
        self._access, self._in_use = access, in_use
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="door")

    async def admit(self, ask: Ask) -> Admission:
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._decide, ask)

    def _decide(self, ask: Ask) -> Admission:
        where = Circumstances(ask.address, ask.request)
        versions = () if ask.model is None else (ask.version or self._in_use,)
        question = Question(_ACTIONS.get(ask.action, ask.action), ask.model or "", versions)
        try:
            caller = self._caller(ask, where)
        except AccessDenied as error:
            raise _unknown() if error.exit_code == 1 else _no_trail() from None
        try:
            self._access.require(caller, question, where)
        except AccessDenied as error:
            if error.exit_code != 1:
                raise _no_trail() from None
            raise Problem(403, "refused", f"you may not do that: {question.action}") from None
        except HauberkError:
            raise _no_trail() from None
        return Admission(caller.name)

    def _caller(self, ask: Ask, where: Circumstances) -> Caller:
        given = ask.header(b"authorization") or ""
        if given[: len(_BEARER)].lower() != _BEARER:
            raise _unknown()
        return self._access.by_key(given[len(_BEARER) :].strip(), where)


def _unknown() -> Problem:
    return Problem(
        401,
        "unknown",
        "show a valid API key: Authorization: Bearer hbk_…",
        headers={"www-authenticate": "Bearer"},
    )


def _no_trail() -> Problem:
    """No answer without a line in the trail."""
    return Problem(503, "no-trail", "the decision cannot be written down, so the answer is no")
