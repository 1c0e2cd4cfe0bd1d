"""Tokens that are good once, remembered until they expire, by all servers of a vault."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable

from sqlalchemy import Column, Float, MetaData, Table, Text, delete, insert, select

from hauberk.access.tokens import Bearer
from hauberk.core.database import Database
from hauberk.serving.guard.tables import alone

_METADATA = MetaData()
_USED = Table(
    "serving_used_tokens", _METADATA,
    Column("digest", Text, primary_key=True),
    Column("until", Float, nullable=False, index=True),
)  # fmt: skip
_LEEWAY_S = 300.0  # the most that a verifier allows clocks to differ


class UsedTokens:
    """Remembers tokens by issuer and ``jti``.

    Cost: one durable commit for each token.
    """

    def __init__(self, database: Database, *, seconds: Callable[[], float] = time.time) -> None:
        self._database, self._seconds = database, seconds
        with database.write() as connection:
            alone(connection)
            _METADATA.create_all(connection)

    def first(self, bearer: Bearer) -> bool:
        """Whether a valid token comes for the first time; one without a ``jti`` cannot be told from others, and
        does not."""
        if bearer.id is None:
            return False
        digest = hashlib.sha256(f"{bearer.issuer}\n{bearer.id}".encode()).hexdigest()
        with self._database.write() as connection:
            alone(connection)
            connection.execute(delete(_USED).where(_USED.c.until < self._seconds()))
            if connection.execute(select(_USED.c.digest).where(_USED.c.digest == digest)).first():
                return False
            connection.execute(insert(_USED).values(digest=digest, until=bearer.expires_s + _LEEWAY_S))
        return True
