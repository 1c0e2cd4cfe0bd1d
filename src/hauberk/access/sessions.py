"""Who is signed in to the console: in the database, so that several processes and a restart agree.

A session is 256 random bits in a cookie; the database keeps their SHA-256, which lets nobody in. It ends when
it was idle for too long, when it is too old, at sign-out, and when its person is disabled or gets another
password or second factor.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, update

from hauberk.access import schema
from hauberk.access.changes import identity_row, milliseconds
from hauberk.core.clock import Clock, now
from hauberk.core.database import Database
from hauberk.core.errors import AccessDenied
from hauberk.crypto.secret import Random

_TABLE = schema.sessions
_BYTES = 32
_FORM = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_NOTED_MS = 60_000  # use is written down once a minute at most


@dataclass(frozen=True)
class Session:
    """One sign-in.

    Args:
        id: what it is called where sessions are listed; no secret.
        how: by what the person was recognised.
        source: the address from which he signed in.
        form_token: what every form of this session must bring along; empty where the session is only listed.
    """

    id: str
    identity: str
    how: str
    source: str
    created_ms: int
    seen_ms: int
    form_token: str = field(default="", repr=False)

    def has_form_token(self, given: str) -> bool:
        """Whether a form is this session's, in a time that does not depend on the answer."""
        return bool(self.form_token) and hmac.compare_digest(
            self.form_token.encode(), given.encode("utf-8", "surrogatepass")
        )


class Sessions:
    """All sessions of a vault. Threads and processes can share them.

    Args:
        idle: after so long without a request a session has ended.
        longest: however much it is used.
    """

    def __init__(
        self,
        database: Database,
        *,
        idle: timedelta = timedelta(minutes=30),
        longest: timedelta = timedelta(hours=12),
        clock: Clock = now,
        random: Random = os.urandom,
    ) -> None:
        self._database, self._clock, self._random = database, clock, random
        self._idle_ms, self._longest_ms = (one // timedelta(milliseconds=1) for one in (idle, longest))

    @property
    def longest_s(self) -> int:
        """How long a browser may keep the cookie."""
        return self._longest_ms // 1000

    def begin(self, name: str, how: str, source: str, *, instead_of: str | None = None) -> str:
        """A new session's token, which is in no other place.

        Args:
            name: of a person who was recognised.
            instead_of: the token that the browser showed before, whose session ends.

        Raises:
            AccessDenied: the person was disabled meanwhile.
        """
        token = base64.urlsafe_b64encode(self._random(_BYTES)).decode().rstrip("=")
        present = milliseconds(self._clock())
        with self._database.write() as connection:
            if identity_row(connection, name).disabled:
                raise AccessDenied("the identity is disabled")
            connection.execute(delete(_TABLE).where(~self._live(present)))
            if instead_of is not None:
                connection.execute(delete(_TABLE).where(_TABLE.c.digest == _digest(instead_of)))
            row = {"identity": name, "how": how, "source": source, "created_ms": present, "seen_ms": present}
            connection.execute(insert(_TABLE).values(digest=_digest(token), **row))
        return token

    def find(self, token: str, *, by_person: bool = True) -> Session | None:
        """The session of a token, or None where it is none, or has ended.

        Args:
            by_person: whether somebody did something; a page that renews itself keeps no session alive.
        """
        if not _FORM.fullmatch(token):
            return None
        present, digest = milliseconds(self._clock()), _digest(token)
        people = schema.identities
        query = select(_TABLE).join(people).where(_TABLE.c.digest == digest, self._live(present))
        with self._database.read() as connection:
            row = connection.execute(query.where(~people.c.disabled)).first()
        if row is None:
            return None
        if by_person and present - row.seen_ms >= _NOTED_MS:
            with self._database.write() as connection:
                connection.execute(update(_TABLE).where(_TABLE.c.digest == digest).values(seen_ms=present))
        return Session(
            digest.hex()[:12], row.identity, row.how, row.source, row.created_ms, row.seen_ms, form_token(token)
        )

    def end(self, token: str) -> None:
        """Sign out."""
        with self._database.write() as connection:
            connection.execute(delete(_TABLE).where(_TABLE.c.digest == _digest(token)))

    def end_all(self, name: str) -> int:
        """Sign a person out everywhere; how many sessions that were."""
        with self._database.write() as connection:
            identity_row(connection, name)
            return end_of(connection, name)

    def of(self, name: str) -> list[Session]:
        """A person's sessions, newest first."""
        query = select(_TABLE).where(_TABLE.c.identity == name, self._live(milliseconds(self._clock())))
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(_TABLE.c.created_ms.desc())).all()
        return [
            Session(
                bytes(one.digest).hex()[:12], one.identity, one.how, one.source, one.created_ms, one.seen_ms
            )
            for one in rows
        ]

    def people(self) -> int:
        """How many people are signed in."""
        live = self._live(milliseconds(self._clock()))
        query = select(func.count(_TABLE.c.identity.distinct())).where(live)
        with self._database.read() as connection:
            return int(connection.execute(query).scalar_one())

    def _live(self, present: int) -> ColumnElement[bool]:
        return (_TABLE.c.seen_ms > present - self._idle_ms) & (_TABLE.c.created_ms > present - self._longest_ms)


def end_of(connection: Connection, name: str) -> int:
    """Sign a person out everywhere, within a transaction that takes something from him."""
    return connection.execute(delete(_TABLE).where(_TABLE.c.identity == name)).rowcount


def form_token(token: str) -> str:
    """What forms of a session bring along: nobody makes it without the cookie."""
    mac = hmac.new(token.encode(), b"hauberk console form", hashlib.sha256)
    return base64.urlsafe_b64encode(mac.digest()).decode().rstrip("=")


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
