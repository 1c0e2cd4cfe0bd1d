"""Whoever looks at the console, and what he may."""

from __future__ import annotations

from contextlib import suppress
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING

from hauberk.access import Access, AccessGate, Caller, Circumstances, Question
from hauberk.access.sessions import Session, Sessions
from hauberk.core.errors import AccessDenied, HauberkError
from hauberk.serving.console.words import Words
from hauberk.vault import Vault
from hauberk.vault.gate import Gate

if TYPE_CHECKING:
    from hauberk.serving.console.kept import Kept
    from hauberk.serving.metrics import Metrics
    from hauberk.serving.rack import Rack
    from hauberk.serving.watch import Watch

_OPENING = Lock()


@dataclass(frozen=True)
class Server:
    """The process that serves the console, as its pages see it."""

    rack: Rack
    metrics: Metrics
    watch: Watch


@dataclass(frozen=True)
class Inside:
    """What all viewers share.

    Args:
        vault: the one that is served.
        kept: what pages remember between requests.
        secure: whether browsers reach this over TLS, here or at a proxy.
        tls: whether it is here.
    """

    vault: Vault
    access: Access
    sessions: Sessions
    server: Server
    kept: Kept
    secure: bool = False
    tls: bool = False


@dataclass(frozen=True)
class Viewer:
    """One person's request.

    Args:
        quiet: it renews a page that is open and in the trail: decided again, not written again.
    """

    inside: Inside
    caller: Caller
    session: Session
    words: Words
    where: Circumstances
    quiet: bool = False

    @property
    def name(self) -> str:
        return self.caller.name

    @property
    def server(self) -> Server:
        return self.inside.server

    @property
    def now_ms(self) -> int:
        return self.inside.vault.now_ms()

    def may(self, action: str, model: str = "", versions: tuple[str, ...] = ()) -> bool:
        """Whether he may; nothing is written."""
        return self.inside.access.preview(self.caller, Question(action, model, versions)).allowed

    def require(
        self, action: str, model: str = "", versions: tuple[str, ...] = (), *, detail: str = ""
    ) -> None:
        """Go on only where he may; the decision is in the trail.

        Raises:
            AccessDenied: he may not.
        """
        self._gate.check(action, model, versions, detail=detail)

    @cached_property
    def vault(self) -> Vault:
        """The vault as this person finds it: what it refuses him it refuses, in his name."""
        with _OPENING:  # the ledger is opened once, for all viewers
            with suppress(HauberkError):  # who needs it is told when he asks for it
                _ = self.inside.vault.ledger
            found = copy(self.inside.vault)
        found.gate = self._gate
        return found

    @cached_property
    def _gate(self) -> Gate:
        if self.quiet:
            return _QuietGate(self)
        return AccessGate(self.inside.access, self.caller, self.where)


class _QuietGate:
    """Decides as the other one, and writes nothing down."""

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer

    @property
    def actor(self) -> str:
        return self._viewer.name

    def check(self, action: str, model: str = "", versions: tuple[str, ...] = (), *, detail: str = "") -> None:
        if not self._viewer.may(action, model, versions):
            raise AccessDenied(f"'{self.actor}' is refused {action}")

    def refused(self, action: str, model: str, why: str, *, detail: str = "") -> None:
        viewer = self._viewer
        AccessGate(viewer.inside.access, viewer.caller, viewer.where).refused(action, model, why, detail=detail)
