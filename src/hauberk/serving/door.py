"""Who may come in: what the server asks before it does anything for a caller."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import NamedTuple, Protocol

Headers = Sequence[tuple[bytes, bytes]]


class Ask(NamedTuple):
    """A request as the door sees it, before its body is read.

    Args:
        action: a permission's name, such as ``model.predict``.
        model: the model's name, or None where the action is about none.
        version: as the caller wrote it, or None for the one in use.
        names: all names of that version, where it is served and has others.
        headers: names in lower case.
        address: of the peer.
        request: the request's own id.
        certificate: a client's, in PEM, whose chain TLS has verified, or None.
    """

    action: str
    model: str | None
    version: str | None
    headers: Headers
    address: str
    request: str
    certificate: bytes | None = None
    names: tuple[str, ...] = ()

    def header(self, name: bytes) -> str | None:
        """The first header of this name."""
        return next((value.decode("latin-1") for key, value in self.headers if key == name), None)


class Admission(NamedTuple):
    """A caller who may.

    Args:
        caller: the name by which limits, guard and metrics know him.
        recorded: done when the decision is on disk; no answer leaves before. Cancelled with the request of a
            caller who hangs up, so each gets his own. None where nothing is kept.
    """

    caller: str
    recorded: Awaitable[None] | None = None


class Door(Protocol):
    """Decides, and writes down what it decided."""

    async def admit(self, ask: Ask) -> Admission:
        """The caller, if he may.

        Raises:
            Problem: 401 for a caller who is not known, 403 for one who may not, 429 for one too often,
                503 where the decision cannot be written down.
        """


class OpenDoor:
    """Lets everybody in under one name and writes nothing down: for a server on this machine alone."""

    async def admit(self, ask: Ask) -> Admission:
        return Admission("anybody")
